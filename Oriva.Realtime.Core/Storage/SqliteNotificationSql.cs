namespace Oriva.Realtime.Core.Storage;

/// <summary>SQLite's statements for notifications. Times are microseconds since 1970, UTC; ids are texts in capitals, as EF Core writes them.</summary>
internal static class SqliteNotificationSql
{
    public static readonly NotificationStatements Statements = new()
    {
        // No event is read here: RETURNING knows one table. The subqueries stand in for a join.
        ClaimRouting = """
            UPDATE routing_queue SET leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + @lease, lock_id = @lock
            WHERE id IN (
                SELECT due.id FROM apps a JOIN routing_queue due ON due.rowid IN (
                    SELECT o.rowid FROM routing_queue o
                    WHERE o.app = a.id AND o.failed_at IS NULL AND o.due_at <= @now AND (o.leased_until IS NULL OR o.leased_until < unixepoch('subsec') * 1000000)
                    ORDER BY o.due_at LIMIT @per_app)
                WHERE a.id NOT IN (SELECT value FROM json_each(@except))
                  AND NOT EXISTS (SELECT 1 FROM pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL))
            RETURNING id, app, source, event_id, manifest_version, attempts, resume_rule, resume_user,
                (SELECT type FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                (SELECT data FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                (SELECT user_id FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                (SELECT topic FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                (SELECT actor FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                (SELECT time FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                recorded_at,
                (SELECT metadata FROM events e WHERE e.stream = routing_queue.stream AND e.position = routing_queue.position),
                stream, position
            """,

        HoldRouting = "SELECT id FROM routing_queue WHERE (id, lock_id) IN (SELECT value ->> 'id', value ->> 'lock_id' FROM json_each(@claims))",

        FinishRouting = "DELETE FROM routing_queue WHERE id IN (SELECT value FROM json_each(@ids))",

        MoveRouting = """
            UPDATE routing_queue AS q
            SET resume_rule = w.value ->> 'resume_rule', resume_user = w.value ->> 'resume_user', leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + @lease
            FROM json_each(@works) AS w WHERE q.id = w.value ->> 'id'
            """,

        FailRouting = """
            UPDATE routing_queue SET attempts = @attempts, last_error = @error, due_at = @due, failed_at = @failed, leased_until = NULL, lock_id = NULL
            WHERE id = @id AND lock_id = @lock
            """,

        AddRequest = """
            INSERT INTO notification_requests (app, id, content_hash, created_at, scheduled, send_at) VALUES (@app, @id, @hash, @now, @scheduled, @send_at) ON CONFLICT DO NOTHING
            """,

        FindRequest = "SELECT content_hash, scheduled IS NOT NULL FROM notification_requests WHERE app = @app AND id = @id",

        AddNotifications = """
            INSERT INTO notifications (id, app, user_id, type, rule, source, event_id, title, body, link, image, actions, data, in_inbox, template_error, manifest_version, expires_at, created_at)
            SELECT n.value ->> 'id', n.value ->> 'app', n.value ->> 'user_id', n.value ->> 'type', n.value ->> 'rule', n.value ->> 'source', n.value ->> 'event_id',
                   n.value ->> 'title', n.value ->> 'body', n.value ->> 'link', n.value ->> 'image', n.value ->> 'actions', n.value ->> 'data',
                   n.value ->> 'in_inbox', n.value ->> 'template_error', n.value ->> 'manifest_version', n.value ->> 'expires_at', @now
            FROM json_each(@rows) AS n WHERE true
            ON CONFLICT (app, source, event_id, rule, user_id) DO NOTHING
            RETURNING id
            """,

        AddDeliveries = """
            INSERT INTO notification_delivery
                (id, notification_id, app, user_id, rule, channel, target, status, reason, unless_acked, content, attempts, next_attempt_at, created_at, sent_at, delivered_at)
            SELECT d.value ->> 'id', d.value ->> 'notification_id', d.value ->> 'app', d.value ->> 'user_id', d.value ->> 'rule', d.value ->> 'channel',
                   d.value ->> 'target', d.value ->> 'status', d.value ->> 'reason', d.value ->> 'unless_acked', d.value ->> 'content', 0, d.value ->> 'due_at', @now,
                   CASE WHEN d.value ->> 'is_delivered' THEN @now END, CASE WHEN d.value ->> 'is_delivered' THEN @now END
            FROM json_each(@rows) AS d
            """,

        GrowCounts = """
            INSERT INTO inbox_counts AS c (app, user_id, total, unread, unseen, rev)
            SELECT g.value ->> 'app', g.value ->> 'user_id', g.value ->> 'added', g.value ->> 'added', g.value ->> 'added', g.value ->> 'changes'
            FROM json_each(@rows) AS g WHERE true
            ON CONFLICT (app, user_id) DO UPDATE
                SET total = c.total + excluded.total, unread = c.unread + excluded.unread, unseen = c.unseen + excluded.unseen, rev = c.rev + excluded.rev
            RETURNING app, user_id, total, unread, unseen, rev
            """,

        AddToOutbox = """
            INSERT INTO outbox (id, app, event_id, event, created_at)
            SELECT o.value ->> 'id', o.value ->> 'app', o.value ->> 'event_id', o.value ->> 'event', @now FROM json_each(@rows) AS o
            """,

        LockCounts = """
            INSERT INTO inbox_counts AS c (app, user_id, total, unread, unseen, rev) VALUES (@app, @user, 0, 0, 0, 0)
            ON CONFLICT (app, user_id) DO UPDATE SET rev = c.rev
            RETURNING total, unread, unseen, rev
            """,

        FindStates = """
            SELECT id, seen_at IS NOT NULL, read_at IS NOT NULL, archived_at IS NOT NULL FROM notifications
            WHERE app = @app AND user_id = @user AND in_inbox AND id IN (SELECT value FROM json_each(@ids))
            """,

        FindUnread = """
            SELECT id, seen_at IS NOT NULL, 0, 0 FROM notifications
            WHERE app = @app AND user_id = @user AND in_inbox AND read_at IS NULL AND archived_at IS NULL AND (@through IS NULL OR id <= @through)
            """,

        MarkNotifications = """
            UPDATE notifications AS n
            SET seen_at = CASE WHEN c.value ->> 'seen' THEN coalesce(n.seen_at, @now) END,
                read_at = CASE WHEN c.value ->> 'read' THEN coalesce(n.read_at, @now) END,
                archived_at = CASE WHEN c.value ->> 'archived' THEN coalesce(n.archived_at, @now) END
            FROM json_each(@changes) AS c WHERE n.id = c.value ->> 'id'
            """,

        SetCounts = "UPDATE inbox_counts SET total = @total, unread = @unread, unseen = @unseen, rev = @rev WHERE app = @app AND user_id = @user",

        ClaimDeliveries = """
            UPDATE notification_delivery SET leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + @lease, lock_id = @lock
            WHERE id IN (
                SELECT due.id FROM (SELECT id FROM apps WHERE id NOT IN (SELECT value FROM json_each(@except)) ORDER BY random() LIMIT -1) a
                CROSS JOIN notification_delivery due ON due.rowid IN (
                    SELECT o.rowid FROM notification_delivery o
                    WHERE o.app = a.id AND o.next_attempt_at <= @now AND (o.leased_until IS NULL OR o.leased_until < unixepoch('subsec') * 1000000)
                      AND o.channel IN (SELECT value FROM json_each(@channels))
                      AND NOT EXISTS (SELECT 1 FROM pauses p WHERE (p.app IS NULL OR p.app = o.app) AND (p.rule IS NULL OR p.rule = o.rule)
                            AND (p.channel IS NULL OR p.channel = o.channel))
                    ORDER BY o.next_attempt_at LIMIT @per_app)
                LIMIT @limit)
            RETURNING id, notification_id, app, user_id, rule, channel, attempts,
                (SELECT type FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT title FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT body FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT link FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT image FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT actions FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT data FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT created_at FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT email FROM app_users u WHERE u.app = notification_delivery.app AND u.user_id = notification_delivery.user_id),
                (SELECT locale FROM app_users u WHERE u.app = notification_delivery.app AND u.user_id = notification_delivery.user_id),
                (SELECT time_zone FROM app_users u WHERE u.app = notification_delivery.app AND u.user_id = notification_delivery.user_id),
                EXISTS (SELECT 1 FROM app_users u WHERE u.app = notification_delivery.app AND u.user_id = notification_delivery.user_id AND u.left_at IS NOT NULL),
                target, content,
                (SELECT expires_at FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT recalled_at IS NOT NULL FROM notifications n WHERE n.id = notification_delivery.notification_id),
                (SELECT muted FROM notification_preferences p WHERE p.app = notification_delivery.app AND p.user_id = notification_delivery.user_id),
                (SELECT channels FROM notification_preferences p WHERE p.app = notification_delivery.app AND p.user_id = notification_delivery.user_id),
                (SELECT quiet_hours FROM notification_preferences p WHERE p.app = notification_delivery.app AND p.user_id = notification_delivery.user_id),
                reason LIKE '%_after_claim'
            """,

        // What was acknowledged or recalled while it was under way is not tried again.
        FinishDelivery = """
            UPDATE notification_delivery
            SET status = CASE WHEN @status = 'failed' AND reason LIKE '%_after_claim' THEN 'cancelled' ELSE @status END, reason = CASE WHEN reason LIKE '%_after_claim' AND (@reason IS NULL OR @status = 'failed') THEN reason ELSE @reason END,
                attempts = @attempts, next_attempt_at = CASE WHEN @status = 'failed' AND reason LIKE '%_after_claim' THEN NULL ELSE @next END, last_error = @error, leased_until = NULL, lock_id = NULL,
                sent_at = CASE WHEN @sent THEN coalesce(sent_at, @now) ELSE sent_at END,
                delivered_at = CASE WHEN @delivered THEN @now ELSE delivered_at END,
                failed_at = CASE WHEN @dead THEN @now END
            WHERE id = @id AND lock_id = @lock
            """,

        AddAttempt = """
            INSERT INTO delivery_attempts (id, delivery_id, app, user_id, at, duration_ms, outcome, error)
            VALUES (@id, @delivery, @app, @user, @at, @duration, @outcome, @error)
            """,

        SuppressDelivery = """
            UPDATE notification_delivery
            SET status = 'suppressed', reason = @reason, next_attempt_at = NULL, leased_until = NULL, lock_id = NULL WHERE id = @id AND lock_id = @lock
            """,

        PostponeDelivery = """
            UPDATE notification_delivery
            SET status = CASE WHEN reason LIKE '%_after_claim' THEN 'cancelled' ELSE status END,
                next_attempt_at = CASE WHEN reason LIKE '%_after_claim' THEN NULL ELSE @next END,
                reason = CASE WHEN reason LIKE '%_after_claim' THEN reason ELSE @reason END, leased_until = NULL, lock_id = NULL
            WHERE id = @id AND lock_id = @lock
            """,

        // What is being sent is not taken back; that the acknowledgement came after the claim is put on record, and keeps it from being tried again.
        CancelAcknowledged = """
            UPDATE notification_delivery
            SET status = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN status ELSE 'cancelled' END,
                reason = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN 'acked_after_claim' ELSE 'acknowledged' END,
                next_attempt_at = CASE WHEN leased_until >= unixepoch('subsec') * 1000000 THEN next_attempt_at END
            WHERE app = @app AND user_id = @user AND unless_acked AND status IN ('pending', 'failed') AND reason IS NOT 'acked_after_claim'
              AND notification_id IN (SELECT value FROM json_each(@ids))
            """,

        CountThrottles = """
            INSERT INTO notification_throttles AS t (app, rule, user_id, key, count, ends_at)
            SELECT n.value ->> 'app', n.value ->> 'rule', n.value ->> 'user_id', n.value ->> 'key', n.value ->> 'count', n.value ->> 'ends_at'
            FROM json_each(@rows) AS n WHERE true
            ON CONFLICT (app, rule, user_id, key) DO UPDATE
                SET count = CASE WHEN t.ends_at <= @now THEN excluded.count ELSE t.count + excluded.count END,
                    ends_at = CASE WHEN t.ends_at <= @now THEN excluded.ends_at ELSE t.ends_at END
            RETURNING app, rule, user_id, key, count
            """,

        OpenDigests = """
            INSERT INTO notification_digests AS d (id, app, rule, user_id, key, opened_at, due_at, count)
            SELECT n.value ->> 'id', n.value ->> 'app', n.value ->> 'rule', n.value ->> 'user_id', n.value ->> 'key', @now, n.value ->> 'due_at', 0
            FROM json_each(@rows) AS n WHERE true
            ON CONFLICT (app, rule, user_id, key) DO UPDATE SET count = d.count
            RETURNING id, app, rule, user_id, key
            """,

        AddDigestItems = """
            INSERT INTO digest_items (app, rule, user_id, source, event_id, digest_id, data, sees_event, at, position)
            SELECT n.value ->> 'app', n.value ->> 'rule', n.value ->> 'user_id', n.value ->> 'source', n.value ->> 'event_id', n.value ->> 'digest_id',
                   n.value ->> 'data', n.value ->> 'sees_event', n.value ->> 'at', n.value ->> 'position'
            FROM json_each(@rows) AS n WHERE true
            ON CONFLICT (app, source, event_id, rule, user_id) DO NOTHING
            RETURNING digest_id
            """,

        GrowDigests = """
            UPDATE notification_digests AS d
            SET count = d.count + (g.value ->> 'added'),
                due_at = CASE WHEN d.count + (g.value ->> 'added') >= (g.value ->> 'max') THEN min(d.due_at, @now) ELSE d.due_at END
            FROM json_each(@rows) AS g WHERE d.id = g.value ->> 'id'
            """,

        // Another key makes room for the next digest.
        ClaimDigests = """
            UPDATE notification_digests SET leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + @lease, lock_id = @lock, key = 'closed ' || id
            WHERE id IN (
                SELECT due.id FROM (SELECT id FROM apps ORDER BY random() LIMIT -1) a CROSS JOIN notification_digests due ON due.rowid IN (
                    SELECT d.rowid FROM notification_digests d
                    WHERE d.app = a.id AND d.due_at <= @now AND (d.leased_until IS NULL OR d.leased_until < unixepoch('subsec') * 1000000)
                    ORDER BY d.due_at LIMIT @per_app)
                WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL)
                LIMIT @limit)
            RETURNING id, app, rule, user_id, opened_at
            """,

        FinishDigest = "DELETE FROM notification_digests WHERE id = @id AND lock_id = @lock",

        ClaimScheduled = """
            UPDATE notification_requests SET leased_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + @lease, lock_id = @lock
            WHERE rowid IN (
                SELECT due.rowid FROM (SELECT id FROM apps ORDER BY random() LIMIT -1) a CROSS JOIN notification_requests due ON due.rowid IN (
                    SELECT r.rowid FROM notification_requests r
                    WHERE r.app = a.id AND r.scheduled IS NOT NULL AND r.send_at <= @now AND (r.leased_until IS NULL OR r.leased_until < unixepoch('subsec') * 1000000)
                    ORDER BY r.send_at LIMIT @per_app)
                WHERE NOT EXISTS (SELECT 1 FROM pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL)
                LIMIT @limit)
            RETURNING app, id, scheduled
            """,

        FinishScheduled = """
            UPDATE notification_requests SET scheduled = NULL, leased_until = NULL, lock_id = NULL
            WHERE app = @app AND id = @id AND lock_id = @lock AND scheduled IS NOT NULL
            """,

        RecallScheduled = "UPDATE notification_requests SET scheduled = NULL, recalled_at = @now WHERE app = @app AND id = @id AND scheduled IS NOT NULL",

        LockNotification = """
            SELECT id, seen_at IS NOT NULL, read_at IS NOT NULL, archived_at IS NOT NULL, in_inbox FROM notifications WHERE id = @id AND recalled_at IS NULL
            """,

        RecallNotification = "UPDATE notifications SET recalled_at = @now, in_inbox = 0 WHERE id = @id",

        FindDeliveries = """
            SELECT id, channel, status, coalesce(leased_until >= unixepoch('subsec') * 1000000, 0) FROM notification_delivery
            WHERE notification_id = @id ORDER BY channel <> 'websocket', channel, target
            """,

        RecallDeliveries = """
            UPDATE notification_delivery AS d
            SET status = r.value ->> 'status', reason = r.value ->> 'reason',
                next_attempt_at = CASE WHEN r.value ->> 'is_queued' THEN @now WHEN r.value ->> 'is_leased' THEN d.next_attempt_at END,
                attempts = CASE WHEN r.value ->> 'is_queued' THEN 0 ELSE d.attempts END, failed_at = NULL
            FROM json_each(@rows) AS r WHERE d.id = r.value ->> 'id'
            """,

        FindOldNotifications = "SELECT id, app, user_id FROM notifications WHERE created_at < @cutoff ORDER BY created_at LIMIT @limit",

        DropAttempts = """
            DELETE FROM delivery_attempts WHERE delivery_id IN (
                SELECT id FROM notification_delivery WHERE notification_id IN (SELECT value FROM json_each(@ids)))
            """,

        DropDeliveries = "DELETE FROM notification_delivery WHERE notification_id IN (SELECT value FROM json_each(@ids))",

        DropNotifications = "DELETE FROM notifications WHERE id IN (SELECT value FROM json_each(@ids))",

        DropRequests = """
            DELETE FROM notification_requests WHERE rowid IN (
                SELECT rowid FROM notification_requests WHERE created_at < @cutoff AND scheduled IS NULL AND (send_at IS NULL OR send_at < @cutoff) LIMIT @limit)
            """,

        DropDigestItems = """
            DELETE FROM digest_items WHERE rowid IN (
                SELECT i.rowid FROM digest_items i WHERE i.at < @cutoff AND NOT EXISTS (SELECT 1 FROM notification_digests d WHERE d.id = i.digest_id) LIMIT @limit)
            """,

        DropThrottles = "DELETE FROM notification_throttles WHERE rowid IN (SELECT rowid FROM notification_throttles WHERE ends_at < @now LIMIT @limit)",
    };
}
