using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

public sealed class TwoProcessesTests : ProcessTests
{
    private const int PublishersEach = 4;
    private const int Publishes = 50;

    [Fact]
    public async Task TwoProcessesOnOnePostgres_WithFourPublishersEach_LeaveNoGapAndNoDouble()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var nodes = await Task.WhenAll(StartAsync(store), StartAsync(store));
        await using var client = await HubClient.ConnectAsync(nodes[0].Address, Tokens.User(User, App));
        await client.SubscribeAsync(new { app = App, topics = new[] { "project-1" } });

        await Task.WhenAll(Enumerable.Range(0, 2 * PublishersEach).Select(async publisher =>
        {
            var caller = nodes[publisher % 2].As(Publisher);
            for (var n = 0; n < Publishes; n++)
            {
                // To three streams, in arrays of which some span all of them, so that the nodes meet at the heads.
                object[] drafts = [ToUser($"{publisher}-{n}-u"), ToTopic($"{publisher}-{n}-t"), ToAll($"{publisher}-{n}-a")];
                var some = drafts.Skip(n % 3).ToArray();
                (await caller.PublishAsync(some)).ShouldBe(201).Items("receipts").Count.ShouldBe(some.Length);
            }
        }));

        var total = 0;
        foreach (var stream in new[] { Stream, $"{App}/topics/project-1", App })
        {
            var positions = await store.QueryAsync<long>($"SELECT position FROM events WHERE stream = '{stream}' ORDER BY position");
            positions.ShouldBe(Enumerable.Range(1, positions.Count).Select(position => (long)position));
            (await store.SingleAsync<long>($"SELECT head FROM streams WHERE stream = '{stream}'")).ShouldBe(positions.Count);
            total += positions.Count;
        }

        total.ShouldBe(2 * PublishersEach * Enumerable.Range(0, Publishes).Sum(n => 3 - (n % 3)));
        (await store.SingleAsync<long>("SELECT count(DISTINCT id) FROM events")).ShouldBe(total);
        await client.ReceiveAsync(total);
        client.Received.Ids.Distinct().Count().ShouldBe(total);

        static object ToUser(string id) => Draft(id);
        static object ToTopic(string id) => new { source = App, type = "task.created", topic = "project-1", id, data = new { taskId = "t", title = "t" } };
        static object ToAll(string id) => new { source = App, type = "task.created", id, data = new { taskId = "t", title = "t" } };
    }

    [Fact]
    public async Task ASecondProcessOnOneSqliteFile_IsRefusedWithTheReason_AndTheFirstGoesOn()
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var first = await StartAsync(store);
        var second = Launch(new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key }, "Production");
        (await second.ExitAsync()).ShouldNotBe(0);
        second.Output.ShouldContain("Another process uses the SQLite store");
        second.Output.ShouldContain("Storage:Provider=Postgres");
        (await first.As(Publisher).PublishAsync(Draft(null))).ShouldBe(201);

        await first.KillAsync();
        var third = await StartAsync(store);
        (await third.As(Publisher).PublishAsync(Draft(null))).ShouldBe(201).Number("seq").ShouldBe(2);
    }
}
