namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>
/// One store and one node on it for a class of tests. A specification is an abstract class over this, with a sealed class for each store, so that
/// every store is held to the same.
/// </summary>
public abstract class StoreFixture : IAsyncLifetime
{
    private readonly List<TestStore> _stores = [];
    private TestStore? _store;
    private LogHost? _node;

    internal TestStore Store => _store!;

    internal LogHost Node => _node!;

    /// <summary>What the class's node has other than usual.</summary>
    private protected virtual LogHostSettings Settings { get; } = new();

    public async ValueTask InitializeAsync()
    {
        _store = await NewStoreAsync();
        _node = await LogHost.StartAsync(_store, Settings);
    }

    /// <summary>Another migrated store of the same kind; it lives as long as the fixture.</summary>
    internal async Task<TestStore> NewStoreAsync()
    {
        var store = await CreateStoreAsync();
        _stores.Add(store);
        return store;
    }

    private protected abstract Task<TestStore> CreateStoreAsync();

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        try
        {
            if (_node is not null)
                await _node.DisposeAsync();
        }
        finally
        {
            foreach (var store in _stores)
                await store.DisposeAsync();
        }
    }
}

public sealed class SqliteFixture : StoreFixture
{
    private protected override async Task<TestStore> CreateStoreAsync() => await SqliteStore.CreateMigratedAsync();
}

public sealed class PostgresFixture : StoreFixture
{
    private protected override async Task<TestStore> CreateStoreAsync() => await PostgresServer.CreateMigratedAsync();
}

/// <summary>Tests over a <see cref="StoreFixture"/>. When one fails, the logs of its nodes are in its output.</summary>
public abstract class StoreTests(StoreFixture fixture) : IAsyncLifetime
{
    private readonly List<LogHost> _nodes = [];

    private protected StoreFixture Fixture { get; } = fixture;

    private protected TestStore Store => Fixture.Store;

    /// <summary>The class's node. Tests share it, so each takes apps of its own.</summary>
    private protected LogHost Node => Fixture.Node;

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>A node of the test's own, on a store of its own unless one is given. It is stopped after the test.</summary>
    private protected async Task<LogHost> StartNodeAsync(LogHostSettings? settings = null, TestStore? on = null)
    {
        var node = await LogHost.StartAsync(on ?? await Fixture.NewStoreAsync(), settings);
        _nodes.Add(node);
        return node;
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        try
        {
            foreach (var node in _nodes)
                await node.DisposeAsync();
        }
        finally
        {
            if (TestContext.Current.TestState?.Result == TestResult.Failed)
            {
                foreach (var node in _nodes.Prepend(Node))
                    TestContext.Current.TestOutputHelper?.WriteLine($"--- log of a node{Environment.NewLine}{node.Log}");
            }
        }
    }
}
