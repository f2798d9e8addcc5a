using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using Oriva.Realtime.Core.Storage;

[assembly: AssemblyFixture(typeof(Oriva.Realtime.Tests.Infrastructure.TestRunEnd))]

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A store of a test's own, and what a test does to it behind the service's back.</summary>
internal abstract class TestStore : IAsyncDisposable
{
    /// <summary>The settings that point a node to it, as a host's configuration has them.</summary>
    public abstract IReadOnlyDictionary<string, string?> Configuration { get; }

    public abstract void Configure(StorageOptions options);

    /// <summary>A connection that may do everything, in which the tables have the same names in both stores. Not pooled.</summary>
    public abstract Task<DbConnection> OpenAsync();

    /// <summary>Lets no append to the stream pass until the result is disposed; the stream must have an event.</summary>
    public abstract Task<IAsyncDisposable> HoldAppendsAsync(string stream);

    /// <summary>From now on the store refuses events whose data contains the text, as it would one that it cannot store.</summary>
    public abstract Task RefuseEventsWithAsync(string text);

    public async Task<int> ExecuteAsync(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of each row.</summary>
    public async Task<List<T>> QueryAsync<T>(string sql)
    {
        await using var connection = await OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync();
        var values = new List<T>();
        while (await reader.ReadAsync())
            values.Add(await reader.GetFieldValueAsync<T>(0));
        return values;
    }

    public async Task<T> SingleAsync<T>(string sql) => (await QueryAsync<T>(sql)).ShouldHaveSingleItem();

    public abstract ValueTask DisposeAsync();

    /// <summary>An open transaction that is rolled back when it is disposed.</summary>
    private protected sealed class OpenTransaction(DbConnection connection, DbTransaction transaction) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}

/// <summary>A PostgreSQL database.</summary>
internal sealed class PostgresStore(string name, string connectionString) : TestStore
{
    public string Name { get; } = name;

    /// <summary>As a superuser.</summary>
    public string ConnectionString { get; } = connectionString;

    public override IReadOnlyDictionary<string, string?> Configuration => new Dictionary<string, string?>
    {
        ["Storage:Provider"] = nameof(StorageProvider.Postgres),
        ["ConnectionStrings:Postgres"] = ConnectionString,
    };

    public override void Configure(StorageOptions options)
    {
        options.Provider = StorageProvider.Postgres;
        options.PostgresConnectionString = ConnectionString;
    }

    public override async Task<DbConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false, SearchPath = "realtime" }.ToString());
        await connection.OpenAsync();
        return connection;
    }

    public override async Task<IAsyncDisposable> HoldAppendsAsync(string stream)
    {
        var connection = (NpgsqlConnection)await OpenAsync();
        var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("SELECT head FROM streams WHERE stream = $1 FOR UPDATE", connection, transaction);
        command.Parameters.Add(new() { Value = stream });
        (await command.ExecuteScalarAsync()).ShouldNotBeNull("the stream has no event yet");
        return new OpenTransaction(connection, transaction);
    }

    /// <remarks>NOT VALID: what is stored already is not looked at.</remarks>
    public override Task RefuseEventsWithAsync(string text) =>
        ExecuteAsync($"ALTER TABLE events ADD CONSTRAINT no_poison CHECK (strpos(data::text, '{text}') = 0) NOT VALID");

    public override async ValueTask DisposeAsync() => await PostgresServer.DropAsync(Name);
}

/// <summary>A SQLite file in a temporary folder.</summary>
internal sealed class SqliteStore : TestStore
{
    private static readonly Lazy<Task<string>> s_template = new(MakeTemplateAsync);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-test-").FullName;

    private SqliteStore()
    {
    }

    public string Path => System.IO.Path.Combine(_folder, "oriva.db");

    public override IReadOnlyDictionary<string, string?> Configuration => new Dictionary<string, string?>
    {
        ["Storage:Provider"] = nameof(StorageProvider.Sqlite),
        ["Storage:SqlitePath"] = Path,
    };

    public static async Task<SqliteStore> CreateMigratedAsync()
    {
        var store = new SqliteStore();
        File.Copy(await s_template.Value, store.Path);
        return store;
    }

    /// <summary>There is no file yet.</summary>
    public static SqliteStore CreateEmpty() => new();

    public override void Configure(StorageOptions options)
    {
        options.Provider = StorageProvider.Sqlite;
        options.SqlitePath = Path;
    }

    public override async Task<DbConnection> OpenAsync()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path, Pooling = false }.ToString());
        await connection.OpenAsync();
        return connection;
    }

    public override async Task<IAsyncDisposable> HoldAppendsAsync(string stream)
    {
        var connection = (SqliteConnection)await OpenAsync();
        return new OpenTransaction(connection, connection.BeginTransaction(deferred: false));
    }

    public override Task RefuseEventsWithAsync(string text) => ExecuteAsync(
        $"CREATE TRIGGER no_poison BEFORE INSERT ON events WHEN instr(NEW.data, '{text}') > 0 BEGIN SELECT RAISE(ABORT, 'poison'); END");

    public override ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    public static void DeleteTemplate()
    {
        if (s_template is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            File.Delete(s_template.Value.Result);
    }

    private static async Task<string> MakeTemplateAsync()
    {
        await using var store = CreateEmpty();
        await using (var node = await LogHost.StartAsync(store, new LogHostSettings { Storage = storage => storage.MigrateAtStart = true }))
            node.Startup.WaitingFor.ShouldBeNull(node.Log.ToString());
        SqliteConnection.ClearAllPools();
        var template = System.IO.Path.GetTempFileName();
        File.Copy(store.Path, template, overwrite: true);
        return template;
    }
}
