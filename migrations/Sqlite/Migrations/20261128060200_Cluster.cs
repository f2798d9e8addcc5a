using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class Cluster : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_node_id",
                table: "websocket_connections");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_user_id",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "subscriptions",
                table: "websocket_connections");

            migrationBuilder.AddColumn<string>(
                name: "subscriptions",
                table: "websocket_connections",
                type: "TEXT",
                nullable: false,
                defaultValue: "[]");

            migrationBuilder.AddColumn<string>(
                name: "scopes",
                table: "websocket_connections",
                type: "TEXT",
                nullable: false,
                defaultValue: "[]");

            migrationBuilder.AddColumn<long>(
                name: "draining_since",
                table: "nodes",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "figures",
                table: "nodes",
                type: "TEXT",
                nullable: false,
                defaultValue: "{}");

            migrationBuilder.AddColumn<Guid>(
                name: "instance",
                table: "nodes",
                type: "TEXT",
                nullable: false,
                defaultValue: new Guid("00000000-0000-0000-0000-000000000000"));

            migrationBuilder.AddColumn<long>(
                name: "lost_at",
                table: "nodes",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "stopped_at",
                table: "nodes",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "admin_audit",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    at = table.Column<long>(type: "INTEGER", nullable: false),
                    actor = table.Column<string>(type: "TEXT", nullable: false),
                    action = table.Column<string>(type: "TEXT", nullable: false),
                    target = table.Column<string>(type: "TEXT", nullable: true),
                    details = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_admin_audit", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "data_protection_keys",
                columns: table => new
                {
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    xml = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_data_protection_keys", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "node_commands",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    node_id = table.Column<string>(type: "TEXT", nullable: false),
                    kind = table.Column<string>(type: "TEXT", nullable: false),
                    target = table.Column<string>(type: "TEXT", nullable: true),
                    reason = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    done_at = table.Column<long>(type: "INTEGER", nullable: true),
                    affected = table.Column<int>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_node_commands", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "user_blocks",
                columns: table => new
                {
                    user_id = table.Column<string>(type: "TEXT", nullable: false),
                    until = table.Column<long>(type: "INTEGER", nullable: false),
                    reason = table.Column<string>(type: "TEXT", nullable: true),
                    created_by = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_user_blocks", x => x.user_id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_open",
                table: "websocket_connections",
                column: "node_id",
                filter: "closed_at IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_user_id_connected_at",
                table: "websocket_connections",
                columns: new[] { "user_id", "connected_at" });

            migrationBuilder.CreateIndex(
                name: "ix_node_commands_waiting",
                table: "node_commands",
                column: "node_id",
                filter: "done_at IS NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "admin_audit");

            migrationBuilder.DropTable(
                name: "data_protection_keys");

            migrationBuilder.DropTable(
                name: "node_commands");

            migrationBuilder.DropTable(
                name: "user_blocks");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_open",
                table: "websocket_connections");

            migrationBuilder.DropIndex(
                name: "ix_websocket_connections_user_id_connected_at",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "scopes",
                table: "websocket_connections");

            migrationBuilder.DropColumn(
                name: "draining_since",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "figures",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "instance",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "lost_at",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "stopped_at",
                table: "nodes");

            migrationBuilder.DropColumn(
                name: "subscriptions",
                table: "websocket_connections");

            migrationBuilder.AddColumn<int>(
                name: "subscriptions",
                table: "websocket_connections",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_node_id",
                table: "websocket_connections",
                column: "node_id");

            migrationBuilder.CreateIndex(
                name: "ix_websocket_connections_user_id",
                table: "websocket_connections",
                column: "user_id");
        }
    }
}
