using Microsoft.EntityFrameworkCore;
using Npgsql;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteMigrationTests(SqliteFixture fixture) : MigrationSpecification(fixture), IClassFixture<SqliteFixture>
{
    private protected override Task<TestStore> CreateEmptyAsync() => Task.FromResult<TestStore>(SqliteStore.CreateEmpty());

    [Fact]
    public async Task SecondProcess_OnOneFile_IsRefusedClearly()
    {
        var refusal = await Should.ThrowAsync<StartupException>(() => LogHost.StartAsync(Store));
        refusal.Message.ShouldContain("Another process uses the SQLite store");
        refusal.Message.ShouldContain("Storage:Provider=Postgres");
    }

    [Fact]
    public async Task File_IsWrittenAheadAndSyncedWithEachCommit()
    {
        await using var context = Node.Database.ForService();
        (await context.Database.SqlQueryRaw<string>("SELECT journal_mode AS Value FROM pragma_journal_mode").SingleAsync(Cancel)).ShouldBe("wal");
    }
}

public sealed class PostgresMigrationTests(PostgresFixture fixture) : MigrationSpecification(fixture), IClassFixture<PostgresFixture>
{
    private protected override async Task<TestStore> CreateEmptyAsync() => await PostgresServer.CreateEmptyAsync();

    [Fact]
    public async Task SeveralNodes_StartingAtOnceOnAnEmptyDatabase_AllSucceed()
    {
        await using var store = await PostgresServer.CreateEmptyAsync();

        var nodes = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(() => StartNodeAsync(s_migrating, store))));

        nodes.ShouldAllBe(node => node.Startup.WaitingFor == null);
        nodes.Select(node => node.Epoch.Value).Distinct().Count().ShouldBe(1);
        nodes.Count(node => node.Log.ToString().Contains("Migrated the store", StringComparison.Ordinal)).ShouldBe(1);
        var app = await nodes[0].AddAppAsync();
        foreach (var node in nodes)
        {
            await node.Registry.RefreshAsync(Cancel);
            await node.PublishAsync(Drafts.ToAll(app));
        }

        await Task.WhenAll(nodes.Select(node => node.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task LoginsWithoutSuperuser_OneMigratesAndAnotherRuns()
    {
        // As docs/operations has it: a login that owns the database and migrates, and one that has only the service's role.
        await using var store = await PostgresServer.CreateEmptyAsync();
        var (migrates, runs) = ($"{store.Name}_migrates", $"{store.Name}_runs");
        await store.ExecuteAsync($"""
            CREATE ROLE {migrates} LOGIN; CREATE ROLE {runs} LOGIN;
            GRANT oriva_owner, oriva_service TO {migrates}; GRANT oriva_service TO {runs};
            ALTER DATABASE {store.Name} OWNER TO {migrates};
            """);
        try
        {
            await using (var node = await LogHost.StartAsync(store, As(store, migrates, migrate: true)))
            {
                node.Startup.WaitingFor.ShouldBeNull(node.Log.ToString());
                await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()));
            }

            await using (var node = await LogHost.StartAsync(store, As(store, runs, migrate: false)))
            {
                node.Startup.WaitingFor.ShouldBeNull(node.Log.ToString());
                var app = await node.AddAppAsync();
                await node.PublishAsync(Drafts.ToUser(app, "ada"));
                (await node.Store.ReadAsync($"{app}/users/ada", 0, DateTimeOffset.MinValue, new ReadLimit(10), Scopes.User("ada", app), Cancel)).Count.ShouldBe(1);
                (await node.Store.ReadAsync($"{app}/users/ada", 0, DateTimeOffset.MinValue, new ReadLimit(10), Scopes.User("eve", app), Cancel)).ShouldBeEmpty();
                await node.Retention.RunOnceAsync(Cancel);
            }

            await using var dataSource = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(store.ConnectionString) { Username = runs, Pooling = false });
            foreach (var attempt in new[] { "SET ROLE oriva_owner", "DELETE FROM realtime.events", "DROP TABLE realtime.events", "CREATE TABLE realtime.mine ()" })
            {
                await using var command = dataSource.CreateCommand(attempt);
                (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Cancel))).SqlState.ShouldBe(PostgresErrorCodes.InsufficientPrivilege, attempt);
            }
        }
        finally
        {
            await store.DisposeAsync();
            await Store.ExecuteAsync($"DROP ROLE {migrates}; DROP ROLE {runs};");
        }
    }

    [Fact]
    public async Task PostgresThatDoesNotWaitForItsDisk_IsRefused()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        await store.ExecuteAsync($"ALTER DATABASE {store.Name} SET synchronous_commit = off");

        (await Should.ThrowAsync<StartupException>(() => LogHost.StartAsync(store))).Message.ShouldContain("synchronous_commit");
    }

    private static LogHostSettings As(PostgresStore store, string login, bool migrate) => new()
    {
        Storage = storage => (storage.MigrateAtStart, storage.PostgresConnectionString) =
            (migrate, new NpgsqlConnectionStringBuilder(store.ConnectionString) { Username = login }.ToString()),
    };
}

/// <summary>How a store gets its schema.</summary>
public abstract class MigrationSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private protected static readonly LogHostSettings s_migrating = new() { Storage = storage => storage.MigrateAtStart = true };

    private protected abstract Task<TestStore> CreateEmptyAsync();

    [Fact]
    public async Task Model_HasNoChangesThatNoMigrationMakes()
    {
        await using var context = Node.Database.ForService();
        context.Database.HasPendingModelChanges().ShouldBeFalse();
        (await Node.Migrator.FindPendingAsync(Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task EmptyStore_IsMigratedAtStartAndOnlyOnce()
    {
        await using var store = await CreateEmptyAsync();
        string epoch;
        await using (var node = await LogHost.StartAsync(store, s_migrating))
        {
            node.Startup.WaitingFor.ShouldBeNull(node.Log.ToString());
            node.Log.ToString().ShouldContain("Migrated the store");
            epoch = node.Epoch.Value;
            await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()));
        }

        await using (var node = await LogHost.StartAsync(store, s_migrating))
        {
            node.Log.ToString().ShouldNotContain("Migrated the store");
            node.Epoch.Value.ShouldBe(epoch);
            await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()));
        }
    }

    [Fact]
    public async Task EmptyStore_WithoutMigratingAtStart_IsWaitedForAndNamed()
    {
        await using var store = await CreateEmptyAsync();
        await using var waiting = await LogHost.StartAsync(store);
        waiting.Startup.WaitingFor.ShouldNotBeNull().ShouldContain("--migrate");
        // SQLite serves one process: the one that waits has to go.
        if (store is SqliteStore)
            await waiting.DisposeAsync();

        // As the hub's --migrate does it.
        await using (var migrating = LogHost.Build(store))
            await migrating.Migrator.MigrateAsync(Cancel);

        await using var started = store is SqliteStore ? await LogHost.StartAsync(store) : null;
        var node = started ?? waiting;
        await Eventually("the node sees it", () => node.Startup.WaitingFor is null);
        await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()));
    }

    [Fact]
    public async Task Migrations_CanBeUndoneAndDoneAgain()
    {
        await using var store = await CreateEmptyAsync();
        await using (var node = await LogHost.StartAsync(store, s_migrating))
            await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()));
        var options = store is PostgresStore postgres
            ? RealtimeDatabase.ConfigurePostgres(NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Pooling = false }))
            : RealtimeDatabase.ConfigureSqlite((await store.OpenAsync()).ConnectionString);
        await using (var context = new RealtimeDbContext(options))
        {
            await context.Database.MigrateAsync("0", Cancel);
            await context.Database.MigrateAsync(Cancel);
        }

        await using (var node = await LogHost.StartAsync(store, s_migrating))
            (await node.PublishAsync(Drafts.ToAll(await node.AddAppAsync()))).Position.ShouldBe(1);
    }
}
