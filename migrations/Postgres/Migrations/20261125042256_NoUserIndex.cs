using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Oriva.Realtime.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class NoUserIndex : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Unused: a user's events are one stream, and found by its key.
            migrationBuilder.Sql(Isolation.BecomeOwner);
            migrationBuilder.DropIndex(
                name: "ix_events_user_time",
                schema: "realtime",
                table: "events");
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(Isolation.BecomeOwner);
            migrationBuilder.CreateIndex(
                name: "ix_events_user_time",
                schema: "realtime",
                table: "events",
                columns: new[] { "user_id", "recorded_at" },
                filter: "user_id IS NOT NULL");
            migrationBuilder.Sql(Isolation.BecomeLogin);
        }
    }
}
