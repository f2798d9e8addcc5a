using System.Globalization;
using System.Security.Cryptography;
using Npgsql;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>A fresh database on a server that somebody else runs, dropped at the end.</summary>
internal sealed class PostgresDatabase : IAsyncDisposable
{
    private readonly string _server;
    private readonly string _name = "oriva_bench_" + RandomNumberGenerator.GetInt32(1_000_000).ToString(CultureInfo.InvariantCulture);

    private PostgresDatabase(string server) => _server = server;

    public string ConnectionString => new NpgsqlConnectionStringBuilder(_server) { Database = _name }.ToString();

    /// <summary>As the server names it, with what its durability depends on.</summary>
    public string Description { get; private set; } = "";

    /// <param name="server">A login that may create databases and roles.</param>
    public static async Task<PostgresDatabase> CreateAsync(string server)
    {
        var database = new PostgresDatabase(server);
        await database.ExecuteAsync($"CREATE DATABASE {database._name}");
        database.Description = await database.ExecuteAsync("""
            SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync')
                || ', synchronous_commit ' || current_setting('synchronous_commit')
            """) ?? "";
        return database;
    }

    public async ValueTask DisposeAsync() => await ExecuteAsync($"DROP DATABASE IF EXISTS {_name} WITH (FORCE)");

    private async Task<string?> ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_server) { Pooling = false }.ToString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync() as string;
    }
}
