using Npgsql;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>A node on PostgreSQL that is killed at the worst moment: its append is committed, and nobody has been told.</summary>
public sealed class KilledOnPostgresTests : ProcessTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task KilledBetweenCommitAndAnswer_ARepeatWithTheSameIds_FindsWhatWasStored(bool array)
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var server = new NpgsqlConnectionStringBuilder(store.ConnectionString);
        await using var proxy = new TcpProxy(server.Host!, server.Port);
        var throughProxy = ("ConnectionStrings:Postgres", new NpgsqlConnectionStringBuilder(store.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ToString());

        var hub = await StartAsync(store, throughProxy);
        (await hub.As(Publisher).PublishAsync(Draft("first"))).ShouldBe(201);

        // The append waits at its stream's head until the answer is sure not to pass.
        Task<HttpAnswer> publishing;
        object drafts = array ? new[] { Draft("one"), Draft("two") } : Draft("one");
        await using (await store.HoldAppendsAsync(Stream))
        {
            publishing = hub.As(Publisher).PublishAsync(drafts);
            await Waiting.Eventually("the append waits for the head", async () =>
                await store.SingleAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0);
            proxy.HoldAnswers();
        }

        await Waiting.Eventually("the append is committed", async () => await CountAsync(store, "one") == 1);
        publishing.IsCompleted.ShouldBeFalse();
        await hub.KillAsync();
        await Should.ThrowAsync<HttpRequestException>(publishing);
        proxy.PassAnswers();

        hub = await StartAsync(store, throughProxy);
        var repeat = await hub.As(Publisher).PublishAsync(drafts);
        var receipts = array ? repeat.ShouldBe(201).Items("receipts") : [repeat.ShouldBe(200)];
        receipts.ShouldAllBe(receipt => receipt.Flag("duplicate"));
        receipts.Select(receipt => receipt.Number("seq")).ShouldBe(array ? [2, 3] : [2]);
        (await CountAsync(store, "one")).ShouldBe(1);
        (await store.QueryAsync<long>($"SELECT position FROM events WHERE stream = '{Stream}' ORDER BY position")).ShouldBe(array ? [1, 2, 3] : [1, 2]);
        (await hub.As(Publisher).PublishAsync(Draft("next"))).ShouldBe(201).Number("seq").ShouldBe(array ? 4 : 3);
    }

    [Fact]
    public async Task KilledBeforeTheCommit_NothingIsStored_AndARepeatIsPublished()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var hub = await StartAsync(store);
        (await hub.As(Publisher).PublishAsync(Draft("first"))).ShouldBe(201);
        Task<HttpAnswer> publishing;
        await using (await store.HoldAppendsAsync(Stream))
        {
            publishing = hub.As(Publisher).PublishAsync(Draft("one"));
            await Waiting.Eventually("the append waits for the head", async () =>
                await store.SingleAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0);
            await hub.KillAsync();
            await Should.ThrowAsync<HttpRequestException>(publishing);
            // PostgreSQL notices that its client is gone when it answers. It must not commit after the repeat was answered.
            await store.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
            await Waiting.Eventually("the append is gone", async () =>
                await store.SingleAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0);
        }

        hub = await StartAsync(store);
        (await CountAsync(store, "one")).ShouldBe(0);
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(201).Number("seq").ShouldBe(2);
    }

    private static Task<long> CountAsync(TestStore store, string id) => store.SingleAsync<long>($"SELECT count(*) FROM events WHERE id = '{id}'");
}
