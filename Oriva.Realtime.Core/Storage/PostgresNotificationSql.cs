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
            INSERT INTO realtime.notification_requests (app, id, content_hash, created_at) VALUES (@app, @id, @hash, @now) ON CONFLICT DO NOTHING
            """,

        FindRequest = "SELECT content_hash FROM realtime.notification_requests WHERE app = @app AND id = @id",

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
                SELECT due.id FROM (SELECT id FROM realtime.apps ORDER BY random()) a CROSS JOIN LATERAL (
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
                   c.target, c.content::text, n.expires_at, n.recalled_at IS NOT NULL, p.muted, p.channels::text, p.quiet_hours::text
            FROM claimed c JOIN realtime.notifications n ON n.id = c.notification_id
            LEFT JOIN realtime.app_users u ON u.app = c.app AND u.user_id = c.user_id
            LEFT JOIN realtime.notification_preferences p ON p.app = c.app AND p.user_id = c.user_id
            ORDER BY c.next_attempt_at, c.id
            """,

        // What was acknowledged or recalled while it was under way is not tried again.
        FinishDelivery = """
            UPDATE realtime.notification_delivery
            SET status = CASE WHEN @status = 'failed' AND reason LIKE '%_after_claim' THEN 'cancelled' ELSE @status END, reason = coalesce(@reason::text, reason),
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
            UPDATE realtime.notification_delivery SET next_attempt_at = @next, leased_until = NULL, lock_id = NULL WHERE id = @id AND lock_id = @lock
            """,
    };
}
