using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Servers;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>Starts what the command line names, side by side, and clears it all away after a scene, also one that could not be set.</summary>
/// <param name="folder">Of the run.</param>
internal sealed class StageHands(BenchOptions options, string folder)
{
    /// <summary>Connections that one process has at most, and some to spare.</summary>
    private const int MostConnections = 15_000;

    private const int ClusterNodes = 2;

    private readonly SortedSet<string> _stores = new(StringComparer.Ordinal);
    private readonly Stack<IAsyncDisposable> _standing = new();
    private int _folders;
    private ServerProcess? _redis;

    /// <summary>What ours kept its events in.</summary>
    public string Stores => string.Join("; ", _stores);

    public IReadOnlyList<Store> StoreKinds => options.Stores;

    private IEnumerable<string> Clustered => options.Servers.Where(server => server is ServerKeys.Ours or ServerKeys.Bare);

    /// <param name="withCrowd">Users are connected from the start; otherwise they come when a case or the verification wants them.</param>
    public Task<IReadOnlyList<Stage>> SetAsync(int users, bool withCrowd, Dialect dialect, CancellationToken cancellationToken) =>
        SetAsync([.. options.Servers.Where(server => dialect == Dialect.Json || server is not (ServerKeys.SocketIo or ServerKeys.SocketIoRedis))], users, withCrowd, dialect, cancellationToken);

    /// <summary>For what no other server has.</summary>
    public Task<IReadOnlyList<Stage>> SetOursAsync(int users, bool withCrowd, CancellationToken cancellationToken) =>
        SetAsync([ServerKeys.Ours], users, withCrowd, Dialect.Json, cancellationToken);

    /// <summary>Ours on PostgreSQL and the bare hub, each on two nodes with Redis, and then on one without.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<Stage>>> SetPairsAsync(int users, CancellationToken cancellationToken)
    {
        var pairs = new List<IReadOnlyList<Stage>>();
        foreach (var server in Clustered)
            pairs.Add([await SetOneAsync(server, ClusterNodes, users, null, cancellationToken), await SetOneAsync(server, nodes: 1, users, null, cancellationToken)]);
        return pairs;
    }

    /// <summary>The same on two nodes only.</summary>
    public async Task<IReadOnlyList<Stage>> SetClustersAsync(int users, CancellationToken cancellationToken)
    {
        var (stages, turn) = (new List<Stage>(), Clustered.Count() * users > MostConnections ? new Turn() : null);
        foreach (var server in Clustered)
            stages.Add(await SetOneAsync(server, ClusterNodes, users, turn, cancellationToken));
        return stages;
    }

    /// <summary>A store without anything of ours over it.</summary>
    public async Task<RawDatabase> OpenRawAsync(Store store, CancellationToken cancellationToken) => Keep<RawDatabase>(store == Store.Postgres
        ? await RawPostgres.CreateAsync(Keep(await PostgresDatabase.CreateAsync(options.Postgres!)), cancellationToken)
        : await RawSqlite.CreateAsync(Path.Combine(NewFolder(), "raw.db"), cancellationToken));

    /// <summary>The log of ours, in this process.</summary>
    public async Task<OursLog> OpenLogAsync(Store store, CancellationToken cancellationToken)
    {
        if (store == Store.Sqlite)
        {
            _stores.Add(OursTarget.SqliteDescription);
            var path = Path.Combine(NewFolder(), "log.db");
            return Keep(await OursLog.StartAsync(storage => (storage.Provider, storage.SqlitePath) = (StorageProvider.Sqlite, path), cancellationToken));
        }

        var database = Keep(await PostgresDatabase.CreateAsync(options.Postgres!));
        _stores.Add(database.Description);
        return Keep(await OursLog.StartAsync(
            storage => (storage.Provider, storage.PostgresConnectionString) = (StorageProvider.Postgres, database.ConnectionString), cancellationToken));
    }

    public async Task ClearAsync()
    {
        while (_standing.TryPop(out var last))
            await last.DisposeAsync();
        _redis = null;
    }

    private async Task<IReadOnlyList<Stage>> SetAsync(IReadOnlyList<string> servers, int users, bool withCrowd, Dialect dialect, CancellationToken cancellationToken)
    {
        var home = NewFolder();
        var stages = new List<Stage>();
        var targets = servers.Sum(server => server == ServerKeys.Ours ? options.Stores.Count : 1);
        var turn = targets * users > MostConnections ? new Turn() : null;
        foreach (var server in servers)
        {
            foreach (var store in server == ServerKeys.Ours ? options.Stores : (IEnumerable<Store?>)[null])
                stages.Add(Keep(await Stage.SetAsync(await StartAsync(server, store, nodes: 1, home, dialect, users, cancellationToken), withCrowd, turn, cancellationToken)));
        }

        return stages;
    }

    private async Task<Stage> SetOneAsync(string server, int nodes, int users, Turn? turn, CancellationToken cancellationToken)
    {
        var target = await StartAsync(server, server == ServerKeys.Ours ? Store.Postgres : null, nodes, NewFolder(), Dialect.Json, users, cancellationToken);
        return Keep(await Stage.SetAsync(target, withCrowd: true, turn, cancellationToken));
    }

    /// <param name="nodes">Several have a Redis between them.</param>
    private async Task<Target> StartAsync(string server, Store? store, int nodes, string home, Dialect dialect, int users, CancellationToken cancellationToken)
    {
        var redis = nodes > 1 || server is ServerKeys.BareRedis or ServerKeys.SocketIoRedis ? await FindRedisAsync(cancellationToken) : null;
        if (store is null)
        {
            return server switch
            {
                ServerKeys.Bare or ServerKeys.BareRedis => await BareTarget.StartAsync(home, nodes, redis, dialect, users, cancellationToken),
                _ => await SocketIoTarget.StartAsync(home, redis, users, cancellationToken),
            };
        }

        var database = store == Store.Postgres ? Keep(await PostgresDatabase.CreateAsync(options.Postgres!)) : null;
        _stores.Add(database?.Description ?? OursTarget.SqliteDescription);
        return await OursTarget.StartAsync(home, database, nodes, redis, dialect, users, cancellationToken);
    }

    /// <summary>The one that was given, or else one that this scene shares.</summary>
    private async Task<string> FindRedisAsync(CancellationToken cancellationToken) =>
        options.Redis ?? (_redis ??= Keep(await RedisServer.StartAsync(NewFolder(), cancellationToken))).Address.ToString();

    private string NewFolder() => Directory.CreateDirectory(Path.Combine(folder, $"{++_folders}")).FullName;

    private T Keep<T>(T standing)
        where T : IAsyncDisposable
    {
        _standing.Push(standing);
        return standing;
    }
}
