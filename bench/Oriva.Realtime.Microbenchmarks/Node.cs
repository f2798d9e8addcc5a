using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>A node without the ways to reach it, on a fresh store, with one app.</summary>
internal sealed class Node : IAsyncDisposable
{
    public const string Sqlite = "SQLite";
    public const string Postgres = "PostgreSQL";
    public const string App = "bench";
    public const string EventType = "order.placed";

    private const string Manifest = """
        { "app": "bench", "name": "Bench",
          "events": { "order.placed": { "title": "Order placed", "publishableBy": ["publishers"],
            "schema": { "type": "object", "required": ["orderId", "total"], "properties": {
              "orderId": { "type": "string", "maxLength": 64 }, "total": { "type": "number", "minimum": 0 },
              "currency": { "enum": ["EUR", "USD"] }, "items": { "type": "array", "items": { "type": "object", "required": ["sku"] } } } } } },
          "topics": [ { "pattern": "room-*", "access": "members" } ] }
        """;

    private readonly string _folder;
    private readonly PostgresDatabase? _postgres;
    private readonly IHost _host;

    private Node(string folder, PostgresDatabase? postgres, IHost host) => (_folder, _postgres, _host) = (folder, postgres, host);

    /// <summary>A throw-away server and a login that may create databases and roles; without it only SQLite is measured.</summary>
    private static string? PostgresServer => Environment.GetEnvironmentVariable("ORIVA_BENCH_POSTGRES") is { Length: > 0 } given ? given : null;

    public static IEnumerable<string> Stores => PostgresServer is null ? [Sqlite] : [Sqlite, Postgres];

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    public static async Task<Node> StartAsync(string store = Sqlite)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-microbenchmarks-").FullName;
        var postgres = store == Postgres ? await PostgresDatabase.CreateAsync(PostgresServer!) : null;
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.Configure<StorageOptions>(storage =>
        {
            storage.Provider = postgres is null ? StorageProvider.Sqlite : StorageProvider.Postgres;
            storage.SqlitePath = Path.Combine(folder, "bench.db");
            storage.PostgresConnectionString = postgres?.ConnectionString;
            storage.MigrateAtStart = true;
        });
        builder.Services.AddRealtimeCore();
        var node = new Node(folder, postgres, builder.Build());
        await node._host.StartAsync();
        var put = await node.Get<ManifestStore>().PutAsync(App, JsonElement.Parse(Manifest), new ManifestPut(), CancellationToken.None);
        return put.Fault is { } fault ? throw new InvalidOperationException(fault.Message) : node;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
        SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }
}
