using System.Text.Json;
using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Nodes and their connections. Times of leases are the database's.</summary>
internal sealed class ClusterStore(StoreDialect dialect, ClusterStatements sql) : SqlStore(dialect)
{
    /// <summary>Enters a node that starts, in place of an earlier one with its id, whose connections are gone.</summary>
    public Task EnterNodeAsync(NodeIdentity node) => InTransactionAsync(async connection =>
    {
        await connection.ExecuteAsync(sql.CloseConnectionsOf, [("node", node.Id), ("reason", CloseReasons.NodeRestarted)]);
        await connection.ExecuteAsync(sql.DropCommandsOf, [("node", node.Id)]);
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
        // Not those of another start that has taken its id.
        var isOwn = await connection.ExecuteAsync(sql.LeaveNode, [("node", node.Id), ("instance", Id(node.Instance)), ("draining", node.IsDraining)]) > 0;
        return isOwn && await connection.ExecuteAsync(sql.CloseConnectionsOf, [("node", node.Id), ("reason", CloseReasons.NodeStopped)]) > 0;
    });

    public Task<List<NodeInfo>> ReadNodesAsync(TimeSpan lease) => WithConnectionAsync(connection => connection.QueryAsync(
        sql.ReadNodes,
        [("lease", Span(lease))],
        row => new NodeInfo(
            row.GetString(0), TextOrNull(row, 1), row.GetString(2), ReadTime(row, 3), ReadTime(row, 4), row.GetString(5), row.IsDBNull(6) ? null : ReadTime(row, 6),
            row.IsDBNull(7) ? null : ReadTime(row, 7), row.IsDBNull(8) ? null : ReadTime(row, 8), row.GetBoolean(9))));

    /// <summary>Enters connections of a node, or brings their rows up to date: the node knows best which of its connections are open.</summary>
    public Task SaveConnectionsAsync(string node, IEnumerable<ConnectionState> connections)
    {
        var rows = connections.Select(row => new
        {
            row.Id, row.UserId, row.Apps, row.Transport, row.Protocol, row.RemoteAddress, row.UserAgent, ConnectedAt = JsonTime(row.ConnectedAt), LastSeenAt = JsonTime(row.LastSeenAt),
            row.RoundTripMs, row.Behind, row.EventsSent, row.Stalls, row.Subscriptions, row.Scopes, ClosedAt = JsonTime(row.ClosedAt), row.CloseReason,
        });
        return WithConnectionAsync(connection => connection.ExecuteAsync(sql.SaveConnections, [("node", node), ("rows", JsonSerializer.Serialize(rows, Json))]));
    }

    /// <summary>Closes what stands as open and is not among those that the node has.</summary>
    public Task CloseUnknownAsync(string node, IEnumerable<string> ids) => WithConnectionAsync(connection => connection.ExecuteAsync(
        sql.CloseUnknown, [("node", node), ("ids", JsonSerializer.Serialize(ids, Json)), ("reason", CloseReasons.Aborted)]));

    public Task AddCommandsAsync(IEnumerable<(string Node, NodeCommand Command)> commands)
    {
        var rows = commands.Select(sent => new { Id = JsonId(sent.Command.Id), sent.Node, sent.Command.Kind, sent.Command.Target, sent.Command.Reason });
        return WithConnectionAsync(connection => connection.ExecuteAsync(sql.AddCommands, [("rows", JsonSerializer.Serialize(rows, Json))]));
    }

    /// <summary>What the node is asked to do. What has waited for longer than <paramref name="age"/> is not: nobody waits for it any more.</summary>
    public Task<List<NodeCommand>> ReadCommandsAsync(string node, TimeSpan age) => WithConnectionAsync(connection => connection.QueryAsync(
        sql.ReadCommands, [("node", node), ("age", Span(age))], row => new NodeCommand(ReadId(row, 0), row.GetString(1), TextOrNull(row, 2), TextOrNull(row, 3))));

    /// <param name="affected">Null: the node cannot do it.</param>
    public Task FinishCommandAsync(Guid id, int? affected) =>
        WithConnectionAsync(connection => connection.ExecuteAsync(sql.FinishCommand, [("id", Id(id)), ("affected", affected)]));

    /// <summary>The answers of those that are done.</summary>
    public Task<List<int?>> ReadAnswersAsync(IEnumerable<Guid> ids) => WithConnectionAsync(connection => connection.QueryAsync(
        sql.ReadAnswers, [("ids", JsonSerializer.Serialize(ids.Select(JsonId), Json))], row => row.IsDBNull(0) ? (int?)null : row.GetInt32(0)));

    /// <returns>Until when.</returns>
    public Task<DateTimeOffset> BlockAsync(string userId, TimeSpan span, string? reason, string by) => WithConnectionAsync(async connection =>
        (await connection.QueryAsync(sql.Block, [("user", userId), ("span", Span(span)), ("reason", reason), ("by", by)], row => ReadTime(row, 0)))[0]);

    /// <returns>False: the user is not blocked.</returns>
    public Task<bool> UnblockAsync(string userId) => WithConnectionAsync(async connection => await connection.ExecuteAsync(sql.Unblock, [("user", userId)]) > 0);

    /// <summary>The blocks that have not lapsed by the database's clock, and how long each still lasts.</summary>
    public Task<List<(UserBlock Block, TimeSpan Left)>> ReadBlocksAsync() => WithConnectionAsync(connection => connection.QueryAsync(
        sql.ReadBlocks, [],
        row => (new UserBlock(row.GetString(0), ReadTime(row, 1), TextOrNull(row, 2), row.GetString(3), ReadTime(row, 4)), TimeSpan.FromMilliseconds(row.GetInt64(5)))));

    /// <summary>Deletes some of the connections and nodes that have been gone for long, and some commands and blocks that are over.</summary>
    /// <returns>Whether there may be more.</returns>
    public Task<bool> DropOldAsync(DateTimeOffset week, DateTimeOffset day, int limit) => WithConnectionAsync(async connection =>
    {
        var more = false;
        foreach (var statement in sql.DropOld)
        {
            var cutoff = statement.Contains("@week", StringComparison.Ordinal) ? ("week", Time(week)) : ("day", Time(day));
            more |= await connection.ExecuteAsync(statement, [cutoff, ("limit", limit)]) == limit;
        }

        return more;
    });
}

/// <summary>A connection as its node knows it.</summary>
internal sealed record ConnectionState(
    string Id, string UserId, IReadOnlyList<string> Apps, string Transport, string Protocol, string? RemoteAddress, string? UserAgent, DateTimeOffset ConnectedAt, DateTimeOffset LastSeenAt,
    double? RoundTripMs, long Behind, long EventsSent, long Stalls, JsonElement Subscriptions, IReadOnlyList<string> Scopes, DateTimeOffset? ClosedAt, string? CloseReason);

/// <summary>A user who is kept out for a time.</summary>
public sealed record UserBlock(string UserId, DateTimeOffset Until, string? Reason, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>One store's statements. Parameters are named, times and ids in the store's own form.</summary>
internal sealed record ClusterStatements
{
    public required string EnterNode { get; init; }

    public required string Beat { get; init; }

    public required string CloseLostNodes { get; init; }

    public required string CloseConnectionsOf { get; init; }

    public required string LeaveNode { get; init; }

    public required string ReadNodes { get; init; }

    public required string SaveConnections { get; init; }

    public required string CloseUnknown { get; init; }

    /// <summary>What was asked of an earlier start of the node.</summary>
    public required string DropCommandsOf { get; init; }

    public required string AddCommands { get; init; }

    public required string ReadCommands { get; init; }

    public required string FinishCommand { get; init; }

    public required string ReadAnswers { get; init; }

    public required string Block { get; init; }

    public required string Unblock { get; init; }

    public required string ReadBlocks { get; init; }

    /// <summary>Each deletes a bounded number of what is older than its cutoff.</summary>
    public required IReadOnlyList<string> DropOld { get; init; }
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
public static class CloseReasons
{
    /// <summary>The client went by itself.</summary>
    public const string Client = "client";

    /// <summary>It broke off, or its client fell silent.</summary>
    public const string Aborted = "aborted";

    public const string TokenExpired = "token_expired";
    public const string KeyRevoked = "key_revoked";
    public const string UserBlocked = "user_blocked";

    /// <summary>By an operator.</summary>
    public const string Disconnected = "disconnected";
    public const string Draining = "draining";
    public const string SessionFailed = "session_failed";
    public const string LimitExceeded = "limit_exceeded";
    public const string NodeLost = "node_lost";
    public const string NodeStopped = "node_stopped";
    public const string NodeRestarted = "node_restarted";
}
