using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Hub.Cluster;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>Several nodes on one PostgreSQL that trust each other.</summary>
public abstract class ClusterTests(PostgresHub fixture) : HubTests(fixture)
{
    private protected const string Secret = "what-the-nodes-of-these-tests-show-each-other";
    private protected const string Negotiate = "/hubs/realtime/negotiate?negotiateVersion=1";

    private protected Task<HubHost> StartNodeAsync(params (string Key, string Value)[] settings) =>
        StartHubAsync(settings.Append(("Cluster:Secret", Secret)).ToDictionary(setting => setting.Item1, setting => (string?)setting.Item2), on: Fixture.Store);

    private protected async Task<List<HubHost>> StartNodesAsync(int count)
    {
        var nodes = new List<HubHost>();
        for (var i = 0; i < count; i++)
            nodes.Add(await StartNodeAsync());
        return nodes;
    }

    private protected static string IdOf(HubHost node) => node.Get<NodeIdentity>().Id;

    /// <summary>A connection that is negotiated, as the client sends it: with the node's id in front.</summary>
    private protected static async Task<string> NegotiateAsync(ApiCaller caller)
    {
        var token = (await caller.PostAsync(Negotiate, "")).ShouldBe(200).Text("connectionToken");
        NodeToken.Read(token).ShouldNotBeNull(token);
        return token;
    }

    private protected static string Poll(string id) => "/hubs/realtime?id=" + Uri.EscapeDataString(id);

    /// <summary>What SignalR says of a connection that it does not have.</summary>
    private protected static void ShouldBeUnknown(HttpAnswer answer)
    {
        answer.Status.ShouldBe(404, answer.Text);
        answer.MediaType.ShouldBe("text/plain");
        answer.Text.ShouldBe("No Connection with that ID");
    }
}
