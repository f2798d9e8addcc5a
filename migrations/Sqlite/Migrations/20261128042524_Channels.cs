using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class Channels : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_channel",
                table: "notification_delivery");

            migrationBuilder.AddColumn<long>(
                name: "expires_at",
                table: "notifications",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "manifest_version",
                table: "notifications",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "recalled_at",
                table: "notifications",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "leased_until",
                table: "notification_requests",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "lock_id",
                table: "notification_requests",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "recalled_at",
                table: "notification_requests",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "scheduled",
                table: "notification_requests",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "send_at",
                table: "notification_requests",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "content",
                table: "notification_delivery",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "target",
                table: "notification_delivery",
                type: "TEXT",
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<bool>(
                name: "unless_acked",
                table: "notification_delivery",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "interests",
                table: "connection_evidence",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "digest_items",
                columns: table => new
                {
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    rule = table.Column<string>(type: "TEXT", nullable: false),
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    source = table.Column<string>(type: "TEXT", nullable: false),
                    event_id = table.Column<string>(type: "TEXT", nullable: false),
                    digest_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    data = table.Column<string>(type: "TEXT", nullable: false),
                    sees_event = table.Column<bool>(type: "INTEGER", nullable: false),
                    at = table.Column<long>(type: "INTEGER", nullable: false),
                    position = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_digest_items", x => new { x.app, x.source, x.event_id, x.rule, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "manifest_versions",
                columns: table => new
                {
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    version = table.Column<long>(type: "INTEGER", nullable: false),
                    manifest = table.Column<string>(type: "TEXT", nullable: false),
                    valid_from = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_manifest_versions", x => new { x.app, x.version });
                });

            migrationBuilder.CreateTable(
                name: "notification_digests",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    rule = table.Column<string>(type: "TEXT", nullable: false),
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    opened_at = table.Column<long>(type: "INTEGER", nullable: false),
                    due_at = table.Column<long>(type: "INTEGER", nullable: false),
                    count = table.Column<int>(type: "INTEGER", nullable: false),
                    leased_until = table.Column<long>(type: "INTEGER", nullable: true),
                    lock_id = table.Column<Guid>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_digests", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "notification_preferences",
                columns: table => new
                {
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    muted = table.Column<bool>(type: "INTEGER", nullable: false),
                    channels = table.Column<string>(type: "TEXT", nullable: false),
                    quiet_hours = table.Column<string>(type: "TEXT", nullable: true),
                    version = table.Column<long>(type: "INTEGER", nullable: false),
                    updated_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_preferences", x => new { x.app, x.user_id });
                });

            migrationBuilder.CreateTable(
                name: "notification_throttles",
                columns: table => new
                {
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    rule = table.Column<string>(type: "TEXT", nullable: false),
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    count = table.Column<int>(type: "INTEGER", nullable: false),
                    ends_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_notification_throttles", x => new { x.app, x.rule, x.user_id, x.key });
                });

            migrationBuilder.CreateTable(
                name: "push_subscriptions",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    app = table.Column<string>(type: "TEXT", nullable: false),
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    endpoint = table.Column<string>(type: "TEXT", nullable: false),
                    p256dh = table.Column<string>(type: "TEXT", nullable: false),
                    auth = table.Column<string>(type: "TEXT", nullable: false),
                    user_agent = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_push_subscriptions", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_notifications_expiry",
                table: "notifications",
                column: "expires_at",
                filter: "expires_at IS NOT NULL AND in_inbox AND archived_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_notifications_time",
                table: "notifications",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_notification_requests_created_at",
                table: "notification_requests",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_notification_requests_due",
                table: "notification_requests",
                columns: new[] { "app", "send_at" },
                filter: "scheduled IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_channel",
                table: "notification_delivery",
                columns: new[] { "notification_id", "channel", "target" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_held",
                table: "notification_delivery",
                columns: new[] { "app", "user_id" },
                filter: "unless_acked AND status IN ('pending', 'failed')");

            migrationBuilder.CreateIndex(
                name: "ix_digest_items_at",
                table: "digest_items",
                column: "at");

            migrationBuilder.CreateIndex(
                name: "ix_digest_items_digest_id",
                table: "digest_items",
                column: "digest_id");

            migrationBuilder.CreateIndex(
                name: "ix_notification_digests_due",
                table: "notification_digests",
                columns: new[] { "app", "due_at" });

            migrationBuilder.CreateIndex(
                name: "ix_notification_digests_open",
                table: "notification_digests",
                columns: new[] { "app", "rule", "user_id", "key" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_notification_throttles_ends_at",
                table: "notification_throttles",
                column: "ends_at");

            migrationBuilder.CreateIndex(
                name: "ix_push_subscriptions_endpoint",
                table: "push_subscriptions",
                columns: new[] { "app", "endpoint" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_push_subscriptions_user",
                table: "push_subscriptions",
                columns: new[] { "app", "user_id" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            // What an older version cannot keep apart.
            migrationBuilder.Sql("DELETE FROM notification_delivery WHERE target <> ''");

            migrationBuilder.DropTable(
                name: "digest_items");

            migrationBuilder.DropTable(
                name: "manifest_versions");

            migrationBuilder.DropTable(
                name: "notification_digests");

            migrationBuilder.DropTable(
                name: "notification_preferences");

            migrationBuilder.DropTable(
                name: "notification_throttles");

            migrationBuilder.DropTable(
                name: "push_subscriptions");

            migrationBuilder.DropIndex(
                name: "ix_notifications_expiry",
                table: "notifications");

            migrationBuilder.DropIndex(
                name: "ix_notifications_time",
                table: "notifications");

            migrationBuilder.DropIndex(
                name: "ix_notification_requests_created_at",
                table: "notification_requests");

            migrationBuilder.DropIndex(
                name: "ix_notification_requests_due",
                table: "notification_requests");

            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_channel",
                table: "notification_delivery");

            migrationBuilder.DropIndex(
                name: "ix_notification_delivery_held",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "expires_at",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "manifest_version",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "recalled_at",
                table: "notifications");

            migrationBuilder.DropColumn(
                name: "leased_until",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "lock_id",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "recalled_at",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "scheduled",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "send_at",
                table: "notification_requests");

            migrationBuilder.DropColumn(
                name: "content",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "target",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "unless_acked",
                table: "notification_delivery");

            migrationBuilder.DropColumn(
                name: "interests",
                table: "connection_evidence");

            migrationBuilder.CreateIndex(
                name: "ix_notification_delivery_channel",
                table: "notification_delivery",
                columns: new[] { "notification_id", "channel" },
                unique: true);
        }
    }
}
