using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Notifications : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);

            migrationBuilder.CreateTable(
                name: "delivery_attempts",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    delivery_id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    duration_ms = table.Column<int>(type: "integer", nullable: false),
                    outcome = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    error = table.Column<string>(type: "text", nullable: true, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_delivery_attempts", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "event_subscriptions",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    topic = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    topic_granted = table.Column<bool>(type: "boolean", nullable: false),
                    filters = table.Column<string>(type: "json", nullable: false),
                    channels = table.Column<string[]>(type: "text[]", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_event_subscriptions", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "inbox_counts",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    total = table.Column<int>(type: "integer", nullable: false),
                    unread = table.Column<int>(type: "integer", nullable: false),
                    unseen = table.Column<int>(type: "integer", nullable: false),
                    rev = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_inbox_counts", x => new { x.app, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "notification_delivery",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    notification_id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    channel = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    reason = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    attempts = table.Column<int>(type: "integer", nullable: false),
                    next_attempt_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    leased_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    lock_id = table.Column<Guid>(type: "uuid", nullable: true),
                    last_error = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    sent_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    delivered_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    failed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_delivery", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "notification_requests",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    content_hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_requests", x => new { x.app, x.id });
                });

            migrationBuilder.CreateTable(
                name: "notifications",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    event_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    title = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    body = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    link = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    image = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    actions = table.Column<string>(type: "json", nullable: true),
                    data = table.Column<string>(type: "json", nullable: false),
                    in_inbox = table.Column<bool>(type: "boolean", nullable: false),
                    template_error = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    seen_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    read_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    archived_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notifications", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "pauses",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    channel = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    reason = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_by = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_pauses", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "routing_queue",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    event_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    position = table.Column<long>(type: "bigint", nullable: false),
                    recorded_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    manifest_version = table.Column<long>(type: "bigint", nullable: false),
                    due_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    leased_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    lock_id = table.Column<Guid>(type: "uuid", nullable: true),
                    attempts = table.Column<int>(type: "integer", nullable: false),
                    resume_rule = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    resume_user = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    last_error = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    failed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_routing_queue", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "subscribed_types",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_subscribed_types", x => new { x.app, x.type });
                });

            migrationBuilder.CreateIndex(
                name: "ix_delivery_attempts_delivery_id",
                schema: "realtime",
                table: "delivery_attempts",
                column: "delivery_id");

            migrationBuilder.CreateIndex(
                name: "ix_event_subscriptions_followers",
                schema: "realtime",
                table: "event_subscriptions",
                columns: new[] { "app", "type", "topic", "user_id" });

            migrationBuilder.CreateIndex(
                name: "ix_event_subscriptions_user_id_app",
                schema: "realtime",
                table: "event_subscriptions",
                columns: new[] { "user_id", "app" });

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_channel",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "notification_id", "channel" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_dead",
                schema: "realtime",
                table: "notification_delivery",
                column: "failed_at",
                filter: "status = 'dead'");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_due",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "app", "next_attempt_at" },
                filter: "next_attempt_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_websocket",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "app", "user_id" },
                filter: "channel = 'websocket' AND status IN ('pending', 'sent')");

            migrationBuilder.CreateIndex(
                name: "ix_notifications_inbox",
                schema: "realtime",
                table: "notifications",
                columns: new[] { "user_id", "app", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_notifications_once",
                schema: "realtime",
                table: "notifications",
                columns: new[] { "app", "source", "event_id", "rule", "user_id" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_routing_queue_dead",
                schema: "realtime",
                table: "routing_queue",
                column: "failed_at",
                filter: "failed_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_routing_queue_due",
                schema: "realtime",
                table: "routing_queue",
                columns: new[] { "app", "due_at" },
                filter: "failed_at IS NULL");

            migrationBuilder.Sql(Isolation.NotificationPolicies);
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);
            migrationBuilder.DropTable(
                name: "delivery_attempts",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "event_subscriptions",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "inbox_counts",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notification_delivery",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notification_requests",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notifications",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "pauses",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "routing_queue",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "subscribed_types",
                schema: "realtime");
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }
    }
}
