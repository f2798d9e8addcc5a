using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class NoUserIndex : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Unused: a user's events are one stream, and found by its key.
            migrationBuilder.DropIndex(
                name: "ix_events_user_time",
                table: "events");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndex(
                name: "ix_events_user_time",
                table: "events",
                columns: new[] { "user_id", "recorded_at" },
                filter: "user_id IS NOT NULL");
        }
    }
}
