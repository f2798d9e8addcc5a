using Microsoft.EntityFrameworkCore.Design;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Migrations.Postgres;

/// <summary>Lets <c>dotnet ef</c> build the model; it connects to nothing when it adds a migration.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<RealtimeDbContext>
{
    public RealtimeDbContext CreateDbContext(string[] args) =>
        new(RealtimeDatabase.ConfigurePostgres(RealtimeDatabase.BuildDataSource("Host=localhost;Database=oriva", role: null)));
}
