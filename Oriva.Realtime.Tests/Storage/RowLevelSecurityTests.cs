using Npgsql;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Storage;

/// <summary>The second wall, from outside: what the roles can do with SQL of their own.</summary>
public sealed class RowLevelSecurityTests(PostgresFixture fixture) : StoreTests(fixture), IClassFixture<PostgresFixture>
{
    private const string App = "walled";
    private const string Other = "walled-too";
    private const string Nothing = "0";
    private const string Denied = PostgresErrorCodes.InsufficientPrivilege;

    private static readonly string[] s_tenantTables =
    [
        "admin_audit", "api_keys", "app_users", "apps", "connection_evidence", "data_protection_keys", "delivery_attempts", "digest_items", "event_subscriptions", "events",
        "inbox_counts", "manifest_versions", "node_commands", "notification_delivery", "notification_digests", "notification_preferences", "notification_requests",
        "notification_throttles", "notifications", "outbox", "pauses", "publish_receipts", "push_subscriptions", "routing_queue", "streams", "subscribed_types", "user_blocks",
        "websocket_connections",
    ];

    public override async ValueTask InitializeAsync()
    {
        if (Node.Registry.Find(App) is not null)
            return; // an earlier test of this class did it

        foreach (var app in new[] { App, Other })
        {
            await Node.PutManifestAsync(TestManifest.Of(app));
            await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToUser(app, "ada"), Drafts.ToUser(app, "eve"), Drafts.ToTopic(app, "room-1"), Drafts.ToTopic(app, "vip-1")]);
            foreach (var user in new[] { "ada", "eve" })
                await Node.Directory.PutAsync(app, user, new AppUserDetails(null, null, null), Cancel);
            // One row in each table that later versions fill.
            await Store.ExecuteAsync($"""
                INSERT INTO outbox (id, app, event_id, event, created_at) VALUES (gen_random_uuid(), '{app}', 'e', '{"{}"}', now());
                UPDATE outbox SET refusal = 'kept for a test';
                INSERT INTO api_keys (id, name, key_hash, apps, roles, created_at) VALUES (gen_random_uuid(), 'k', '{app}'::bytea, '{"{"}{app}{"}"}', '{"{}"}', now());
                INSERT INTO websocket_connections (id, node_id, user_id, apps, transport, protocol, connected_at, last_seen_at, behind, events_sent, stalls, subscriptions, scopes)
                VALUES ('{app}', 'n', 'ada', '{"{"}{app}{"}"}', 'WebSockets', 'json', now(), now(), 0, 0, 0, '[]', '{"{"}{app},{app}/room-1{"}"}');
                INSERT INTO connection_evidence (connection_id, stream, from_position, app, user_id, pushed_position, acked_position, opened_at, updated_at)
                VALUES ('{app}', '{app}', 0, '{app}', 'ada', 0, 0, now(), now());
                INSERT INTO routing_queue (id, app, source, event_id, stream, position, recorded_at, manifest_version, due_at, attempts, failed_at)
                VALUES (gen_random_uuid(), '{app}', '{app}', 'e', '{app}', 1, now(), 1, now(), 0, now());
                INSERT INTO notifications (id, app, user_id, rule, source, event_id, title, data, in_inbox, created_at)
                VALUES (gen_random_uuid(), '{app}', 'ada', 'r', '{app}', 'e', 't', '{"{}"}', true, now());
                INSERT INTO notification_delivery (id, notification_id, app, user_id, rule, channel, target, status, unless_acked, attempts, created_at)
                VALUES (gen_random_uuid(), gen_random_uuid(), '{app}', 'ada', 'r', 'in_app', '', 'delivered', false, 0, now());
                INSERT INTO delivery_attempts (id, delivery_id, app, user_id, at, duration_ms, outcome) VALUES (gen_random_uuid(), gen_random_uuid(), '{app}', 'ada', now(), 1, 'sent');
                INSERT INTO inbox_counts (app, user_id, total, unread, unseen, rev) VALUES ('{app}', 'ada', 1, 1, 1, 1);
                INSERT INTO event_subscriptions (id, app, user_id, type, topic_granted, filters, created_at) VALUES (gen_random_uuid(), '{app}', 'ada', '*', false, '[]', now());
                INSERT INTO subscribed_types (app, type) VALUES ('{app}', 'never.happens');
                INSERT INTO pauses (id, app, reason, created_by, created_at) VALUES (gen_random_uuid(), '{app}', 'kept for a test', 'ada', now());
                INSERT INTO notification_requests (app, id, content_hash, created_at) VALUES ('{app}', 'n', 'x'::bytea, now());
                INSERT INTO notification_preferences (app, user_id, muted, channels, version, updated_at) VALUES ('{app}', 'ada', false, '{"{}"}', 1, now());
                INSERT INTO push_subscriptions (id, app, user_id, endpoint, p256dh, auth, created_at) VALUES (gen_random_uuid(), '{app}', 'ada', 'https://push.example/{app}', 'k', 'a', now());
                INSERT INTO notification_digests (id, app, rule, user_id, key, opened_at, due_at, count) VALUES (gen_random_uuid(), '{app}', 'r', 'ada', '', now(), 'infinity', 1);
                INSERT INTO digest_items (app, rule, user_id, source, event_id, digest_id, data, sees_event, at, position) VALUES ('{app}', 'r', 'ada', '{app}', 'e', gen_random_uuid(), '{"{}"}', true, now(), 1);
                INSERT INTO notification_throttles (app, rule, user_id, key, count, ends_at) VALUES ('{app}', 'r', 'ada', '', 1, now() + interval '1 day');
                INSERT INTO manifest_versions (app, version, manifest, valid_from) VALUES ('{app}', 1000, '{"{}"}', now());
                INSERT INTO admin_audit (id, at, actor, action, target) VALUES (gen_random_uuid(), now(), 'root', 'connection.disconnect', '{app}');
                INSERT INTO data_protection_keys (name, xml, created_at) VALUES ('{app}', '<key/>', now());
                INSERT INTO node_commands (id, node_id, kind, target, created_at, done_at) VALUES (gen_random_uuid(), 'n', 'disconnect', '{app}', now(), now());
                INSERT INTO user_blocks (user_id, until, created_by, created_at) VALUES ('nobody-{app}', now() + interval '1 day', 'root', now());
                """);
        }
    }

    public static TheoryData<string?> ForgedClaims => new(
        null,
        "",
        " ",
        "{}",
        "[]",
        "null",
        "42",
        "\"walled\"",
        "nonsense",
        """{"sub":"ada"}""",
        """{"sub":"ada","apps":"walled"}""",
        """{"sub":"ada","apps":{"walled":true}}""",
        """{"sub":"ada","apps":[]}""",
        """{"sub":"ada","apps":[null]}""",
        """{"sub":"ada","apps":["WALLED","walled ","%","*","walled/*"]}""",
        """{"sub":"ada","apps":[["walled"]]}""",
        """{"sub":"ada","apps":["elsewhere"],"topics":["walled/*"]}""",
        """{"sub":"ada","topics":["walled/*","*"],"whole":true}""",
        """{"sub":"ada","app":"walled","whole":"true"}""");

    [Theory]
    [MemberData(nameof(ForgedClaims))]
    public async Task UserRole_WithoutTheRightClaims_ReadsNothingAnywhere(string? claims)
    {
        foreach (var table in s_tenantTables)
            (await AsAsync(PostgresSql.UserRole, claims, $"SELECT count(*) FROM realtime.{table}")).ShouldBeOneOf(Nothing, Denied, PostgresErrorCodes.InvalidTextRepresentation);
    }

    [Theory]
    [InlineData("""{"sub":"ada","apps":["walled"]}""", "walled walled/users/ada")]
    [InlineData("""{"sub":"eve","apps":["walled"],"topics":[],"whole":false}""", "walled walled/users/eve")]
    [InlineData("""{"sub":"ada","apps":["walled"],"topics":["walled/room-*"]}""", "walled walled/topics/room-1 walled/users/ada")]
    [InlineData("""{"sub":"ada","apps":["walled"],"topics":["walled/room-1","walled-too/*","*"]}""", "walled walled/topics/room-1 walled/topics/vip-1 walled/users/ada")]
    [InlineData("""{"sub":"ada","apps":["walled"],"topics":["walled/vip-","walled/vip-1x*","walled-too/*",null]}""", "walled walled/users/ada")]
    [InlineData("""{"sub":"ada","apps":["walled"],"whole":"true"}""", "walled walled/users/ada")]
    [InlineData("""{"apps":["walled"]}""", "walled")]
    [InlineData("""{"sub":null,"apps":["walled"]}""", "walled")]
    [InlineData("""{"sub":"ada","apps":["walled"],"whole":true}""", "walled walled/topics/room-1 walled/topics/vip-1 walled/users/ada walled/users/eve")]
    [InlineData("""{"sub":"ada","apps":["walled","walled-too"]}""", "walled walled-too walled-too/users/ada walled/users/ada")]
    public async Task UserRole_WithClaims_ReadsExactlyItsEvents(string claims, string visible) =>
        (await AsAsync(PostgresSql.UserRole, claims, "SELECT string_agg(stream, ' ' ORDER BY stream) FROM realtime.events")).ShouldBe(visible);

    [Fact]
    public async Task UserRole_WithClaims_ReadsItsOwnEntryOfTheDirectoryAndItsApps()
    {
        const string claims = """{"sub":"ada","apps":["walled"],"topics":["walled/*"]}""";
        (await AsAsync(PostgresSql.UserRole, claims, "SELECT string_agg(app || ' ' || user_id, ',') FROM realtime.app_users")).ShouldBe("walled ada");
        (await AsAsync(PostgresSql.UserRole, claims, "SELECT string_agg(id, ',') FROM realtime.apps")).ShouldBe("walled");
        string[] own = ["delivery_attempts", "event_subscriptions", "inbox_counts", "notification_delivery", "notification_preferences", "notifications", "push_subscriptions"];
        foreach (var table in own)
        {
            (await AsAsync(PostgresSql.UserRole, claims, $"SELECT string_agg(DISTINCT app || ' ' || user_id, ',') FROM realtime.{table}")).ShouldBe("walled ada", table);
            (await AsAsync(PostgresSql.UserRole, claims.Replace("ada", "eve", StringComparison.Ordinal), $"SELECT count(*) FROM realtime.{table}")).ShouldBe(Nothing, table);
        }

        // What is not for users is not there for them at all.
        foreach (var table in s_tenantTables.Except(["apps", "app_users", "events", "websocket_connections", .. own]).Append("store_info").Append("nodes"))
            (await AsAsync(PostgresSql.UserRole, claims, $"SELECT count(*) FROM realtime.{table}")).ShouldBe(Denied, table);
    }

    [Theory]
    [InlineData("""{"apps":["walled"]}""", "1")]
    [InlineData("""{"topics":["walled/room-1"]}""", "1")]
    [InlineData("""{"apps":["walled","walled-too"]}""", "2")]
    [InlineData("""{"sub":"ada","apps":["elsewhere"],"topics":["walled/room-2","walled/*"]}""", "0")]
    public async Task UserRole_WithClaims_SeesWhoIsThere_AndNothingElseOfAConnection(string claims, string connections)
    {
        (await AsAsync(PostgresSql.UserRole, claims, "SELECT count(user_id) FROM realtime.websocket_connections")).ShouldBe(connections);
        foreach (var column in new[] { "*", "id", "node_id", "remote_address", "user_agent", "subscriptions" })
            (await AsAsync(PostgresSql.UserRole, claims, $"SELECT {column} FROM realtime.websocket_connections")).ShouldBe(Denied, column);
    }

    [Fact]
    public async Task UserRole_CanChangeNothing()
    {
        const string claims = """{"sub":"ada","apps":["walled"],"whole":true}""";
        string[] attempts =
        [
            "INSERT INTO realtime.events SELECT * FROM realtime.events",
            "INSERT INTO realtime.app_users (app, user_id, joined_at) VALUES ('walled', 'mallory', now())",
            "UPDATE realtime.events SET data = '{}'",
            "UPDATE realtime.app_users SET left_at = now()",
            "DELETE FROM realtime.events",
            "DELETE FROM realtime.apps",
            "TRUNCATE realtime.events",
            "SELECT realtime.prepare_days('2026-01-01', '2026-01-02')",
            "SELECT realtime.drop_days_before('2100-01-01')",
            "CREATE TABLE realtime.mine (id int)",
            "ALTER TABLE realtime.events DISABLE ROW LEVEL SECURITY",
            "SET LOCAL ROLE oriva_owner",
        ];
        foreach (var attempt in attempts)
            (await AsAsync(PostgresSql.UserRole, claims, attempt, login: "oriva_user")).ShouldBe(Denied, attempt);
        (await Store.SingleAsync<long>("SELECT count(*) FROM events")).ShouldBe(10);
    }

    [Fact]
    public async Task Partitions_CanBeReadByNobodyButTheirOwner()
    {
        const string claims = """{"sub":"ada","apps":["walled"],"whole":true}""";
        var partitions = await Store.QueryAsync<string>("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass");
        partitions.Count.ShouldBeGreaterThanOrEqualTo(9);
        foreach (var partition in partitions)
        {
            foreach (var role in new[] { PostgresSql.UserRole, PostgresSql.ServiceRole })
            {
                foreach (var statement in new[] { $"SELECT count(*) FROM realtime.{partition}", $"DELETE FROM realtime.{partition}", $"DROP TABLE realtime.{partition}" })
                    (await AsAsync(role, claims, statement)).ShouldBe(Denied, $"{role}: {statement}");
            }
        }
    }

    [Fact]
    public async Task ServiceRole_CanNeitherChangeNorRemoveWhatIsRecorded()
    {
        string[] attempts =
        [
            "UPDATE realtime.events SET data = '{}'",
            "DELETE FROM realtime.events",
            "TRUNCATE realtime.events",
            "DROP TABLE realtime.events",
            "DELETE FROM realtime.streams",
            "TRUNCATE realtime.streams",
            "UPDATE realtime.publish_receipts SET position = 1",
            "DELETE FROM realtime.apps",
            "DELETE FROM realtime.app_users",
            "DELETE FROM realtime.store_info",
            "ALTER TABLE realtime.events DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE realtime.events DETACH PARTITION realtime.events_20260101",
            "DROP SCHEMA realtime CASCADE",
            "CREATE TABLE realtime.mine (id int)",
            "UPDATE realtime.__ef_migrations_history SET product_version = ''",
        ];
        foreach (var attempt in attempts)
            (await AsAsync(PostgresSql.ServiceRole, null, attempt)).ShouldBe(Denied, attempt);
        (await AsAsync(PostgresSql.ServiceRole, null, "SELECT count(*) FROM realtime.events")).ShouldBe("10");
    }

    [Fact]
    public async Task OwnerRole_UnderForcedSecurity_ReadsNothing()
    {
        foreach (var table in s_tenantTables)
        {
            (await Store.SingleAsync<long>($"SELECT count(*) FROM {table}")).ShouldBeGreaterThan(0, table);
            (await AsAsync(PostgresSql.OwnerRole, """{"sub":"ada","apps":["walled"],"whole":true}""", $"SELECT count(*) FROM realtime.{table}")).ShouldBe(Nothing, table);
        }
    }

    [Fact]
    public async Task Tables_WithTenantData_HaveSecurityEnabledAndForced()
    {
        var open = await Store.QueryAsync<string>("""
            SELECT relname::text FROM pg_class
            WHERE relnamespace = 'realtime'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND NOT (relrowsecurity AND relforcerowsecurity)
            ORDER BY relname
            """);
        // A new table either gets policies or is added here because it holds nothing of any tenant.
        open.ShouldBe(["__ef_migrations_history", "nodes", "store_info"]);
        (await Store.QueryAsync<string>("SELECT DISTINCT tablename::text FROM pg_policies WHERE schemaname = 'realtime' ORDER BY 1")).ShouldBe(s_tenantTables);
    }

    [Fact]
    public async Task Tables_BelongToTheOwnerRole_AndNoOtherRoleHasMoreThanItsGrants()
    {
        (await Store.QueryAsync<string>("""
            SELECT relname::text FROM pg_class
            WHERE relnamespace = 'realtime'::regnamespace AND relkind IN ('r', 'p') AND relname <> '__ef_migrations_history' AND pg_get_userbyid(relowner) <> 'oriva_owner'
            """)).ShouldBeEmpty();
        (await Store.QueryAsync<string>("""
            SELECT table_name || ' ' || privilege_type FROM information_schema.role_table_grants
            WHERE table_schema = 'realtime' AND grantee IN ('oriva_user', 'PUBLIC') ORDER BY 1
            """)).ShouldBe([
            "app_users SELECT", "apps SELECT", "delivery_attempts SELECT", "event_subscriptions SELECT", "events SELECT", "inbox_counts SELECT",
            "notification_delivery SELECT", "notification_preferences SELECT", "notifications SELECT", "push_subscriptions SELECT",
        ]);
        (await Store.QueryAsync<string>("""
            SELECT rolname::text FROM pg_roles
            WHERE rolname IN ('oriva_owner', 'oriva_service', 'oriva_user') AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole)
            """)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Claims_DoNotOutliveTheirTransactionOnAPooledConnection()
    {
        // One connection that the pool does not clean, so that each command gets what the one before left behind.
        await using var dataSource = RealtimeDatabase.BuildDataSource(ConnectionString + ";Maximum Pool Size=1;No Reset On Close=true", PostgresSql.ServiceRole);
        var store = new PostgresEventStore(dataSource);
        var backend = await ScalarAsync(dataSource, "SELECT pg_backend_pid()");
        for (var round = 0; round < 8; round++) // past the number of uses after which statements are prepared
        {
            foreach (var (sub, count) in new[] { ("ada", 1), ("eve", 0), ("mallory", 0), ("ada", 1) })
            {
                var events = await store.ReadAsync($"{App}/users/ada", 0, DateTimeOffset.MinValue, new ReadLimit(10), Scopes.User(sub, App), Cancel);
                events.Count.ShouldBe(count, sub);
                (await ScalarAsync(dataSource, "SELECT current_user")).ShouldBe(PostgresSql.ServiceRole);
                (await ScalarAsync(dataSource, "SELECT coalesce(current_setting('request.jwt.claims', true), '')")).ShouldBe("");
                // What a user's read without claims of its own would see.
                (await AsAsync(PostgresSql.UserRole, null, "SELECT count(*) FROM realtime.events", dataSource)).ShouldBe(Nothing);
            }
        }

        (await ScalarAsync(dataSource, "SELECT pg_backend_pid()")).ShouldBe(backend);
    }

    [Fact]
    public async Task Claims_OfAReadThatFailed_AreGone()
    {
        await using var dataSource = RealtimeDatabase.BuildDataSource(ConnectionString + ";Maximum Pool Size=1;No Reset On Close=true", PostgresSql.ServiceRole);
        await Should.ThrowAsync<StoreException>(() => new PostgresEventStore(dataSource)
            .ReadAsync(App, 0, DateTimeOffset.MinValue, new ReadLimit(-1), Scopes.Whole(App), Cancel));

        (await ScalarAsync(dataSource, "SELECT current_user || coalesce(current_setting('request.jwt.claims', true), '')")).ShouldBe(PostgresSql.ServiceRole);
        (await AsAsync(PostgresSql.UserRole, null, "SELECT count(*) FROM realtime.events", dataSource)).ShouldBe(Nothing);
    }

    private string ConnectionString => ((PostgresStore)Store).ConnectionString;

    /// <summary>The first value of a statement, as text, in a transaction with this role and these claims; or the code of its refusal.</summary>
    /// <param name="login">The session's own role, where it matters what the statement could switch to; default: the superuser's.</param>
    private async Task<string?> AsAsync(string role, string? claims, string statement, NpgsqlDataSource? dataSource = null, string? login = null)
    {
        await using var own = dataSource is null ? NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }) : null;
        await using var connection = await (dataSource ?? own!).OpenConnectionAsync(Cancel);
        if (login is not null)
            await ExecuteAsync(connection, $"SET SESSION AUTHORIZATION {login}");
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await ExecuteAsync(connection, $"SET LOCAL ROLE {role}");
        if (claims is not null)
            await ExecuteAsync(connection, "SELECT set_config('request.jwt.claims', $1, true)", claims);
        try
        {
            return await ExecuteAsync(connection, statement);
        }
        catch (PostgresException e)
        {
            return e.SqlState;
        }
    }

    private static async Task<string?> ScalarAsync(NpgsqlDataSource dataSource, string statement)
    {
        await using var connection = await dataSource.OpenConnectionAsync(Cancel);
        return await ExecuteAsync(connection, statement);
    }

    private static async Task<string?> ExecuteAsync(NpgsqlConnection connection, string statement, params string[] parameters)
    {
        await using var command = new NpgsqlCommand(statement, connection);
        foreach (var parameter in parameters)
            command.Parameters.Add(new() { Value = parameter });
        return Convert.ToString(await command.ExecuteScalarAsync(Cancel));
    }
}
