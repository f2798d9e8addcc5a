using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Channels : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);

            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_channel",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "expires_at",
                schema: "realtime",
                table: "notifications",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "manifest_version",
                schema: "realtime",
                table: "notifications",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "recalled_at",
                schema: "realtime",
                table: "notifications",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "leased_until",
                schema: "realtime",
                table: "notification_requests",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "lock_id",
                schema: "realtime",
                table: "notification_requests",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "recalled_at",
                schema: "realtime",
                table: "notification_requests",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "scheduled",
                schema: "realtime",
                table: "notification_requests",
                type: "json",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "send_at",
                schema: "realtime",
                table: "notification_requests",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "content",
                schema: "realtime",
                table: "notification_delivery",
                type: "json",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "target",
                schema: "realtime",
                table: "notification_delivery",
                type: "text",
                nullable: false,
                defaultValue: "",
                collation: "C");

            migrationBuilder.AddColumn<bool>(
                name: "unless_acked",
                schema: "realtime",
                table: "notification_delivery",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "interests",
                schema: "realtime",
                table: "connection_evidence",
                type: "json",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "digest_items",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    source = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    event_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    digest_id = table.Column<Guid>(type: "uuid", nullable: false),
                    data = table.Column<string>(type: "json", nullable: false),
                    sees_event = table.Column<bool>(type: "boolean", nullable: false),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    position = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_digest_items", x => new { x.app, x.source, x.event_id, x.rule, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "manifest_versions",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    version = table.Column<long>(type: "bigint", nullable: false),
                    manifest = table.Column<string>(type: "json", nullable: false),
                    valid_from = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_manifest_versions", x => new { x.app, x.version });
                });

            migrationBuilder.CreateTable(
                name: "notification_digests",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    opened_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    due_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    count = table.Column<int>(type: "integer", nullable: false),
                    leased_until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    lock_id = table.Column<Guid>(type: "uuid", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_digests", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "notification_preferences",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    muted = table.Column<bool>(type: "boolean", nullable: false),
                    channels = table.Column<string>(type: "json", nullable: false),
                    quiet_hours = table.Column<string>(type: "json", nullable: true),
                    version = table.Column<long>(type: "bigint", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_preferences", x => new { x.app, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "notification_throttles",
                schema: "realtime",
                columns: table => new
                {
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    rule = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    count = table.Column<int>(type: "integer", nullable: false),
                    ends_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_throttles", x => new { x.app, x.rule, x.user_id, x.key });
                });

            migrationBuilder.CreateTable(
                name: "push_subscriptions",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    app = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    endpoint = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    p256dh = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    auth = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_agent = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_push_subscriptions", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_notifications_expiry",
                schema: "realtime",
                table: "notifications",
                column: "expires_at",
                filter: "expires_at IS NOT NULL AND in_inbox AND archived_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_notifications_time",
                schema: "realtime",
                table: "notifications",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_notification_requests_created_at",
                schema: "realtime",
                table: "notification_requests",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_notification_requests_due",
                schema: "realtime",
                table: "notification_requests",
                columns: new[] { "app", "send_at" },
                filter: "scheduled IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_channel",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "notification_id", "channel", "target" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_held",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "app", "user_id" },
                filter: "unless_acked AND status IN ('pending', 'failed')");

            migrationBuilder.CreateIndex(
                name: "ix_digest_items_at",
                schema: "realtime",
                table: "digest_items",
                column: "at");

            migrationBuilder.CreateIndex(
                name: "ix_digest_items_digest_id",
                schema: "realtime",
                table: "digest_items",
                column: "digest_id");

            migrationBuilder.CreateIndex(
                name: "ix_notification_digests_due",
                schema: "realtime",
                table: "notification_digests",
                columns: new[] { "app", "due_at" });

            migrationBuilder.CreateIndex(
                name: "ix_notification_digests_open",
                schema: "realtime",
                table: "notification_digests",
                columns: new[] { "app", "rule", "user_id", "key" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_notification_throttles_ends_at",
                schema: "realtime",
                table: "notification_throttles",
                column: "ends_at");

            migrationBuilder.CreateIndex(
                name: "ix_push_subscriptions_endpoint",
                schema: "realtime",
                table: "push_subscriptions",
                columns: new[] { "app", "endpoint" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_push_subscriptions_user",
                schema: "realtime",
                table: "push_subscriptions",
                columns: new[] { "app", "user_id" });

            migrationBuilder.Sql(Isolation.ChannelPolicies);
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);
            // What an older version cannot keep apart.
            migrationBuilder.Sql("DELETE FROM realtime.notification_delivery WHERE target <> ''");

            migrationBuilder.DropTable(
                name: "digest_items",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "manifest_versions",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notification_digests",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notification_preferences",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "notification_throttles",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "push_subscriptions",
                schema: "realtime");

            migrationBuilder.DropIndex(
                name: "ix_notifications_expiry",
                schema: "realtime",
                table: "notifications");

            migrationBuilder.DropIndex(
                name: "ix_notifications_time",
                schema: "realtime",
                table: "notifications");

            migrationBuilder.DropIndex(
                name: "ix_notification_requests_created_at",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropIndex(
                name: "ix_notification_requests_due",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_channel",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_held",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "expires_at",
                schema: "realtime",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "manifest_version",
                schema: "realtime",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "recalled_at",
                schema: "realtime",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "leased_until",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "lock_id",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "recalled_at",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "scheduled",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "send_at",
                schema: "realtime",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "content",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "target",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "unless_acked",
                schema: "realtime",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "interests",
                schema: "realtime",
                table: "connection_evidence");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_channel",
                schema: "realtime",
                table: "notification_delivery",
                columns: new[] { "notification_id", "channel" },
                unique: true);

            migrationBuilder.Sql(Isolation.BecomeLogin);
        }
    }
}
