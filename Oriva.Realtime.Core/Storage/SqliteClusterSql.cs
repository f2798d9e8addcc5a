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
            UPDATE websocket_connections SET closed_at = {Now}, close_reason = @reason
            WHERE closed_at IS NULL AND node_id IN (SELECT id FROM nodes WHERE heartbeat_at < {Now} - @lease)
            """,

        CloseConnectionsOf = $"UPDATE websocket_connections SET closed_at = {Now}, close_reason = @reason WHERE node_id = @node AND closed_at IS NULL",

        LeaveNode = $"UPDATE nodes SET stopped_at = {Now} WHERE id = @node AND instance = @instance",

        ReadNodes = $"""
            SELECT id, advertised_url, version, started_at, heartbeat_at, figures, draining_since, stopped_at, lost_at,
                   stopped_at IS NULL AND lost_at IS NULL AND heartbeat_at >= {Now} - @lease
            FROM nodes ORDER BY id
            """,
    };
}
