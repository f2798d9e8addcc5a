using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Cluster : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_node_id",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_user_id",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "subscriptions",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.AddColumn<string>(
                name: "subscriptions",
                schema: "realtime",
                table: "websocket_connections",
                type: "json",
                nullable: false,
                defaultValue: "[]");

            migrationBuilder.AddColumn<string[]>(
                name: "scopes",
                schema: "realtime",
                table: "websocket_connections",
                type: "text[]",
                nullable: false,
                defaultValue: new string[0]);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "draining_since",
                schema: "realtime",
                table: "nodes",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "figures",
                schema: "realtime",
                table: "nodes",
                type: "json",
                nullable: false,
                defaultValue: "{}");

            migrationBuilder.AddColumn<Guid>(
                name: "instance",
                schema: "realtime",
                table: "nodes",
                type: "uuid",
                nullable: false,
                defaultValue: new Guid("00000000-0000-0000-0000-000000000000"));

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "lost_at",
                schema: "realtime",
                table: "nodes",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "stopped_at",
                schema: "realtime",
                table: "nodes",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "admin_audit",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    actor = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    action = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    target = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    details = table.Column<string>(type: "json", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_admin_audit", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "data_protection_keys",
                schema: "realtime",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    xml = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_data_protection_keys", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "node_commands",
                schema: "realtime",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    node_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    target = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    reason = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    done_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    affected = table.Column<int>(type: "integer", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_node_commands", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "user_blocks",
                schema: "realtime",
                columns: table => new
                {
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    until = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    created_by = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_user_blocks", x => x.user_id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_open",
                schema: "realtime",
                table: "websocket_connections",
                column: "node_id",
                filter: "closed_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_scopes",
                schema: "realtime",
                table: "websocket_connections",
                column: "scopes",
                filter: "closed_at IS NULL")
                .Annotation("Npgsql:IndexMethod", "gin");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_user_id_connected_at",
                schema: "realtime",
                table: "websocket_connections",
                columns: new[] { "user_id", "connected_at" });

            migrationBuilder.CreateIndex(
                name: "ix_node_commands_waiting",
                schema: "realtime",
                table: "node_commands",
                column: "node_id",
                filter: "done_at IS NULL");

            migrationBuilder.Sql(Isolation.ClusterPolicies);
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);
            migrationBuilder.Sql("""
                DROP POLICY presence ON realtime.websocket_connections;
                REVOKE SELECT (user_id, scopes, connected_at, closed_at) ON realtime.websocket_connections FROM oriva_user;
                """);

            migrationBuilder.DropTable(
                name: "admin_audit",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "data_protection_keys",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "node_commands",
                schema: "realtime");

            migrationBuilder.DropTable(
                name: "user_blocks",
                schema: "realtime");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_open",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_scopes",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_user_id_connected_at",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "scopes",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "draining_since",
                schema: "realtime",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "figures",
                schema: "realtime",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "instance",
                schema: "realtime",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "lost_at",
                schema: "realtime",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "stopped_at",
                schema: "realtime",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "subscriptions",
                schema: "realtime",
                table: "websocket_connections");

            migrationBuilder.AddColumn<int>(
                name: "subscriptions",
                schema: "realtime",
                table: "websocket_connections",
                type: "integer",
                nullable: false,
                defaultValue: 0);

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

            migrationBuilder.Sql(Isolation.BecomeLogin);
        }
    }
}
