namespace Oriva.Realtime.Core.Storage;

/// <summary>PostgreSQL's statements for nodes and connections.</summary>
internal static class PostgresClusterSql
{
    public static readonly ClusterStatements Statements = new()
    {
        EnterNode = """
            INSERT INTO realtime.nodes (id, instance, advertised_url, version, started_at, heartbeat_at, figures)
            VALUES (@node, @instance, @url, @version, @started, now(), '{}')
            ON CONFLICT (id) DO UPDATE
                SET instance = excluded.instance, advertised_url = excluded.advertised_url, version = excluded.version, started_at = excluded.started_at,
                    heartbeat_at = now(), figures = '{}', draining_since = NULL, stopped_at = NULL, lost_at = NULL
            """,

        Beat = """
            WITH before AS (SELECT id, lost_at FROM realtime.nodes WHERE id = @node AND instance = @instance FOR UPDATE)
            UPDATE realtime.nodes n SET heartbeat_at = now(), figures = @figures::json, advertised_url = @url, lost_at = NULL,
                   draining_since = CASE WHEN @draining THEN coalesce(draining_since, now()) END
            FROM before WHERE n.id = before.id RETURNING before.lost_at IS NOT NULL
            """,

        CloseLostNodes = """
            WITH lost AS (UPDATE realtime.nodes SET lost_at = now()
                          WHERE heartbeat_at < now() - @lease AND stopped_at IS NULL AND lost_at IS NULL RETURNING id, heartbeat_at)
            UPDATE realtime.websocket_connections c SET closed_at = lost.heartbeat_at, close_reason = @reason
            FROM lost WHERE c.node_id = lost.id AND c.closed_at IS NULL
            """,

        CloseConnectionsOf = "UPDATE realtime.websocket_connections SET closed_at = now(), close_reason = @reason WHERE node_id = @node AND closed_at IS NULL",

        LeaveNode = "UPDATE realtime.nodes SET stopped_at = now() WHERE id = @node AND instance = @instance",

        ReadNodes = """
            SELECT id, advertised_url, version, started_at, heartbeat_at, figures::text, draining_since, stopped_at, lost_at,
                   stopped_at IS NULL AND lost_at IS NULL AND heartbeat_at >= now() - @lease
            FROM realtime.nodes ORDER BY id
            """,
    };
}
