using Oriva.Realtime.Tests.Faults;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>Two processes on one PostgreSQL, of which one is told to stop.</summary>
public sealed class StoppedNodeTests : ProcessTests
{
    private const string Secret = "what-the-nodes-of-these-tests-show-each-other";

    [Fact]
    public async Task Sigterm_MovesClientsToTheOtherNode_AnswersPublishes_AndEndsWell()
    {
        const int count = 400;
        await using var store = await PostgresServer.CreateMigratedAsync();
        var (leaving, staying) = (await StartAsync(store, ("Cluster:Secret", Secret)), await StartAsync(store, ("Cluster:Secret", Secret)));
        await using var balancer = await RoundRobin.StartAsync(leaving.Address, staying.Address);
        var followers = new List<BurstFollower>();
        foreach (var (transport, protocol) in TransportTests.Ways.Select(way => way.Data))
            followers.Add(await BurstFollower.StartAsync(balancer.Address, Tokens.User(User, App), transport, protocol));

        // To the node that leaves, until it is gone.
        var answered = 0;
        var publishing = Task.Run(async () =>
        {
            var to = leaving;
            for (var n = 1; n <= count; n++)
            {
                try
                {
                    (await to.As(Publisher).PublishAsync(new { source = App, type = "session.started", userId = User, id = $"e-{n}" })).Status.ShouldBeOneOf(200, 201);
                    answered++;
                }
                catch (HttpRequestException) when (to == leaving)
                {
                    (to, n) = (staying, n - 1);
                }
            }
        }, TestContext.Current.CancellationToken);
        await Waiting.Eventually("some have come", () => followers.All(follower => follower.Seqs.Count > count / 20));
        leaving.Terminate();
        (await leaving.ExitAsync()).ShouldBe(0, leaving.Output);
        await publishing.Soon("all are published");

        foreach (var follower in followers)
        {
            await follower.ReceiveAsync(count);
            follower.Seqs.ShouldBe(Enumerable.Range(1, count).Select(n => (long)n));
            follower.Faults.ShouldBeEmpty();
            await follower.DisposeAsync();
        }

        leaving.Output.ShouldContain("Drained in");
        (await store.QueryAsync<string>("SELECT concat_ws(' ', CASE WHEN stopped_at IS NULL THEN 'runs' ELSE 'stopped' END, CASE WHEN draining_since IS NOT NULL THEN 'drained' END) FROM nodes WHERE advertised_url IS NOT NULL ORDER BY started_at"))
            .ShouldBe(["stopped drained", "runs"]);
    }

    [Fact]
    public async Task ASecondSigterm_EndsWellToo()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var hub = await StartAsync(store);
        await using var client = await HubClient.ConnectAsync(hub.Address, Tokens.User(User, App));
        hub.Terminate();
        await Waiting.Eventually("it drains", () => hub.Output.Contains("Draining", StringComparison.Ordinal));
        hub.Terminate();
        (await hub.ExitAsync()).ShouldBe(0, hub.Output);
        await client.Closed.Soon("the client is closed");
    }

    [Fact]
    public async Task TokensOfRequestsThatArePassedOn_AreNotLogged()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        var (here, there) = (await StartAsync(store, ("Cluster:Secret", Secret), ("Serilog:MinimumLevel:Default", "Verbose")), await StartAsync(store, ("Cluster:Secret", Secret)));
        var token = Tokens.User(User, App);
        var id = (await there.As(token).PostAsync("/hubs/realtime/negotiate?negotiateVersion=1", "")).ShouldBe(200).Text("connectionToken");
        var path = $"/hubs/realtime?id={id}&access_token={token}";
        (await here.As(null).GetAsync(path)).Status.ShouldBe(200);
        await there.KillAsync();
        (await here.As(null).GetAsync(path)).Status.ShouldBe(404);
        here.Terminate();
        (await here.ExitAsync()).ShouldBe(0, here.Output);
        foreach (var output in new[] { here.Output, there.Output })
        {
            output.ShouldNotBeEmpty();
            output.ShouldNotContain("access_token");
            output.ShouldNotContain(token.Split('.')[2]);
            output.ShouldNotContain(Secret);
        }
    }
}
