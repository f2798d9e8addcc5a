namespace Oriva.Realtime.Core.Storage;

/// <summary>PostgreSQL's statements for notifications. Sets of rows come as JSON, so that a statement is the same for one and for a thousand.</summary>
internal static class PostgresNotificationSql
{
    public static readonly NotificationStatements Statements = new()
    {
        // An app that is paused as a whole is not routed either.
        ClaimRouting = """
            WITH due AS (
                SELECT due.id FROM realtime.apps a CROSS JOIN LATERAL (
                    SELECT q.id FROM realtime.routing_queue q
                    WHERE q.app = a.id AND q.failed_at IS NULL AND q.due_at <= @now AND (q.leased_until IS NULL OR q.leased_until < now())
                    ORDER BY q.due_at LIMIT @per_app FOR UPDATE SKIP LOCKED) due
                WHERE a.id NOT IN (SELECT value FROM json_array_elements_text(@except::json))
                  AND NOT EXISTS (SELECT FROM realtime.pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL)
            ), claimed AS (
                UPDATE realtime.routing_queue q SET leased_until = now() + @lease, lock_id = @lock FROM due WHERE q.id = due.id RETURNING q.*
            )
            SELECT c.id, c.app, c.source, c.event_id, c.manifest_version, c.attempts, c.resume_rule, c.resume_user,
                   e.type, e.data::text, e.user_id, e.topic, e.actor, e.time, e.recorded_at, e.metadata::text, e.stream, e.position
            FROM claimed c LEFT JOIN LATERAL ( -- one by one, by the key: a table that has just grown is believed small, and read whole
                SELECT * FROM realtime.events e WHERE e.stream = c.stream AND e.position = c.position AND e.recorded_at = c.recorded_at LIMIT 1) e ON true
            ORDER BY c.due_at, c.id
            """,

        HoldRouting = """
            SELECT id FROM realtime.routing_queue
            WHERE (id, lock_id) IN (SELECT id, lock_id FROM json_to_recordset(@claims::json) AS c(id uuid, lock_id uuid))
            ORDER BY id FOR UPDATE
            """,

        FinishRouting = "DELETE FROM realtime.routing_queue WHERE id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json))",

        MoveRouting = """
            UPDATE realtime.routing_queue q SET resume_rule = w.resume_rule, resume_user = w.resume_user, leased_until = now() + @lease
            FROM json_to_recordset(@works::json) AS w(id uuid, resume_rule text, resume_user text) WHERE q.id = w.id
            """,

        FailRouting = """
            UPDATE realtime.routing_queue
            SET attempts = @attempts, last_error = @error, due_at = @due, failed_at = @failed::timestamptz, leased_until = NULL, lock_id = NULL
            WHERE id = @id AND lock_id = @lock
            """,

        AddRequest = """
            INSERT INTO realtime.notification_requests (app, id, content_hash, created_at, scheduled, send_at)
            VALUES (@app, @id, @hash, @now, @scheduled::json, @send_at::timestamptz) ON CONFLICT DO NOTHING
            """,

        FindRequest = "SELECT content_hash, scheduled IS NOT NULL FROM realtime.notification_requests WHERE app = @app AND id = @id",

        AddNotifications = """
            INSERT INTO realtime.notifications
                (id, app, user_id, type, rule, source, event_id, title, body, link, image, actions, data, in_inbox, template_error, manifest_version, expires_at,
                 created_at)
            SELECT id, app, user_id, type, rule, source, event_id, title, body, link, image, actions::json, data::json, in_inbox, template_error, manifest_version, expires_at,
                   @now
            FROM json_to_recordset(@rows::json) AS n(id uuid, app text, user_id text, type text, rule text, source text, event_id text, title text, body text,
                link text, image text, actions text, data text, in_inbox boolean, template_error text, manifest_version bigint, expires_at timestamptz)
            ON CONFLICT (app, source, event_id, rule, user_id) DO NOTHING
            RETURNING id
            """,

        AddDeliveries = """
            INSERT INTO realtime.notification_delivery
                (id, notification_id, app, user_id, rule, channel, target, status, reason, unless_acked, content, attempts, next_attempt_at, created_at, sent_at, delivered_at)
            SELECT id, notification_id, app, user_id, rule, channel, target, status, reason, unless_acked, content::json, 0, due_at, @now,
                   CASE WHEN is_delivered THEN @now END, CASE WHEN is_delivered THEN @now END
            FROM json_to_recordset(@rows::json) AS d(id uuid, notification_id uuid, app text, user_id text, rule text, channel text, target text, status text, reason text,
                unless_acked boolean, content text, due_at timestamptz, is_delivered boolean)
            """,

        GrowCounts = """
            INSERT INTO realtime.inbox_counts AS c (app, user_id, total, unread, unseen, rev)
            SELECT app, user_id, added, added, added, changes FROM json_to_recordset(@rows::json) AS g(app text, user_id text, added int, changes bigint)
            ORDER BY app, user_id
            ON CONFLICT (app, user_id) DO UPDATE
                SET total = c.total + excluded.total, unread = c.unread + excluded.unread, unseen = c.unseen + excluded.unseen, rev = c.rev + excluded.rev
            RETURNING app, user_id, total, unread, unseen, rev
            """,

        AddToOutbox = """
            INSERT INTO realtime.outbox (id, app, event_id, event, created_at)
            SELECT id, app, event_id, event::json, @now FROM json_to_recordset(@rows::json) AS o(id uuid, app text, event_id text, event text)
            """,

        LockCounts = """
            INSERT INTO realtime.inbox_counts AS c (app, user_id, total, unread, unseen, rev) VALUES (@app, @user, 0, 0, 0, 0)
            ON CONFLICT (app, user_id) DO UPDATE SET rev = c.rev
            RETURNING total, unread, unseen, rev
            """,

        FindStates = """
            SELECT id, seen_at IS NOT NULL, read_at IS NOT NULL, archived_at IS NOT NULL FROM realtime.notifications
            WHERE app = @app AND user_id = @user AND in_inbox AND id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json))
            """,

        FindUnread = """
            SELECT id, seen_at IS NOT NULL, false, false FROM realtime.notifications
            WHERE app = @app AND user_id = @user AND in_inbox AND read_at IS NULL AND archived_at IS NULL AND (@through::uuid IS NULL OR id <= @through::uuid)
            """,

        MarkNotifications = """
            UPDATE realtime.notifications n
            SET seen_at = CASE WHEN c.seen THEN coalesce(n.seen_at, @now) END,
                read_at = CASE WHEN c.read THEN coalesce(n.read_at, @now) END,
                archived_at = CASE WHEN c.archived THEN coalesce(n.archived_at, @now) END
            FROM json_to_recordset(@changes::json) AS c(id uuid, seen boolean, read boolean, archived boolean) WHERE n.id = c.id
            """,

        SetCounts = "UPDATE realtime.inbox_counts SET total = @total, unread = @unread, unseen = @unseen, rev = @rev WHERE app = @app AND user_id = @user",

        ClaimDeliveries = """
            WITH due AS (
                SELECT due.id
                FROM (SELECT id FROM realtime.apps WHERE id NOT IN (SELECT value FROM json_array_elements_text(@except::json)) ORDER BY random()) a CROSS JOIN LATERAL (
                    SELECT d.id FROM realtime.notification_delivery d
                    WHERE d.app = a.id AND d.next_attempt_at <= @now AND (d.leased_until IS NULL OR d.leased_until < now())
                      AND d.channel IN (SELECT value FROM json_array_elements_text(@channels::json))
                      AND NOT EXISTS (SELECT FROM realtime.pauses p WHERE (p.app IS NULL OR p.app = d.app)
                            AND (p.rule IS NULL OR p.rule = d.rule) AND (p.channel IS NULL OR p.channel = d.channel))
                    ORDER BY d.next_attempt_at LIMIT @per_app FOR UPDATE SKIP LOCKED) due
                LIMIT @limit
            ), claimed AS (
                UPDATE realtime.notification_delivery d SET leased_until = now() + @lease, lock_id = @lock FROM due WHERE d.id = due.id RETURNING d.*
            )
            SELECT c.id, c.notification_id, c.app, c.user_id, c.rule, c.channel, c.attempts,
                   n.type, n.title, n.body, n.link, n.image, n.actions::text, n.data::text, n.created_at, u.email, u.locale, u.time_zone, u.left_at IS NOT NULL,
                   c.target, c.content::text, n.expires_at, n.recalled_at IS NOT NULL, p.muted, p.channels::text, p.quiet_hours::text, c.reason LIKE '%_after_claim'
            FROM claimed c JOIN realtime.notifications n ON n.id = c.notification_id
            LEFT JOIN realtime.app_users u ON u.app = c.app AND u.user_id = c.user_id
            LEFT JOIN realtime.notification_preferences p ON p.app = c.app AND p.user_id = c.user_id
            ORDER BY c.next_attempt_at, c.id
            """,

        // What was acknowledged or recalled while it was under way is not tried again.
        FinishDelivery = """
            UPDATE realtime.notification_delivery
            SET status = CASE WHEN @status = 'failed' AND reason LIKE '%_after_claim' THEN 'cancelled' ELSE @status END, reason = CASE WHEN reason LIKE '%_after_claim' AND (@reason::text IS NULL OR @status = 'failed') THEN reason ELSE @reason::text END,
                attempts = @attempts, next_attempt_at = CASE WHEN @status = 'failed' AND reason LIKE '%_after_claim' THEN NULL ELSE @next::timestamptz END, last_error = @error::text, leased_until = NULL, lock_id = NULL,
                sent_at = CASE WHEN @sent THEN coalesce(sent_at, @now) ELSE sent_at END,
                delivered_at = CASE WHEN @delivered THEN @now ELSE delivered_at END,
                failed_at = CASE WHEN @dead THEN @now END
            WHERE id = @id AND lock_id = @lock
            """,

        AddAttempt = """
            INSERT INTO realtime.delivery_attempts (id, delivery_id, app, user_id, at, duration_ms, outcome, error)
            VALUES (@id, @delivery, @app, @user, @at, @duration, @outcome, @error::text)
            """,

        SuppressDelivery = """
            UPDATE realtime.notification_delivery
            SET status = 'suppressed', reason = @reason, next_attempt_at = NULL, leased_until = NULL, lock_id = NULL WHERE id = @id AND lock_id = @lock
            """,

        PostponeDelivery = """
            UPDATE realtime.notification_delivery
            SET status = CASE WHEN reason LIKE '%_after_claim' THEN 'cancelled' ELSE status END,
                next_attempt_at = CASE WHEN reason LIKE '%_after_claim' THEN NULL ELSE @next::timestamptz END,
                reason = CASE WHEN reason LIKE '%_after_claim' THEN reason ELSE @reason END, leased_until = NULL, lock_id = NULL
            WHERE id = @id AND lock_id = @lock
            """,

        // What is being sent is not taken back; that the acknowledgement came after the claim is put on record, and keeps it from being tried again.
        CancelAcknowledged = """
            UPDATE realtime.notification_delivery
            SET status = CASE WHEN leased_until >= now() THEN status ELSE 'cancelled' END,
                reason = CASE WHEN leased_until >= now() THEN 'acked_after_claim' ELSE 'acknowledged' END,
                next_attempt_at = CASE WHEN leased_until >= now() THEN next_attempt_at END
            WHERE app = @app AND user_id = @user AND unless_acked AND status IN ('pending', 'failed') AND reason IS DISTINCT FROM 'acked_after_claim'
              AND notification_id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json))
            """,

        CountThrottles = """
            INSERT INTO realtime.notification_throttles AS t (app, rule, user_id, key, count, ends_at)
            SELECT app, rule, user_id, key, count, ends_at
            FROM json_to_recordset(@rows::json) AS n(app text, rule text, user_id text, key text, count int, ends_at timestamptz) ORDER BY app, rule, user_id, key
            ON CONFLICT (app, rule, user_id, key) DO UPDATE
                SET count = CASE WHEN t.ends_at <= @now THEN excluded.count ELSE t.count + excluded.count END,
                    ends_at = CASE WHEN t.ends_at <= @now THEN excluded.ends_at ELSE t.ends_at END
            RETURNING app, rule, user_id, key, count
            """,

        // The update changes nothing and locks the digest: its claim waits until the items are there.
        OpenDigests = """
            INSERT INTO realtime.notification_digests AS d (id, app, rule, user_id, key, opened_at, due_at, count)
            SELECT id, app, rule, user_id, key, @now, due_at, 0
            FROM json_to_recordset(@rows::json) AS n(id uuid, app text, rule text, user_id text, key text, due_at timestamptz) ORDER BY app, rule, user_id, key
            ON CONFLICT (app, rule, user_id, key) DO UPDATE SET count = d.count
            RETURNING id, app, rule, user_id, key
            """,

        AddDigestItems = """
            INSERT INTO realtime.digest_items (app, rule, user_id, source, event_id, digest_id, data, sees_event, at, position)
            SELECT app, rule, user_id, source, event_id, digest_id, data::json, sees_event, at, position
            FROM json_to_recordset(@rows::json) AS n(app text, rule text, user_id text, source text, event_id text, digest_id uuid, data text, sees_event boolean,
                at timestamptz, position bigint)
            ON CONFLICT (app, source, event_id, rule, user_id) DO NOTHING
            RETURNING digest_id
            """,

        GrowDigests = """
            UPDATE realtime.notification_digests d SET count = d.count + g.added, due_at = CASE WHEN d.count + g.added >= g.max THEN least(d.due_at, @now) ELSE d.due_at END
            FROM json_to_recordset(@rows::json) AS g(id uuid, added int, max int) WHERE d.id = g.id
            """,

        // Another key makes room for the next digest.
        ClaimDigests = """
            WITH due AS (
                SELECT due.id FROM (SELECT id FROM realtime.apps ORDER BY random()) a CROSS JOIN LATERAL (
                    SELECT d.id FROM realtime.notification_digests d WHERE d.app = a.id AND d.due_at <= @now AND (d.leased_until IS NULL OR d.leased_until < now())
                    ORDER BY d.due_at LIMIT @per_app FOR UPDATE SKIP LOCKED) due
                WHERE NOT EXISTS (SELECT FROM realtime.pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL)
                LIMIT @limit
            )
            UPDATE realtime.notification_digests d SET leased_until = now() + @lease, lock_id = @lock, key = 'closed ' || d.id FROM due WHERE d.id = due.id
            RETURNING d.id, d.app, d.rule, d.user_id, d.opened_at
            """,

        FinishDigest = "DELETE FROM realtime.notification_digests WHERE id = @id AND lock_id = @lock",

        ClaimScheduled = """
            WITH due AS (
                SELECT due.app, due.id FROM (SELECT id FROM realtime.apps ORDER BY random()) a CROSS JOIN LATERAL (
                    SELECT r.app, r.id FROM realtime.notification_requests r
                    WHERE r.app = a.id AND r.scheduled IS NOT NULL AND r.send_at <= @now AND (r.leased_until IS NULL OR r.leased_until < now())
                    ORDER BY r.send_at LIMIT @per_app FOR UPDATE SKIP LOCKED) due
                WHERE NOT EXISTS (SELECT FROM realtime.pauses p WHERE (p.app IS NULL OR p.app = a.id) AND p.rule IS NULL AND p.channel IS NULL)
                LIMIT @limit
            )
            UPDATE realtime.notification_requests r SET leased_until = now() + @lease, lock_id = @lock FROM due WHERE r.app = due.app AND r.id = due.id
            RETURNING r.app, r.id, r.scheduled::text
            """,

        FinishScheduled = """
            UPDATE realtime.notification_requests SET scheduled = NULL, leased_until = NULL, lock_id = NULL
            WHERE app = @app AND id = @id AND lock_id = @lock AND scheduled IS NOT NULL
            """,

        RecallScheduled = "UPDATE realtime.notification_requests SET scheduled = NULL, recalled_at = @now WHERE app = @app AND id = @id AND scheduled IS NOT NULL",

        LockNotification = """
            SELECT id, seen_at IS NOT NULL, read_at IS NOT NULL, archived_at IS NOT NULL, in_inbox FROM realtime.notifications
            WHERE id = @id AND recalled_at IS NULL FOR UPDATE
            """,

        RecallNotification = "UPDATE realtime.notifications SET recalled_at = @now, in_inbox = false WHERE id = @id",

        // In the order in which evidence changes them: what is live first, then what it cancels.
        FindDeliveries = """
            SELECT id, channel, status, coalesce(leased_until >= now(), false) FROM realtime.notification_delivery
            WHERE notification_id = @id ORDER BY channel <> 'websocket', channel, target FOR UPDATE
            """,

        // A later attempt that replaces what was sent starts anew; what is under way is not tried again.
        RecallDeliveries = """
            UPDATE realtime.notification_delivery d
            SET status = r.status, reason = r.reason, next_attempt_at = CASE WHEN r.is_queued THEN @now WHEN r.is_leased THEN d.next_attempt_at END,
                attempts = CASE WHEN r.is_queued THEN 0 ELSE d.attempts END, failed_at = NULL
            FROM json_to_recordset(@rows::json) AS r(id uuid, status text, reason text, is_queued boolean, is_leased boolean) WHERE d.id = r.id
            """,

        FindOldNotifications = "SELECT id, app, user_id FROM realtime.notifications WHERE created_at < @cutoff ORDER BY created_at LIMIT @limit",

        DropAttempts = """
            DELETE FROM realtime.delivery_attempts WHERE delivery_id IN (
                SELECT id FROM realtime.notification_delivery WHERE notification_id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json)))
            """,

        DropDeliveries = "DELETE FROM realtime.notification_delivery WHERE notification_id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json))",

        DropNotifications = "DELETE FROM realtime.notifications WHERE id IN (SELECT value::uuid FROM json_array_elements_text(@ids::json))",

        // In batches, and around what others have locked.
        DropRequests = """
            DELETE FROM realtime.notification_requests WHERE ctid IN (
                SELECT ctid FROM realtime.notification_requests WHERE created_at < @cutoff AND scheduled IS NULL AND (send_at IS NULL OR send_at < @cutoff)
                LIMIT @limit FOR UPDATE SKIP LOCKED)
            """,

        DropDigestItems = """
            DELETE FROM realtime.digest_items WHERE ctid IN (
                SELECT i.ctid FROM realtime.digest_items i WHERE i.at < @cutoff AND NOT EXISTS (SELECT FROM realtime.notification_digests d WHERE d.id = i.digest_id)
                LIMIT @limit FOR UPDATE SKIP LOCKED)
            """,

        DropThrottles = """
            DELETE FROM realtime.notification_throttles WHERE ctid IN (
                SELECT ctid FROM realtime.notification_throttles WHERE ends_at < @now LIMIT @limit FOR UPDATE SKIP LOCKED)
            """,
    };
}
