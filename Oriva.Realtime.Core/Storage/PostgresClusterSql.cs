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

        // Also what a node wrote after it was given up, or after it left. Its row is locked meanwhile, so that it cannot come back and have its connections closed.
        CloseLostNodes = """
            WITH lost AS (UPDATE realtime.nodes SET lost_at = now()
                          WHERE heartbeat_at < now() - @lease AND stopped_at IS NULL AND lost_at IS NULL RETURNING id, heartbeat_at),
                 gone AS (SELECT n.id, n.heartbeat_at FROM realtime.nodes n
                          WHERE (n.lost_at IS NOT NULL OR n.stopped_at IS NOT NULL)
                            AND EXISTS (SELECT FROM realtime.websocket_connections c WHERE c.node_id = n.id AND c.closed_at IS NULL) FOR SHARE OF n)
            UPDATE realtime.websocket_connections c SET closed_at = greatest(dead.heartbeat_at, c.connected_at), close_reason = @reason
            FROM (SELECT * FROM lost UNION SELECT * FROM gone) AS dead WHERE c.node_id = dead.id AND c.closed_at IS NULL
            """,

        CloseConnectionsOf = "UPDATE realtime.websocket_connections SET closed_at = now(), close_reason = @reason WHERE node_id = @node AND closed_at IS NULL",

        LeaveNode = """
            UPDATE realtime.nodes SET stopped_at = now(), draining_since = CASE WHEN @draining THEN coalesce(draining_since, now()) END WHERE id = @node AND instance = @instance
            """,

        ReadNodes = """
            SELECT id, advertised_url, version, started_at, heartbeat_at, figures::text, draining_since, stopped_at, lost_at,
                   stopped_at IS NULL AND lost_at IS NULL AND heartbeat_at >= now() - @lease
            FROM realtime.nodes ORDER BY id
            """,

        SaveConnections = """
            INSERT INTO realtime.websocket_connections (id, node_id, user_id, apps, transport, protocol, remote_address, user_agent, connected_at, last_seen_at,
                round_trip_ms, behind, events_sent, stalls, subscriptions, scopes, closed_at, close_reason)
            SELECT id, @node, user_id, apps, transport, protocol, remote_address, user_agent, connected_at, last_seen_at,
                   round_trip_ms, behind, events_sent, stalls, subscriptions, scopes, closed_at, close_reason
            FROM json_to_recordset(@rows::json) AS r(
                id text, user_id text, apps text[], transport text, protocol text, remote_address text, user_agent text, connected_at timestamptz, last_seen_at timestamptz,
                round_trip_ms double precision, behind bigint, events_sent bigint, stalls bigint, subscriptions json, scopes text[], closed_at timestamptz, close_reason text)
            ORDER BY id
            ON CONFLICT (id) DO UPDATE
                SET apps = excluded.apps, last_seen_at = excluded.last_seen_at, round_trip_ms = excluded.round_trip_ms, behind = excluded.behind,
                    events_sent = excluded.events_sent, stalls = excluded.stalls, subscriptions = excluded.subscriptions, scopes = excluded.scopes,
                    closed_at = excluded.closed_at, close_reason = excluded.close_reason
            """,

        CloseUnknown = """
            UPDATE realtime.websocket_connections SET closed_at = now(), close_reason = @reason
            WHERE node_id = @node AND closed_at IS NULL AND id NOT IN (SELECT json_array_elements_text(@ids::json))
            """,

        AddCommands = """
            INSERT INTO realtime.node_commands (id, node_id, kind, target, reason, created_at)
            SELECT id, node, kind, target, reason, now() FROM json_to_recordset(@rows::json) AS r(id uuid, node text, kind text, target text, reason text)
            """,

        DropCommandsOf = "UPDATE realtime.node_commands SET done_at = now() WHERE node_id = @node AND done_at IS NULL",

        ReadCommands = """
            SELECT id, kind, target, reason FROM realtime.node_commands
            WHERE node_id = @node AND done_at IS NULL AND created_at > now() - @age ORDER BY id
            """,

        FinishCommand = "UPDATE realtime.node_commands SET done_at = now(), affected = @affected::integer WHERE id = @id AND done_at IS NULL",

        ReadAnswers = """
            SELECT affected FROM realtime.node_commands
            WHERE id IN (SELECT json_array_elements_text(@ids::json)::uuid) AND done_at IS NOT NULL
            """,

        Block = """
            INSERT INTO realtime.user_blocks (user_id, until, reason, created_by, created_at) VALUES (@user, now() + @span, @reason, @by, now())
            ON CONFLICT (user_id) DO UPDATE SET until = excluded.until, reason = excluded.reason, created_by = excluded.created_by, created_at = excluded.created_at
            RETURNING until
            """,

        Unblock = "DELETE FROM realtime.user_blocks WHERE user_id = @user AND until > now()",

        ReadBlocks = """
            SELECT user_id, until, reason, created_by, created_at, (extract(epoch FROM until - now()) * 1000)::bigint
            FROM realtime.user_blocks WHERE until > now() ORDER BY user_id
            """,

        DropOld =
        [
            "DELETE FROM realtime.websocket_connections WHERE id IN (SELECT id FROM realtime.websocket_connections WHERE closed_at < @week LIMIT @limit)",
            "DELETE FROM realtime.nodes WHERE id IN (SELECT id FROM realtime.nodes WHERE coalesce(stopped_at, lost_at) < @week LIMIT @limit)",
            "DELETE FROM realtime.node_commands WHERE id IN (SELECT id FROM realtime.node_commands WHERE created_at < @day LIMIT @limit)",
            "DELETE FROM realtime.user_blocks WHERE user_id IN (SELECT user_id FROM realtime.user_blocks WHERE until < @day LIMIT @limit)",
        ],
    };
}
