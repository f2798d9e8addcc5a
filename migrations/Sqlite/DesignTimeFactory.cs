using Microsoft.EntityFrameworkCore.Design;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Migrations.Sqlite;

/// <summary>Lets <c>dotnet ef</c> build the model; it opens nothing when it adds a migration.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<RealtimeDbContext>
{
    public RealtimeDbContext CreateDbContext(string[] args) => new(RealtimeDatabase.ConfigureSqlite("Data Source=design.db"));
}
