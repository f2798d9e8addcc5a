namespace Oriva.Realtime.Core.Storage;

/// <summary>SQLite's statements for nodes and connections: of one process, which nobody else gives up.</summary>
internal static class SqliteClusterSql
{
    private const string Now = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

    public static readonly ClusterStatements Statements = new()
    {
        EnterNode = $$"""
            INSERT INTO nodes (id, instance, advertised_url, version, started_at, heartbeat_at, figures)
            VALUES (@node, @instance, @url, @version, @started, {{Now}}, '{}')
            ON CONFLICT (id) DO UPDATE
                SET instance = excluded.instance, advertised_url = excluded.advertised_url, version = excluded.version, started_at = excluded.started_at,
                    heartbeat_at = excluded.heartbeat_at, figures = '{}', draining_since = NULL, stopped_at = NULL, lost_at = NULL
            """,

        Beat = $"""
            UPDATE nodes SET heartbeat_at = {Now}, figures = @figures, advertised_url = @url, lost_at = NULL,
                draining_since = CASE WHEN @draining THEN coalesce(draining_since, {Now}) END
            WHERE id = @node AND instance = @instance RETURNING lost_at IS NOT NULL
            """,

        CloseLostNodes = $"""
            UPDATE nodes SET lost_at = {Now} WHERE heartbeat_at < {Now} - @lease AND stopped_at IS NULL AND lost_at IS NULL;
            UPDATE websocket_connections SET closed_at = {Now}, close_reason = @reason
            WHERE closed_at IS NULL AND node_id IN (SELECT id FROM nodes WHERE heartbeat_at < {Now} - @lease)
            """,

        CloseConnectionsOf = $"UPDATE websocket_connections SET closed_at = {Now}, close_reason = @reason WHERE node_id = @node AND closed_at IS NULL",

        LeaveNode = $"""
            UPDATE nodes SET stopped_at = {Now}, draining_since = CASE WHEN @draining THEN coalesce(draining_since, {Now}) END WHERE id = @node AND instance = @instance
            """,

        ReadNodes = $"""
            SELECT id, advertised_url, version, started_at, heartbeat_at, figures, draining_since, stopped_at, lost_at,
                   stopped_at IS NULL AND lost_at IS NULL AND heartbeat_at >= {Now} - @lease
            FROM nodes ORDER BY id
            """,

        SaveConnections = """
            INSERT INTO websocket_connections (id, node_id, user_id, apps, transport, protocol, remote_address, user_agent, connected_at, last_seen_at,
                round_trip_ms, behind, events_sent, stalls, subscriptions, scopes, closed_at, close_reason)
            SELECT value ->> 'id', @node, value ->> 'user_id', value -> 'apps', value ->> 'transport', value ->> 'protocol', value ->> 'remote_address', value ->> 'user_agent',
                   value ->> 'connected_at', value ->> 'last_seen_at', value ->> 'round_trip_ms', value ->> 'behind', value ->> 'events_sent', value ->> 'stalls',
                   value -> 'subscriptions', value -> 'scopes', value ->> 'closed_at', value ->> 'close_reason'
            FROM json_each(@rows) WHERE true
            ON CONFLICT (id) DO UPDATE
                SET apps = excluded.apps, last_seen_at = excluded.last_seen_at, round_trip_ms = excluded.round_trip_ms, behind = excluded.behind,
                    events_sent = excluded.events_sent, stalls = excluded.stalls, subscriptions = excluded.subscriptions, scopes = excluded.scopes,
                    closed_at = excluded.closed_at, close_reason = excluded.close_reason
            """,

        CloseUnknown = $"""
            UPDATE websocket_connections SET closed_at = {Now}, close_reason = @reason
            WHERE node_id = @node AND closed_at IS NULL AND id NOT IN (SELECT value FROM json_each(@ids))
            """,

        AddCommands = $"""
            INSERT INTO node_commands (id, node_id, kind, target, reason, created_at)
            SELECT value ->> 'id', value ->> 'node', value ->> 'kind', value ->> 'target', value ->> 'reason', {Now} FROM json_each(@rows)
            """,

        DropCommandsOf = $"UPDATE node_commands SET done_at = {Now} WHERE node_id = @node AND done_at IS NULL",

        ReadCommands = $"SELECT id, kind, target, reason FROM node_commands WHERE node_id = @node AND done_at IS NULL AND created_at > {Now} - @age ORDER BY id",

        FinishCommand = $"UPDATE node_commands SET done_at = {Now}, affected = @affected WHERE id = @id AND done_at IS NULL",

        ReadAnswers = "SELECT affected FROM node_commands WHERE id IN (SELECT value FROM json_each(@ids)) AND done_at IS NOT NULL",

        Block = $"""
            INSERT INTO user_blocks (user_id, until, reason, created_by, created_at) VALUES (@user, {Now} + @span, @reason, @by, {Now})
            ON CONFLICT (user_id) DO UPDATE SET until = excluded.until, reason = excluded.reason, created_by = excluded.created_by, created_at = excluded.created_at
            RETURNING until
            """,

        Unblock = $"DELETE FROM user_blocks WHERE user_id = @user AND until > {Now}",

        ReadBlocks = $"SELECT user_id, until, reason, created_by, created_at, (until - {Now}) / 1000 FROM user_blocks WHERE until > {Now} ORDER BY user_id",

        DropOld =
        [
            "DELETE FROM websocket_connections WHERE id IN (SELECT id FROM websocket_connections WHERE closed_at < @week LIMIT @limit)",
            "DELETE FROM nodes WHERE id IN (SELECT id FROM nodes WHERE coalesce(stopped_at, lost_at) < @week LIMIT @limit)",
            "DELETE FROM node_commands WHERE id IN (SELECT id FROM node_commands WHERE created_at < @day LIMIT @limit)",
            "DELETE FROM user_blocks WHERE user_id IN (SELECT user_id FROM user_blocks WHERE until < @day LIMIT @limit)",
        ],
    };
}
