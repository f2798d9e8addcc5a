namespace Oriva.Realtime.Core.Storage;

/// <summary>PostgreSQL's statements. Each can be pasted into psql after its parameters are filled in.</summary>
internal static class PostgresSql
{
    public const string OwnerRole = "oriva_owner";
    public const string ServiceRole = "oriva_service";
    public const string UserRole = "oriva_user";

    /// <summary>Until the end of the transaction: the user role with normalised claims, as PostgREST and Supabase do it.</summary>
    public const string BecomeReader = """
        SELECT set_config('role', 'oriva_user', true), set_config('request.jwt.claims', {0}, true)
        """;

    public const string BecomeReaderPositional = """
        SELECT set_config('role', 'oriva_user', true), set_config('request.jwt.claims', $1, true)
        """;

    public const string Epoch = "SELECT epoch FROM realtime.store_info WHERE id = 1";

    public const string FindReceipts = """
        SELECT r.app, r.event_id, r.stream, r.position, r.content_hash, r.hops, r.recorded_at
        FROM unnest($1::text[], $2::text[]) AS wanted(app, event_id)
        JOIN realtime.publish_receipts r ON r.app = wanted.app AND r.event_id = wanted.event_id
        """;

    /// <summary>
    /// One statement, so one transaction and one round trip. Heads first, in the order given (ordinal), then receipts in key order:
    /// every writer takes locks in that one order, so that none can deadlock. A receipt that exists already fails the statement.
    /// </summary>
    public const string Append = AppendRows + AppendEnd;

    /// <summary>The same for a group with rows that concern notifications: those are queued for routing in the one commit. $20, $21: null for the others.</summary>
    public const string AppendAndRoute = AppendRows + """
        , routed AS (
            INSERT INTO realtime.routing_queue (id, app, source, event_id, stream, position, recorded_at, manifest_version, due_at, attempts)
            SELECT routing.id, app, source, placed.id, placed.stream, placed.position, placed.recorded_at, manifest_version, $4, 0
            FROM unnest($20::uuid[], $21::bigint[], $5::text[], $6::int[]) AS routing(id, manifest_version, stream, row_offset)
            JOIN placed USING (stream, row_offset) WHERE routing.id IS NOT NULL
        )
        """ + AppendEnd;

    private const string AppendRows = """
        WITH heads AS (
            INSERT INTO realtime.streams AS s (stream, app, head, recorded_at)
            SELECT stream, app, growth, $4 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS h(stream, app, growth)
            ON CONFLICT (stream) DO UPDATE
                SET head = s.head + excluded.head, recorded_at = greatest(s.recorded_at, excluded.recorded_at)
            RETURNING stream, head, recorded_at
        ), placed AS (
            SELECT row.*, heads.head + row.row_offset AS position, heads.recorded_at
            FROM unnest($5::text[], $6::int[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
                        $14::timestamptz[], $15::text[], $16::text[], $17::bytea[], $18::int[])
                AS row(stream, row_offset, id, source, app, type, user_id, topic, actor, time, data, metadata, content_hash, hops)
            JOIN heads USING (stream)
        ), stored AS (
            INSERT INTO realtime.events (stream, position, id, source, app, type, user_id, topic, actor, time, recorded_at, data, metadata)
            SELECT stream, position, id, source, app, type, user_id, topic, actor, time, recorded_at, data::json, metadata::json FROM placed
        ), receipts AS (
            INSERT INTO realtime.publish_receipts (app, event_id, stream, position, content_hash, hops, recorded_at)
            SELECT source, id, stream, position, content_hash, hops, recorded_at FROM placed WHERE content_hash IS NOT NULL ORDER BY source, id
        ), taken AS (
            DELETE FROM realtime.outbox WHERE id = ANY ($19::uuid[])
        )
        """;

    private const string AppendEnd = """

        SELECT stream, head, recorded_at FROM heads
        """;

    public const string ReadAfter = """
        SELECT position, id, source, app, type, user_id, topic, actor, time, recorded_at, data::text, metadata::text
        FROM realtime.events
        WHERE stream = $1 AND position > $2 AND recorded_at >= $3
        ORDER BY position LIMIT $4
        """;

    public const string ReadHeads = "SELECT stream, head, recorded_at FROM realtime.streams WHERE stream = ANY ($1)";

    public const string PositionBefore = """
        SELECT min(position) - 1 FROM realtime.events WHERE stream = $1 AND recorded_at >= $2
        """;

    public const string ClaimOutbox = """
        UPDATE realtime.outbox SET leased_until = now() + $2
        WHERE id IN (
            SELECT id FROM realtime.outbox
            WHERE refusal IS NULL AND (leased_until IS NULL OR leased_until < now())
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING id, app, event::text
        """;

    public const string RefuseOutbox = "UPDATE realtime.outbox SET refusal = $2 WHERE id = $1";

    public const string PrepareDays = "SELECT realtime.prepare_days($1, $2)";

    public const string DropDaysBefore = "SELECT realtime.drop_days_before($1)";

    /// <summary>None while a day from before is left: dropping it may have been put off, or be another node's work of this moment.</summary>
    public const string DropReceiptsBefore = """
        DELETE FROM realtime.publish_receipts
        WHERE (app, event_id) IN (SELECT app, event_id FROM realtime.publish_receipts WHERE recorded_at < $1 LIMIT 5000)
          AND NOT EXISTS (
            SELECT FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
            WHERE inhparent = 'realtime.events'::regclass AND child.relname COLLATE "C" < 'events_' || to_char($1 AT TIME ZONE 'UTC', 'YYYYMMDD'))
        """;

    public const string SaveEvidence = """
        INSERT INTO realtime.connection_evidence AS e
            (connection_id, user_id, app, stream, from_position, pushed_position, acked_position, opened_at, interests, updated_at)
        SELECT i.connection, i.user_id, i.app, i.stream, i.from_position, i.pushed, i.acked, coalesce(i.opened_at, $8), i.interests::json, $8
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $9::timestamptz[], $10::text[])
            AS i(connection, user_id, app, stream, from_position, pushed, acked, opened_at, interests)
        ON CONFLICT (connection_id, stream, from_position) DO UPDATE
            SET pushed_position = greatest(e.pushed_position, excluded.pushed_position),
                acked_position = greatest(e.acked_position, excluded.acked_position), updated_at = excluded.updated_at
        """;

    /// <summary>
    /// A notification's place in its user's stream is in the receipt of its event, which has its id. A cursor that a client came back with acknowledges what
    /// was pushed to it before. Status only moves forward, also when two nodes do this at once.
    /// </summary>
    public const string MoveNotifications = """
        UPDATE realtime.notification_delivery d
        SET status = moved.status, sent_at = coalesce(d.sent_at, $7), delivered_at = CASE WHEN moved.status = 'delivered' THEN $7 END
        FROM (
            SELECT d.id, CASE WHEN bool_or(r.position <= i.acked AND (i.from_position < r.position OR (i.resumed AND d.status = 'sent'))) THEN 'delivered' ELSE 'sent' END AS status
            FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[]) AS i(user_id, app, from_position, pushed, acked, resumed)
            JOIN realtime.notification_delivery d ON d.app = i.app AND d.user_id = i.user_id AND d.channel = 'websocket' AND d.status IN ('pending', 'sent')
                AND (d.status = 'pending' OR i.acked > i.from_position OR i.resumed)
            JOIN realtime.publish_receipts r ON r.app = d.app AND r.event_id = d.notification_id::text
            WHERE (i.from_position < r.position AND r.position <= i.pushed AND (d.status = 'pending' OR r.position <= i.acked))
               OR (i.resumed AND d.status = 'sent' AND r.position <= i.acked)
            GROUP BY d.id
        ) moved
        WHERE d.id = moved.id AND d.status IN ('pending', 'sent')
        """;

    /// <summary>What was to be sent only if nobody acknowledged; as <see cref="NotificationStatements.CancelAcknowledged"/>, for what the statement before has found.</summary>
    public const string CancelAcknowledged = """
        UPDATE realtime.notification_delivery d
        SET status = CASE WHEN d.leased_until >= now() THEN d.status ELSE 'cancelled' END,
            reason = CASE WHEN d.leased_until >= now() THEN 'acked_after_claim' ELSE 'acknowledged' END,
            next_attempt_at = CASE WHEN d.leased_until >= now() THEN d.next_attempt_at END
        FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS i(user_id, app)) i
        WHERE d.app = i.app AND d.user_id = i.user_id AND d.unless_acked AND d.status IN ('pending', 'failed') AND d.reason IS DISTINCT FROM 'acked_after_claim'
          AND EXISTS (SELECT FROM realtime.notification_delivery w WHERE w.notification_id = d.notification_id AND w.channel = 'websocket' AND w.status = 'delivered')
        """;

    public const string DropEvidenceBefore = """
        DELETE FROM realtime.connection_evidence
        WHERE ctid IN (SELECT ctid FROM realtime.connection_evidence WHERE updated_at < $1 LIMIT 5000)
        """;

    /// <summary>In the order of the key, so that two nodes that add the same users cannot deadlock. Who is added now is not seen by the SELECT, and has not left.</summary>
    public const string Enter = """
        WITH entrants AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS e(app, user_id, email, locale)
        ), added AS (
            INSERT INTO realtime.app_users (app, user_id, email, locale, joined_at)
            SELECT app, user_id, email, locale, $5 FROM entrants e
            WHERE NOT EXISTS (SELECT FROM realtime.app_users u WHERE u.app = e.app AND u.user_id = e.user_id)
            ORDER BY app, user_id
            ON CONFLICT DO NOTHING
        )
        SELECT u.app, u.user_id FROM entrants JOIN realtime.app_users u USING (app, user_id) WHERE u.left_at IS NOT NULL
        """;

    public const string DurabilitySettings = "SELECT current_setting('synchronous_commit'), current_setting('fsync')";

    /// <summary>One migration at a time in a cluster; the number is arbitrary, and this project's.</summary>
    public const string LockMigrations = "SELECT pg_advisory_lock(7305417020241)";
}
