namespace Oriva.Realtime.Core.Storage;

/// <summary>SQLite's statements. Times are microseconds since 1970, UTC.</summary>
internal static class SqliteSql
{
    /// <summary>WAL lets readers go on while the writer commits; FULL makes each commit wait for the disk.</summary>
    public const string Pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

    public const string Epoch = "SELECT epoch FROM store_info WHERE id = 1";

    public const string FindReceipt = """
        SELECT stream, position, content_hash, hops, recorded_at FROM publish_receipts WHERE app = $app AND event_id = $id
        """;

    public const string GrowStream = """
        INSERT INTO streams (stream, app, head, recorded_at) VALUES ($stream, $app, $growth, $now)
        ON CONFLICT (stream) DO UPDATE SET head = head + excluded.head, recorded_at = max(recorded_at, excluded.recorded_at)
        RETURNING head, recorded_at
        """;

    public const string InsertEvent = """
        INSERT INTO events (stream, position, id, source, app, type, user_id, topic, actor, time, recorded_at, data, metadata)
        VALUES ($stream, $position, $id, $source, $app, $type, $user_id, $topic, $actor, $time, $recorded_at, $data, $metadata)
        """;

    public const string InsertReceipt = """
        INSERT INTO publish_receipts (app, event_id, stream, position, content_hash, hops, recorded_at)
        VALUES ($app, $id, $stream, $position, $hash, $hops, $recorded_at)
        """;

    public const string QueueRouting = """
        INSERT INTO routing_queue (id, app, source, event_id, stream, position, recorded_at, manifest_version, due_at, attempts)
        VALUES ($id, $app, $source, $event, $stream, $position, $recorded_at, $version, $now, 0)
        """;

    public const string DeleteOutbox = "DELETE FROM outbox WHERE id = $id";

    public const string ReadAfter = """
        SELECT position, id, source, app, type, user_id, topic, actor, time, recorded_at, data, metadata
        FROM events
        WHERE stream = $stream AND position > $after
          AND app IN (SELECT value FROM json_each($claims, '$.apps'))
          AND (json_extract($claims, '$.whole') OR (
               (user_id IS NULL OR user_id = json_extract($claims, '$.sub'))
               AND (topic IS NULL OR EXISTS (
                    SELECT 1 FROM json_each($claims, '$.topics') AS pattern
                    WHERE CASE WHEN pattern.value LIKE '%*'
                               THEN substr(app || '/' || topic, 1, length(pattern.value) - 1) = substr(pattern.value, 1, length(pattern.value) - 1)
                               ELSE app || '/' || topic = pattern.value END))))
        ORDER BY position LIMIT $limit
        """;

    public const string ReadHead = "SELECT head, recorded_at FROM streams WHERE stream = $stream";

    public const string PositionBefore = "SELECT min(position) - 1 FROM events WHERE stream = $stream AND recorded_at >= $from";

    public const string ClaimOutbox = """
        UPDATE outbox SET leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + $lease
        WHERE id IN (
            SELECT id FROM outbox
            WHERE refusal IS NULL AND (leased_until IS NULL OR leased_until < unixepoch('subsec') * 1000000)
            ORDER BY id LIMIT $limit)
        RETURNING id, app, event
        """;

    public const string RefuseOutbox = "UPDATE outbox SET refusal = $reason WHERE id = $id";

    public const string SaveEvidence = """
        INSERT INTO connection_evidence
            (connection_id, user_id, app, stream, from_position, pushed_position, acked_position, opened_at, interests, updated_at)
        VALUES ($connection, $user, $app, $stream, $from, $pushed, $acked, $opened, $interests, $now)
        ON CONFLICT (connection_id, stream, from_position) DO UPDATE
            SET pushed_position = max(pushed_position, excluded.pushed_position),
                acked_position = max(acked_position, excluded.acked_position), updated_at = excluded.updated_at
        """;

    /// <summary>As PostgreSQL's, for one interval.</summary>
    public const string CancelAcknowledged = """
        UPDATE notification_delivery AS d
        SET status = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN status ELSE 'cancelled' END,
            reason = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN 'acked_after_claim' ELSE 'acknowledged' END,
            next_attempt_at = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN next_attempt_at END
        WHERE app = $app AND user_id = $user AND unless_acked AND status IN ('pending', 'failed') AND reason IS NOT 'acked_after_claim'
          AND EXISTS (SELECT 1 FROM notification_delivery w WHERE w.notification_id = d.notification_id AND w.channel = 'websocket' AND w.status = 'delivered')
        """;

    /// <summary>As PostgreSQL's, for one interval.</summary>
    public const string MoveNotifications = """
        UPDATE notification_delivery
        SET status = CASE WHEN r.position <= $acked AND ($from < r.position OR ($resumed AND status = 'sent')) THEN 'delivered' ELSE 'sent' END,
            sent_at = coalesce(sent_at, $now),
            delivered_at = CASE WHEN r.position <= $acked AND ($from < r.position OR ($resumed AND status = 'sent')) THEN $now END
        FROM publish_receipts AS r
        WHERE notification_delivery.app = $app AND user_id = $user AND channel = 'websocket' AND status IN ('pending', 'sent')
          AND r.app = $app AND r.event_id = lower(notification_id)
          AND (($from < r.position AND r.position <= $pushed AND (status = 'pending' OR r.position <= $acked))
               OR ($resumed AND status = 'sent' AND r.position <= $acked))
        """;

    public const string HasLeft = "SELECT left_at IS NOT NULL FROM app_users WHERE app = $app AND user_id = $user";

    public const string AddMember = """
        INSERT INTO app_users (app, user_id, email, locale, joined_at) VALUES ($app, $user, $email, $locale, $now) ON CONFLICT DO NOTHING
        """;

    public const string DropEvidenceBefore = """
        DELETE FROM connection_evidence WHERE rowid IN (SELECT rowid FROM connection_evidence WHERE updated_at < $cutoff LIMIT 2000)
        """;

    /// <summary>By position too, because a commit's events have one time: a stream loses its oldest first and never gets a hole.</summary>
    public const string DropEventsBefore = """
        DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE recorded_at < $cutoff ORDER BY recorded_at, position LIMIT 2000)
        """;

    public const string DropReceiptsBefore = """
        DELETE FROM publish_receipts WHERE rowid IN (SELECT rowid FROM publish_receipts WHERE recorded_at < $cutoff ORDER BY recorded_at LIMIT 2000)
        """;
}
