namespace Oriva.Realtime.Migrations.Postgres;

/// <summary>
/// The three roles and who may do what. The owner has the tables and runs migrations; the service runs the pipeline and may neither change nor delete an
/// event; the user role is taken inside a transaction, with normalised claims, by every read on behalf of a user.
/// </summary>
/// <remarks>
/// Row-level security is forced, so that it binds the owner too. Partitions get no grants: a role that may read a partition directly would pass by its
/// parent's policy. Whoever can run SQL of its own as the user role can forge claims; this wall is for our code's mistakes, not for a stolen login.
/// </remarks>
internal static class Isolation
{
    public const string Roles = """
        DO $$
        DECLARE
            wanted record;
            -- Since PostgreSQL 16 who made a role is its member without being able to become it.
            membership text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
        BEGIN
            FOR wanted IN SELECT * FROM (VALUES ('oriva_owner', 'INHERIT'), ('oriva_service', 'NOINHERIT'), ('oriva_user', 'INHERIT')) AS r(name, inheritance) LOOP
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
                    BEGIN
                        EXECUTE format('CREATE ROLE %I NOLOGIN %s', wanted.name, wanted.inheritance);
                    EXCEPTION
                        WHEN duplicate_object OR unique_violation THEN NULL; -- made meanwhile, for another database of this cluster
                        WHEN insufficient_privilege THEN
                            RAISE EXCEPTION 'The roles oriva_owner, oriva_service and oriva_user are missing and % may not create them.', current_user
                                USING HINT = 'Let an administrator run: CREATE ROLE oriva_owner NOLOGIN; CREATE ROLE oriva_service NOLOGIN NOINHERIT; '
                                    'CREATE ROLE oriva_user NOLOGIN; GRANT oriva_user TO oriva_service; GRANT oriva_owner, oriva_service TO ' || current_user || ';';
                    END;
                END IF;
            END LOOP;
            IF NOT pg_has_role('oriva_service', 'oriva_user', 'MEMBER') THEN
                GRANT oriva_user TO oriva_service;
            END IF;
            IF NOT pg_has_role(current_user, 'oriva_owner', membership) THEN
                EXECUTE format('GRANT oriva_owner TO %I', current_user);
            END IF;
            IF NOT pg_has_role(current_user, 'oriva_service', membership) THEN
                EXECUTE format('GRANT oriva_service TO %I', current_user);
            END IF;
        END $$;

        GRANT USAGE, CREATE ON SCHEMA realtime TO oriva_owner;
        GRANT USAGE ON SCHEMA realtime TO oriva_service, oriva_user;
        GRANT SELECT ON realtime.__ef_migrations_history TO oriva_service;
        """;

    /// <summary>From here to <see cref="BecomeLogin"/> what is made belongs to the owner. A migration that makes or changes tables is framed by the two.</summary>
    public const string BecomeOwner = "SET LOCAL ROLE oriva_owner;";

    public const string BecomeLogin = "RESET ROLE;";

    /// <summary>What a reader claims to be. Settings are '' after the transaction that set them, not absent.</summary>
    public const string Claims = """
        CREATE FUNCTION realtime.claims() RETURNS jsonb LANGUAGE sql STABLE AS
            $$ SELECT coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;

        CREATE FUNCTION realtime.claimed_sub() RETURNS text LANGUAGE sql STABLE AS
            $$ SELECT realtime.claims() ->> 'sub' $$;

        CREATE FUNCTION realtime.claimed_texts(name text) RETURNS text[] LANGUAGE sql STABLE AS
            $$ SELECT CASE WHEN jsonb_typeof(realtime.claims() -> name) = 'array'
                           THEN ARRAY(SELECT jsonb_array_elements_text(realtime.claims() -> name)) ELSE '{}' END $$;

        CREATE FUNCTION realtime.claims_whole() RETURNS boolean LANGUAGE sql STABLE AS
            $$ SELECT coalesce(realtime.claims() -> 'whole' = 'true'::jsonb, false) $$;

        -- Whether one of the patterns 'app/topic' or 'app/prefix*' matches.
        CREATE FUNCTION realtime.topic_matches(patterns text[], app text, topic text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
            $$ SELECT EXISTS (SELECT FROM unnest(patterns) AS pattern
                              WHERE CASE WHEN right(pattern, 1) = '*' THEN starts_with(app || '/' || topic, left(pattern, -1))
                                         ELSE app || '/' || topic = pattern END) $$;
        """;

    public const string Policies = """
        DO $$
        DECLARE
            tenant text;
        BEGIN
            FOREACH tenant IN ARRAY ARRAY['apps', 'streams', 'events', 'publish_receipts', 'app_users', 'outbox',
                                          'websocket_connections', 'connection_evidence', 'api_keys'] LOOP
                EXECUTE format('ALTER TABLE realtime.%I ENABLE ROW LEVEL SECURITY', tenant);
                EXECUTE format('ALTER TABLE realtime.%I FORCE ROW LEVEL SECURITY', tenant);
                EXECUTE format('CREATE POLICY service ON realtime.%I TO oriva_service USING (true) WITH CHECK (true)', tenant);
            END LOOP;
        END $$;

        GRANT SELECT, INSERT ON realtime.events TO oriva_service;
        GRANT SELECT, INSERT, UPDATE ON realtime.apps, realtime.streams, realtime.app_users, realtime.store_info TO oriva_service;
        GRANT SELECT, INSERT, DELETE ON realtime.publish_receipts TO oriva_service;
        GRANT SELECT, INSERT, UPDATE, DELETE ON realtime.outbox, realtime.nodes, realtime.websocket_connections,
            realtime.connection_evidence, realtime.api_keys TO oriva_service;

        GRANT SELECT ON realtime.apps, realtime.events, realtime.app_users TO oriva_user;

        -- Sub-selects, so that the claims are read once a query and not once a row.
        CREATE POLICY reader ON realtime.apps FOR SELECT TO oriva_user
            USING (id = ANY ((SELECT realtime.claimed_texts('apps'))::text[]));

        CREATE POLICY reader ON realtime.app_users FOR SELECT TO oriva_user
            USING (app = ANY ((SELECT realtime.claimed_texts('apps'))::text[])
                   AND ((SELECT realtime.claims_whole()) OR user_id = (SELECT realtime.claimed_sub())));

        CREATE POLICY reader ON realtime.events FOR SELECT TO oriva_user
            USING (app = ANY ((SELECT realtime.claimed_texts('apps'))::text[])
                   AND ((SELECT realtime.claims_whole())
                        OR ((user_id IS NULL OR user_id = (SELECT realtime.claimed_sub()))
                            AND (topic IS NULL OR realtime.topic_matches((SELECT realtime.claimed_texts('topics')), app, topic)))));
        """;

    /// <summary>Preferences and browsers are their user's to see; the rest is the service's alone.</summary>
    public const string ChannelPolicies = """
        DO $$
        DECLARE
            tenant text;
        BEGIN
            FOREACH tenant IN ARRAY ARRAY['notification_preferences', 'push_subscriptions', 'notification_digests', 'digest_items', 'notification_throttles',
                                          'manifest_versions'] LOOP
                EXECUTE format('ALTER TABLE realtime.%I ENABLE ROW LEVEL SECURITY', tenant);
                EXECUTE format('ALTER TABLE realtime.%I FORCE ROW LEVEL SECURITY', tenant);
                EXECUTE format('CREATE POLICY service ON realtime.%I TO oriva_service USING (true) WITH CHECK (true)', tenant);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON realtime.%I TO oriva_service', tenant);
            END LOOP;
            FOREACH tenant IN ARRAY ARRAY['notification_preferences', 'push_subscriptions'] LOOP
                EXECUTE format('GRANT SELECT ON realtime.%I TO oriva_user', tenant);
                EXECUTE format('CREATE POLICY reader ON realtime.%I FOR SELECT TO oriva_user
                    USING (app = ANY ((SELECT realtime.claimed_texts(''apps''))::text[])
                           AND ((SELECT realtime.claims_whole()) OR user_id = (SELECT realtime.claimed_sub())))', tenant);
            END LOOP;
        END $$;
        """;

    /// <summary>
    /// A reader sees who is connected now in an app or topic that it may see, and nothing else of a connection: not its address, not its device. What steers
    /// nodes is the service's alone; what operators did is added to and never changed.
    /// </summary>
    public const string ClusterPolicies = """
        DO $$
        DECLARE
            tenant text;
        BEGIN
            FOREACH tenant IN ARRAY ARRAY['node_commands', 'user_blocks', 'data_protection_keys', 'admin_audit'] LOOP
                EXECUTE format('ALTER TABLE realtime.%I ENABLE ROW LEVEL SECURITY', tenant);
                EXECUTE format('ALTER TABLE realtime.%I FORCE ROW LEVEL SECURITY', tenant);
                EXECUTE format('CREATE POLICY service ON realtime.%I TO oriva_service USING (true) WITH CHECK (true)', tenant);
            END LOOP;
        END $$;

        GRANT SELECT, INSERT, UPDATE, DELETE ON realtime.node_commands, realtime.user_blocks, realtime.data_protection_keys TO oriva_service;
        GRANT SELECT, INSERT ON realtime.admin_audit TO oriva_service;
        GRANT SELECT (user_id, scopes, connected_at, closed_at) ON realtime.websocket_connections TO oriva_user;
        CREATE POLICY presence ON realtime.websocket_connections FOR SELECT TO oriva_user
            USING (closed_at IS NULL
                   AND scopes && ((SELECT realtime.claimed_texts('apps'))::text[] || (SELECT realtime.claimed_texts('topics'))::text[]));
        """;

    /// <summary>A user sees what is its own; what steers the pipeline is the service's alone.</summary>
    public const string NotificationPolicies = """
        DO $$
        DECLARE
            tenant text;
        BEGIN
            FOREACH tenant IN ARRAY ARRAY['routing_queue', 'notifications', 'notification_delivery', 'delivery_attempts', 'inbox_counts',
                                          'event_subscriptions', 'subscribed_types', 'pauses', 'notification_requests'] LOOP
                EXECUTE format('ALTER TABLE realtime.%I ENABLE ROW LEVEL SECURITY', tenant);
                EXECUTE format('ALTER TABLE realtime.%I FORCE ROW LEVEL SECURITY', tenant);
                EXECUTE format('CREATE POLICY service ON realtime.%I TO oriva_service USING (true) WITH CHECK (true)', tenant);
                EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON realtime.%I TO oriva_service', tenant);
            END LOOP;
            FOREACH tenant IN ARRAY ARRAY['notifications', 'notification_delivery', 'delivery_attempts', 'inbox_counts', 'event_subscriptions'] LOOP
                EXECUTE format('GRANT SELECT ON realtime.%I TO oriva_user', tenant);
                EXECUTE format('CREATE POLICY reader ON realtime.%I FOR SELECT TO oriva_user
                    USING (app = ANY ((SELECT realtime.claimed_texts(''apps''))::text[])
                           AND ((SELECT realtime.claims_whole()) OR user_id = (SELECT realtime.claimed_sub())))', tenant);
            END LOOP;
        END $$;
        """;
}
