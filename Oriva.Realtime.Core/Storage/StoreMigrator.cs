using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// Brings the store's schema up to this version and gives a new store its epoch. Several nodes may start at once: in PostgreSQL one holds an advisory
/// lock and the others find nothing left to do.
/// </summary>
public sealed partial class StoreMigrator
{
    private readonly StorageOptions _options;
    private readonly RealtimeDatabase _database;
    private readonly EventStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger<StoreMigrator> _logger;

    internal StoreMigrator(IOptions<StorageOptions> options, RealtimeDatabase database, EventStore store, TimeProvider time, ILogger<StoreMigrator> logger)
    {
        _options = options.Value;
        _database = database;
        _store = store;
        _time = time;
        _logger = logger;
    }

    public async Task MigrateAsync(CancellationToken cancellationToken)
    {
        using var alone = Alone();
        await MigrateAlreadyAloneAsync(cancellationToken);
    }

    /// <summary>For a node that is starting and has the SQLite store to itself.</summary>
    internal async Task MigrateAlreadyAloneAsync(CancellationToken cancellationToken)
    {
        if (_database.Provider == StorageProvider.Postgres)
        {
            await MigratePostgresAsync(cancellationToken);
        }
        else
        {
            await using var context = _database.ForService();
            await ApplyAsync(context, cancellationToken);
        }

        await EnsureEpochAsync(cancellationToken);
        var today = DateOnly.FromDateTime(_time.GetUtcNow().UtcDateTime);
        await _store.PrepareDaysAsync(today.AddDays(-1), today.AddDays(7), cancellationToken);
    }

    /// <summary>Migrations that the store still lacks.</summary>
    public async Task<IReadOnlyList<string>> FindPendingAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        try
        {
            return [.. await context.Database.GetPendingMigrationsAsync(cancellationToken)];
        }
        catch (PostgresException e) when (e is { SqlState: PostgresErrorCodes.InvalidParameterValue, InvariantSeverity: "FATAL" })
        {
            // The role that connections start in does not exist: the first migration makes it.
            return [.. context.Database.GetMigrations()];
        }
    }

    /// <summary>Gives the store another epoch: after a restore from a backup, so that no cursor from before is taken for one of the restored history.</summary>
    public async Task RenewEpochAsync(CancellationToken cancellationToken)
    {
        using var alone = Alone();
        await using var context = _database.ForService();
        var info = await context.StoreInfo.SingleAsync(cancellationToken);
        (info.Epoch, info.CreatedAt) = (NewEpoch(), _time.GetUtcNow());
        await context.SaveChangesAsync(cancellationToken);
        LogEpoch(info.Epoch);
    }

    private SqliteLock? Alone() => _database.Provider == StorageProvider.Sqlite ? SqliteLock.Take(_options.SqlitePath) : null;

    private async Task MigratePostgresAsync(CancellationToken cancellationToken)
    {
        // As the login itself: the migrations make the roles that everything else runs as.
        await using var dataSource = RealtimeDatabase.BuildDataSource(_options.PostgresConnectionString!, role: null);
        await using var locking = await dataSource.OpenConnectionAsync(cancellationToken);
        await using (var take = new NpgsqlCommand(PostgresSql.LockMigrations, locking) { CommandTimeout = 300 })
            await take.ExecuteNonQueryAsync(cancellationToken);
        await using var context = new RealtimeDbContext(RealtimeDatabase.ConfigurePostgres(dataSource));
        await ApplyAsync(context, cancellationToken);
        // Closing a pooled connection gives the session's advisory lock back.
    }

    private async Task ApplyAsync(RealtimeDbContext context, CancellationToken cancellationToken)
    {
        var pending = (await context.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        if (pending.Count == 0)
            return;
        await context.Database.MigrateAsync(cancellationToken);
        LogMigrated(string.Join(", ", pending));
    }

    private async Task EnsureEpochAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        if (await context.StoreInfo.AnyAsync(cancellationToken))
            return;
        context.StoreInfo.Add(new StoreInfoRow { Epoch = NewEpoch(), CreatedAt = _time.GetUtcNow() });
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException) when (!cancellationToken.IsCancellationRequested)
        {
            // Another node was first.
        }
    }

    private string NewEpoch() => Guid.CreateVersion7(_time.GetUtcNow()).ToString("N");

    [LoggerMessage(Level = LogLevel.Information, Message = "Migrated the store: {Migrations}")]
    private partial void LogMigrated(string migrations);

    [LoggerMessage(Level = LogLevel.Information, Message = "The store has a new epoch: {Epoch}. Clients will be told to fetch their state anew")]
    private partial void LogEpoch(string epoch);
}
