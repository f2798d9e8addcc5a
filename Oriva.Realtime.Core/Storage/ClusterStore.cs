using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Nodes and their connections. Times of leases are the database's.</summary>
internal sealed class ClusterStore(StoreDialect dialect, ClusterStatements sql) : SqlStore(dialect)
{
    /// <summary>Enters a node that starts, in place of an earlier one with its id, whose connections are gone.</summary>
    public Task EnterNodeAsync(NodeIdentity node) => InTransactionAsync(async connection =>
    {
        await connection.ExecuteAsync(sql.CloseConnectionsOf, [("node", node.Id), ("reason", CloseReasons.NodeRestarted)]);
        return await connection.ExecuteAsync(
            sql.EnterNode,
            [("node", node.Id), ("instance", Id(node.Instance)), ("url", node.AdvertisedUrl), ("version", node.Version), ("started", Time(node.StartedAt))]);
    });

    public Task<HeartbeatResult> BeatAsync(NodeIdentity node, string figures) => WithConnectionAsync(async connection =>
    {
        var wasLost = await connection.QueryAsync(
            sql.Beat, [("node", node.Id), ("instance", Id(node.Instance)), ("url", node.AdvertisedUrl), ("draining", node.IsDraining), ("figures", figures)],
            row => row.GetBoolean(0));
        return wasLost switch
        {
            [] => HeartbeatResult.Replaced,
            [true, ..] => HeartbeatResult.WasLost,
            _ => HeartbeatResult.Alive,
        };
    });

    /// <summary>Gives up nodes that have not beaten for so long, and closes their connections.</summary>
    /// <returns>How many connections were closed.</returns>
    public Task<int> CloseLostNodesAsync(TimeSpan lease) =>
        WithConnectionAsync(connection => connection.ExecuteAsync(sql.CloseLostNodes, [("lease", Span(lease)), ("reason", CloseReasons.NodeLost)]));

    /// <summary>The node stops in order, and with it its connections.</summary>
    public Task LeaveNodeAsync(NodeIdentity node) => InTransactionAsync(async connection =>
    {
        await connection.ExecuteAsync(sql.CloseConnectionsOf, [("node", node.Id), ("reason", CloseReasons.NodeStopped)]);
        return await connection.ExecuteAsync(sql.LeaveNode, [("node", node.Id), ("instance", Id(node.Instance))]);
    });

    public Task<List<NodeInfo>> ReadNodesAsync(TimeSpan lease) => WithConnectionAsync(connection => connection.QueryAsync(
        sql.ReadNodes,
        [("lease", Span(lease))],
        row => new NodeInfo(
            row.GetString(0), TextOrNull(row, 1), row.GetString(2), ReadTime(row, 3), ReadTime(row, 4), row.GetString(5), row.IsDBNull(6) ? null : ReadTime(row, 6),
            row.IsDBNull(7) ? null : ReadTime(row, 7), row.IsDBNull(8) ? null : ReadTime(row, 8), row.GetBoolean(9))));
}

/// <summary>One store's statements. Parameters are named, times and ids in the store's own form.</summary>
internal sealed record ClusterStatements
{
    public required string EnterNode { get; init; }

    public required string Beat { get; init; }

    public required string CloseLostNodes { get; init; }

    public required string CloseConnectionsOf { get; init; }

    public required string LeaveNode { get; init; }

    public required string ReadNodes { get; init; }
}

internal enum HeartbeatResult
{
    Alive,

    /// <summary>The others had given the node up and closed its connections.</summary>
    WasLost,

    /// <summary>Another node has its id.</summary>
    Replaced,
}

/// <summary>Why a connection was closed, in the registry.</summary>
internal static class CloseReasons
{
    public const string NodeLost = "node_lost";
    public const string NodeStopped = "node_stopped";
    public const string NodeRestarted = "node_restarted";
}
