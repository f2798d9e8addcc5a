using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Connections;

/// <summary>A node, with its figures as of its last heartbeat.</summary>
/// <param name="Alive">It beats, and has not said goodbye.</param>
public sealed record NodeState(
    string Id, bool Alive, string? AdvertisedUrl, string Version, DateTimeOffset StartedAt, DateTimeOffset HeartbeatAt, DateTimeOffset? DrainingSince, DateTimeOffset? StoppedAt,
    DateTimeOffset? LostAt, NodeFigures Figures);

/// <summary>Who is on an app now.</summary>
public sealed record AppLoad(string App, int Connections, int Users);

/// <summary>The cluster at a glance.</summary>
/// <param name="PushLatencyMs">Of the node whose 99th percentile is worst: percentiles of several nodes cannot be added up.</param>
/// <param name="Retrying">Deliveries that have failed and are tried again.</param>
/// <param name="WaitingForRouting">Events that are to become notifications.</param>
/// <param name="Redis">How many live nodes are in which state with it; empty: there is none.</param>
public sealed record Overview(
    int Connections, int Users, int Nodes, double PublishesPerSecond, double PushesPerSecond, LatencyFigures? PushLatencyMs, long Behind, int Retrying, int DeadLetters,
    int WaitingForRouting, IReadOnlyDictionary<string, int> Redis, string Store, IReadOnlyList<AppLoad> Apps, IReadOnlyList<NodeState> PerNode);

/// <summary>Adds up what nodes say of themselves and what the store knows of all.</summary>
public sealed class ClusterOverview
{
    private readonly RealtimeDatabase _database;
    private readonly NodeRegistry _nodes;

    internal ClusterOverview(RealtimeDatabase database, NodeRegistry nodes)
    {
        _database = database;
        _nodes = nodes;
    }

    /// <summary>All nodes of the last week, those that are alive first.</summary>
    public async Task<IReadOnlyList<NodeState>> ListNodesAsync() =>
        [.. (await _nodes.ReadAsync()).Select(Describe).OrderByDescending(node => node.Alive).ThenBy(node => node.Id, StringComparer.Ordinal)];

    public async Task<Overview> ReadAsync(CancellationToken cancellationToken)
    {
        var live = (await ListNodesAsync()).Where(node => node.Alive).ToList();
        await using var context = _database.ForService();
        var open = context.WebsocketConnections.AsNoTracking().Where(row => row.ClosedAt == null);
        var apps = await OpenScopes.CountAppsAsync(context, cancellationToken);
        var dead = await context.Deliveries.CountAsync(row => row.Status == DeliveryStatus.Dead, cancellationToken)
            + await context.RoutingQueue.CountAsync(row => row.FailedAt != null, cancellationToken);
        return new Overview(
            await open.CountAsync(cancellationToken), await open.Select(row => row.UserId).Distinct().CountAsync(cancellationToken), live.Count,
            live.Sum(node => node.Figures.PublishesPerSecond), live.Sum(node => node.Figures.PushesPerSecond),
            live.Select(node => node.Figures.PushLatencyMs).OfType<LatencyFigures>().MaxBy(latency => latency.P99), live.Sum(node => node.Figures.Behind),
            await context.Deliveries.CountAsync(row => row.NextAttemptAt != null && row.Attempts > 0, cancellationToken), dead,
            await context.RoutingQueue.CountAsync(row => row.FailedAt == null, cancellationToken),
            live.Select(node => node.Figures.Redis).OfType<string>().GroupBy(state => state).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal),
            _database.Provider == StorageProvider.Postgres ? "postgres" : "sqlite", [.. apps.OrderBy(app => app.App, StringComparer.Ordinal).Select(app => new AppLoad(app.App, app.Connections, app.Users))], live);
    }

    private static NodeState Describe(NodeInfo node) => new(
        node.Id, node.IsAlive, node.AdvertisedUrl, node.Version, node.StartedAt, node.HeartbeatAt, node.DrainingSince, node.StoppedAt, node.LostAt, NodeFigures.Read(node.Figures));
}
