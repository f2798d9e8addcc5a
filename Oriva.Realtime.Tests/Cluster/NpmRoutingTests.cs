using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>The official npm client behind a balancer without sticky sessions.</summary>
public sealed class NpmRoutingTests(PostgresHub fixture, NpmClients npm) : ClusterTests(fixture), IClassFixture<PostgresHub>, IClassFixture<NpmClients>
{
    [Theory]
    [InlineData("WebSockets")]
    [InlineData("ServerSentEvents")]
    [InlineData("LongPolling")]
    public async Task BehindRoundRobin_TheNpmClientSeesAndDoesEverything(string transport)
    {
        var user = New("user");
        var nodes = await StartNodesAsync(3);
        await using var balancer = await RoundRobin.StartAsync([.. nodes.Select(node => node.Address)]);
        await using var client = npm.Run(new
        {
            version = 10, transport, mode = "scenario", count = 0, topic = New("room"), app = WorkBuddy, user,
            url = balancer.Address.ToString().TrimEnd('/'), token = Tokens.User(user, WorkBuddy), publisher = Tokens.Publisher(WorkBuddy),
        });
        (await client.StepAsync("live")).Items("events").Count.ShouldBe(2);
        (await client.StepAsync("signalled")).Items("signals").Count.ShouldBe(2);
        (await client.StepAsync("replayed")).Items("events").Count.ShouldBe(200);
        var done = await client.StepAsync("done");
        done.Items("faults").ShouldBeEmpty();
        done.Number("gaps").ShouldBe(0);
        done.Items("rest").ShouldBeEmpty();
        await client.EndAsync();
    }
}
