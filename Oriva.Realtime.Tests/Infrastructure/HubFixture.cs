namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>One store and one hub on it for a class of tests, which share it: each takes users, topics or apps of its own.</summary>
public abstract class HubFixture : IAsyncLifetime
{
    private readonly List<TestStore> _stores = [];

    internal TestStore Store { get; private set; } = null!;

    internal HubHost Hub { get; private set; } = null!;

    private protected abstract Task<TestStore> CreateStoreAsync();

    internal abstract HubHost Start(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development");

    public async ValueTask InitializeAsync()
    {
        Store = await NewStoreAsync();
        Hub = Start(Store);
    }

    /// <summary>Another migrated store of the same kind; it lives as long as the fixture.</summary>
    internal async Task<TestStore> NewStoreAsync()
    {
        var store = await CreateStoreAsync();
        _stores.Add(store);
        return store;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        try
        {
            if (Hub is not null)
                await Hub.DisposeAsync();
        }
        finally
        {
            foreach (var store in _stores)
                await store.DisposeAsync();
        }
    }
}

/// <summary>A hub in memory, on SQLite: for what does not depend on the network or the store.</summary>
public sealed class ApiFixture : HubFixture
{
    private protected override async Task<TestStore> CreateStoreAsync() => await SqliteStore.CreateMigratedAsync();

    internal override HubHost Start(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development") =>
        HubHost.StartInMemory(store, settings, environment);
}

/// <summary>A hub on Kestrel and SQLite.</summary>
public sealed class SqliteHub : HubFixture
{
    private protected override async Task<TestStore> CreateStoreAsync() => await SqliteStore.CreateMigratedAsync();

    internal override HubHost Start(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development") =>
        HubHost.StartOnKestrel(store, settings, environment);
}

/// <summary>A hub on Kestrel and PostgreSQL.</summary>
public sealed class PostgresHub : HubFixture
{
    private protected override async Task<TestStore> CreateStoreAsync() => await PostgresServer.CreateMigratedAsync();

    internal override HubHost Start(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development") =>
        HubHost.StartOnKestrel(store, settings, environment);
}
