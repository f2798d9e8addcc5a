using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Opens the database in its two views: the service's, and a reader's behind both walls.</summary>
internal sealed class RealtimeDatabase : IAsyncDisposable
{
    private readonly DbContextOptions<RealtimeDbContext> _contextOptions;

    public RealtimeDatabase(IOptions<StorageOptions> options)
    {
        var storage = options.Value;
        Provider = storage.Provider ?? StorageProvider.Sqlite;
        if (Provider == StorageProvider.Postgres)
        {
            Postgres = BuildDataSource(storage.PostgresConnectionString!, storage.PostgresRoleOption ? PostgresSql.ServiceRole : null);
            _contextOptions = ConfigurePostgres(Postgres);
        }
        else
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(storage.SqlitePath))!);
            SqliteConnectionString = new SqliteConnectionStringBuilder
            {
                DataSource = Path.GetFullPath(storage.SqlitePath),
                ForeignKeys = true,
                DefaultTimeout = 30,
            }.ToString();
            _contextOptions = ConfigureSqlite(SqliteConnectionString);
        }
    }

    public StorageProvider Provider { get; }

    /// <summary>Connections of the service role; null on SQLite.</summary>
    public NpgsqlDataSource? Postgres { get; }

    public string? SqliteConnectionString { get; }

    public RealtimeDbContext ForService() => new(_contextOptions);

    /// <summary>Runs a query as a reader who sees only <paramref name="scope"/>: named filters, and in PostgreSQL the user role with the scope as its claims.</summary>
    public async Task<T> ReadAsync<T>(ReadScope scope, Func<RealtimeDbContext, Task<T>> query, CancellationToken cancellationToken)
    {
        await using var context = new RealtimeDbContext(_contextOptions, scope);
        if (Provider == StorageProvider.Sqlite)
            return await query(context);

        await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
        await context.Database.ExecuteSqlRawAsync(PostgresSql.BecomeReader, [scope.Claims], cancellationToken);
        var result = await query(context);
        await transaction.CommitAsync(cancellationToken);
        return result;
    }

    public static DbContextOptions<RealtimeDbContext> ConfigurePostgres(DbDataSource dataSource) =>
        new DbContextOptionsBuilder<RealtimeDbContext>()
            .UseNpgsql(dataSource, npgsql => npgsql
                .MigrationsAssembly("Oriva.Realtime.Migrations.Postgres")
                .MigrationsHistoryTable("__ef_migrations_history", RealtimeDbContext.Schema))
            .UseSnakeCaseNamingConvention()
            .AddInterceptors(UncancelledStatements.Instance)
            .Options;

    public static DbContextOptions<RealtimeDbContext> ConfigureSqlite(string connectionString) =>
        new DbContextOptionsBuilder<RealtimeDbContext>()
            .UseSqlite(connectionString, sqlite => sqlite
                .MigrationsAssembly("Oriva.Realtime.Migrations.Sqlite")
                .MigrationsHistoryTable("__ef_migrations_history"))
            .UseSnakeCaseNamingConvention()
            .Options;

    /// <param name="connectionString">The team's own, with a login that is a member of the roles.</param>
    /// <param name="role">The role that every connection starts in; null: the login's own, for migrations.</param>
    public static NpgsqlDataSource BuildDataSource(string connectionString, string? role)
    {
        var builder = new NpgsqlDataSourceBuilder(connectionString);
        var settings = builder.ConnectionStringBuilder;
        if (role is not null)
        {
            // As start-up options, because DISCARD ALL between pooled uses returns a connection to them.
            settings.Options = $"{settings.Options} -c role={role} -c search_path={RealtimeDbContext.Schema}".Trim();
        }

        // What the team says stands: a pooler in transaction mode may know no prepared statements.
        var said = new DbConnectionStringBuilder { ConnectionString = connectionString };
        if (!said.ContainsKey("Max Auto Prepare"))
            (settings.MaxAutoPrepare, settings.AutoPrepareMinUsages) = (32, 2);
        // Everything that is set here is set for one transaction, so a connection needs no reset between uses.
        if (!said.ContainsKey("No Reset On Close"))
            settings.NoResetOnClose = true;

        settings.ApplicationName ??= "oriva-realtime";
        return builder.Build();
    }

    public async ValueTask DisposeAsync()
    {
        if (Postgres is not null)
            await Postgres.DisposeAsync();
    }
}
