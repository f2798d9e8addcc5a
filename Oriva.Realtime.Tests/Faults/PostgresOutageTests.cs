using System.Net;
using Npgsql;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

public sealed class PostgresOutageTests : ProcessTests
{
    [Fact]
    public async Task PostgresRestarted_PublishesAreRefusedSafely_AndWhoeverIsConnectedGetsEverything()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        var hub = await StartAsync(postgres.Store);
        var token = Tokens.User(User, App);
        await using var client = await HubClient.ConnectAsync(hub.Address, token);
        await client.SubscribeAsync(new { app = App });
        await using var stream = await hub.As(token).OpenStreamAsync($"app={App}");
        (await hub.As(Publisher).PublishAsync(Draft("before"))).ShouldBe(201);
        await client.ReceiveAsync(1);
        (await stream.ReadEventsAsync(1)).Ids().ShouldBe(["before"]);

        await postgres.StopAsync();
        var refused = await hub.As(Publisher).PublishAsync(new[] { Draft("during-1"), Draft("during-2") });
        refused.ShouldBeProblem(503, "unavailable").Items("ids").Select(id => id.GetString()).ShouldBe(["during-1", "during-2"]);
        refused.RetryAfter.ShouldBeGreaterThan(0);
        var withoutId = await hub.As(Publisher).PublishAsync(Draft(null));
        var made = withoutId.ShouldBeProblem(503, "unavailable").Items("ids").ShouldHaveSingleItem().GetString()!;
        (await hub.As(Publisher).GetAsync($"{ApiCaller.Events}?app={App}")).ShouldBeProblem(503, "unavailable");
        (await hub.As(token).PollAsync(new { app = App })).ShouldBeProblem(503, "unavailable");
        await client.RefusedAsync("unavailable", "Publish", new { source = App, type = "task.completed", userId = User, data = new { taskId = "t" } });
        (await hub.As(null).GetAsync("/health/live")).ShouldBe(200);
        (await hub.As(null).GetAsync("/health/ready")).ShouldBe(503).Text("status").ShouldBe("unhealthy");

        await postgres.StartAsync();
        await Waiting.Eventually("publishing works again, with the same ids", async () =>
            (await hub.As(Publisher).PublishAsync(new[] { Draft("during-1"), Draft("during-2") })).Status == 201, TimeSpan.FromSeconds(30));
        (await hub.As(Publisher).PublishAsync(Draft(made))).ShouldBe(201);
        (await hub.As(Publisher).PublishAsync(Draft("after"))).ShouldBe(201);
        await client.ReceiveAsync(5);
        client.Received.Ids.ShouldBe(["before", "during-1", "during-2", made, "after"]);
        (await stream.ReadEventsAsync(4)).Ids().ShouldBe(["during-1", "during-2", made, "after"]);
        client.Closed.IsCompleted.ShouldBeFalse("the connection has stayed up");
        await Waiting.Eventually("the node is ready", async () => (await hub.As(null).GetAsync("/health/ready")).Status == 200);
    }

    [Fact]
    public async Task AConnectionThatIsCutAgainAndAgain_CostsNoEvent()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var server = new NpgsqlConnectionStringBuilder(store.ConnectionString);
        await using var proxy = new TcpProxy(server.Host!, server.Port);
        var hub = await StartAsync(store, ("ConnectionStrings:Postgres", new NpgsqlConnectionStringBuilder(store.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ToString()));
        await using var client = await HubClient.ConnectAsync(hub.Address, Tokens.User(User, App));
        await client.SubscribeAsync(new { app = App });

        const int count = 60;
        for (var n = 0; n < count; n++)
        {
            var publishing = hub.As(Publisher).PublishAsync(Draft($"e-{n}"));
            if (n % 6 == 0)
                proxy.Cut();
            var answer = await publishing;
            // Refused or not: a repeat with the same id is the same event.
            if (answer.Status == 503)
            {
                answer.ShouldBeProblem(503, "unavailable");
                await Waiting.Eventually("the repeat is answered", async () => (await hub.As(Publisher).PublishAsync(Draft($"e-{n}"))).Status is 200 or 201);
            }
            else
            {
                answer.ShouldBe(201);
            }
        }

        await client.ReceiveAsync(count);
        client.Received.Ids.ShouldBe(Enumerable.Range(0, count).Select(n => $"e-{n}"));
    }

    [Fact]
    public async Task AStartWithoutPostgres_IsLiveButNotReady_AndBecomesReadyWhenItComes()
    {
        await using var store = await PostgresServer.CreateEmptyAsync();
        var server = new NpgsqlConnectionStringBuilder(store.ConnectionString);
        await using var proxy = new TcpProxy(server.Host!, server.Port);
        proxy.Refuse();
        var hub = await StartAsync(store, ("ConnectionStrings:Postgres", new NpgsqlConnectionStringBuilder(store.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ToString()));
        (await hub.As(null).GetAsync("/health/live")).ShouldBe(200);
        (await hub.As(null).GetAsync("/health/ready")).ShouldBe((int)HttpStatusCode.ServiceUnavailable).Text("checks", "store", "description").ShouldStartWith("Waiting for");
        var refused = await hub.As(Publisher).PublishAsync(Draft("one"));
        refused.ShouldBeProblem(503, "unavailable");
        refused.RetryAfter.ShouldBeGreaterThan(0);

        proxy.Restore();
        await Waiting.Eventually("the node is ready", async () => (await hub.As(null).GetAsync("/health/ready")).Status == 200, TimeSpan.FromSeconds(30));
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(201).Number("seq").ShouldBe(1);
    }
}
