using Npgsql;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The PostgreSQL of this test run, reached as a superuser. Each test class gets a database of its own from it.</summary>
internal static class PostgresServer
{
    public const string Variable = "ORIVA_TEST_POSTGRES";

    private static readonly string s_prefix = $"oriva_test_{Environment.ProcessId}_";
    private static readonly Lazy<Task<string>> s_template = new(MakeTemplateAsync);
    private static int s_databases;

    /// <exception cref="InvalidOperationException">
    /// None was given. That fails a test and never skips it: a suite that is green without PostgreSQL says nothing.
    /// </exception>
    public static string ConnectionString => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given
        ? given
        : throw new InvalidOperationException(
            $"This test needs PostgreSQL. Run ./test.sh, which starts one, or set {Variable} to a throw-away server and a login that may create "
            + "databases and roles, for example Host=127.0.0.1;Username=postgres;Database=postgres.");

    /// <summary>A database with the schema of this version.</summary>
    public static async Task<PostgresStore> CreateMigratedAsync()
    {
        var template = await s_template.Value;
        return await CreateAsync($"TEMPLATE {template}");
    }

    /// <summary>A database with nothing in it.</summary>
    public static Task<PostgresStore> CreateEmptyAsync() => CreateAsync("");

    public static async Task DropAsync(string database) => await ExecuteAsync($"DROP DATABASE IF EXISTS {database} WITH (FORCE)");

    public static async Task DropTemplateAsync()
    {
        if (s_template is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            await DropAsync(await s_template.Value);
    }

    private static async Task<PostgresStore> CreateAsync(string how)
    {
        var name = s_prefix + Interlocked.Increment(ref s_databases);
        await ExecuteAsync($"CREATE DATABASE {name} {how}");
        return new PostgresStore(name, ConnectionTo(name));
    }

    /// <summary>Migrating takes a second, copying a migrated database a fraction of it.</summary>
    private static async Task<string> MakeTemplateAsync()
    {
        var store = await CreateEmptyAsync();
        await using (var node = await LogHost.StartAsync(store, new LogHostSettings { Storage = storage => storage.MigrateAtStart = true }))
            node.Startup.WaitingFor.ShouldBeNull(node.Log.ToString());
        // The epoch stays the same in every copy, which no test minds: none has two stores.
        return store.Name;
    }

    private static string ConnectionTo(string database) =>
        new NpgsqlConnectionStringBuilder(ConnectionString) { Database = database, IncludeErrorDetail = true }.ToString();

    private static async Task ExecuteAsync(string sql)
    {
        // Not pooled: an idle connection to the template would keep it from being copied.
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ToString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>Runs once, after all tests.</summary>
public sealed class TestRunEnd : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await PostgresServer.DropTemplateAsync();
        SqliteStore.DeleteTemplate();
    }
}
