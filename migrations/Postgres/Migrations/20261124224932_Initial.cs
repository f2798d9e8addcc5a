using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.EnsureSchema(
                name: "realtime");

            migrationBuilder.Sql(Isolation.Roles);
            migrationBuilder.Sql(Isolation.BecomeOwner);

            migrationBuilder.CreateTable(
                name: "api_keys",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    key_hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    apps = table.Column<string[]>(type: "text[]", nullable: false),
                    roles = table.Column<string[]>(type: "text[]", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    last_used_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    revoked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_api_keys", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "app_users",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    email = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    locale = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    time_zone = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    joined_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    left_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_app_users", x => new { x.app, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "apps",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    manifest = table.Column<string>(type: "json", nullable: false),
                    version = table.Column<long>(type: "bigint", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_apps", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "connection_evidence",
                schema: "realtime",
                columns: table => new
                {
                    connection_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    from_position = table.Column<long>(type: "bigint", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    pushed_position = table.Column<long>(type: "bigint", nullable: false),
                    acked_position = table.Column<long>(type: "bigint", nullable: false),
                    opened_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_connection_evidence", x => new { x.connection_id, x.stream, x.from_position });
                });

            migrationBuilder.Sql(EventsTable.Create);

            migrationBuilder.CreateTable(
                name: "nodes",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    advertised_url = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    version = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    heartbeat_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_nodes", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "outbox",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    event_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    @event = table.Column<string>(name: "event", type: "json", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    leased_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    refusal = table.Column<string>(type: "text", nullable: true, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_outbox", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "publish_receipts",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    event_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    position = table.Column<long>(type: "bigint", nullable: false),
                    content_hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    hops = table.Column<int>(type: "integer", nullable: false),
                    recorded_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_publish_receipts", x => new { x.app, x.event_id });
                });

            migrationBuilder.CreateTable(
                name: "store_info",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false),
                    epoch = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_store_info", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "streams",
                schema: "realtime",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    head = table.Column<long>(type: "bigint", nullable: false),
                    recorded_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_streams", x => x.stream);
                });

            migrationBuilder.CreateTable(
                name: "websocket_connections",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    node_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    apps = table.Column<string[]>(type: "text[]", nullable: false),
                    transport = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    protocol = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    remote_address = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    user_agent = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    connected_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    last_seen_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    round_trip_ms = table.Column<double>(type: "double precision", nullable: true),
                    behind = table.Column<long>(type: "bigint", nullable: false),
                    events_sent = table.Column<long>(type: "bigint", nullable: false),
                    stalls = table.Column<long>(type: "bigint", nullable: false),
                    subscriptions = table.Column<int>(type: "integer", nullable: false),
                    closed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    close_reason = table.Column<string>(type: "text", nullable: true, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_websocket_connections", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_api_keys_key_hash",
                schema: "realtime",
                table: "api_keys",
                column: "key_hash",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_app_users_user_id",
                schema: "realtime",
                table: "app_users",
                column: "user_id");

            migrationBuilder.CreateIndex(
                name: "ix_connection_evidence_updated_at",
                schema: "realtime",
                table: "connection_evidence",
                column: "updated_at");

            migrationBuilder.CreateIndex(
                name: "ix_connection_evidence_user_id_stream",
                schema: "realtime",
                table: "connection_evidence",
                columns: new[] { "user_id", "stream" });

            migrationBuilder.CreateIndex(
                name: "ix_events_app_time",
                schema: "realtime",
                table: "events",
                columns: new[] { "app", "recorded_at", "stream", "position" });

            migrationBuilder.CreateIndex(
                name: "ix_events_app_type_time",
                schema: "realtime",
                table: "events",
                columns: new[] { "app", "type", "recorded_at" });

            migrationBuilder.CreateIndex(
                name: "ix_events_user_time",
                schema: "realtime",
                table: "events",
                columns: new[] { "user_id", "recorded_at" },
                filter: "user_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_publish_receipts_time",
                schema: "realtime",
                table: "publish_receipts",
                column: "recorded_at");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_closed_at",
                schema: "realtime",
                table: "websocket_connections",
                column: "closed_at");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_node_id",
                schema: "realtime",
                table: "websocket_connections",
                column: "node_id");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_user_id",
                schema: "realtime",
                table: "websocket_connections",
                column: "user_id");

            migrationBuilder.Sql(Isolation.Claims);
            migrationBuilder.Sql(Isolation.Policies);
            migrationBuilder.Sql(EventsTable.Days);
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            // With the tables go their policies and grants. The roles stay: they are the cluster's, and other databases may use them.
            migrationBuilder.Sql("""
                DROP FUNCTION realtime.prepare_days, realtime.drop_days_before;
                DROP TABLE realtime.api_keys, realtime.app_users, realtime.apps, realtime.connection_evidence, realtime.events, realtime.nodes,
                    realtime.outbox, realtime.publish_receipts, realtime.store_info, realtime.streams, realtime.websocket_connections;
                DROP FUNCTION realtime.topic_matches, realtime.claims_whole, realtime.claimed_texts, realtime.claimed_sub, realtime.claims;
                """);
        }
    }
}
