using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>Official clients over every transport and protocol, all at once, through an nginx that sends each of their requests to another node.</summary>
[Collection(OnOneCluster.Name)]
[Trait("Category", "Long")]
public sealed class ClusterTransportTests(HubCluster cluster)
{
    private const string App = "work-buddy";
    private const int ConnectionsEach = 200;
    private const int ConnectingAtOnce = 32;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task WhoeverConnects_GetsEveryEvent_ThatIsPublishedMeanwhile()
    {
        var publisher = cluster.As(Tokens.Publisher(App));
        var cursor = (await cluster.As(Tokens.User("somebody", App)).GetAsync($"{ApiCaller.Events}/cursor?app={App}")).ShouldBe(200);
        var ways = TransportTests.Ways.Select(way => way.Data).ToList();
        var clients = new TransportClient[ways.Count * ConnectionsEach];
        var published = new List<string>();
        try
        {
            using var connected = new CancellationTokenSource();
            var publishing = PublishAsync(connected.Token);
            await Parallel.ForAsync(0, clients.Length, new ParallelOptions { MaxDegreeOfParallelism = ConnectingAtOnce }, async (i, _) =>
            {
                var (transport, protocol) = ways[i % ways.Count];
                clients[i] = await TransportClient.ConnectAsync(cluster.Balancer, Tokens.User($"user-{i}", App), transport, protocol);
                (await clients[i].SubscribeAsync(new { app = App, cursor })).Flag("reset").ShouldBeFalse();
            });
            await connected.CancelAsync();
            await publishing;

            foreach (var (i, client) in clients.Index())
            {
                await Waiting.Eventually($"all {published.Count} events, of which {client.Received.Events.Count} are there: {ways[i % ways.Count]}", () => client.Received.Events.Count >= published.Count, s_patience);
                client.Received.Ids.ShouldBe(published);
            }
        }
        finally
        {
            await Parallel.ForEachAsync(clients.Where(client => client is not null), async (client, _) => await client.DisposeAsync());
        }

        async Task PublishAsync(CancellationToken until)
        {
            while (!until.IsCancellationRequested)
            {
                published.Add((await publisher.PublishAsync(new { source = App, type = "session.started" })).ShouldBe(201).Text("id"));
                await Task.Delay(s_interval, TimeProvider.System, until).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
