using Microsoft.AspNetCore.DataProtection;
using Npgsql;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Cluster;

public sealed class SharedKeysOnSqliteTests(SqliteHub fixture) : SharedKeysSpecification(fixture), IClassFixture<SqliteHub>
{
    [Fact]
    public async Task ARestart_KeepsTheKeys()
    {
        var store = await Fixture.NewStoreAsync();
        var before = await StartHubAsync(on: store);
        var secret = Protector(before).Protect("for your eyes only");
        await before.DisposeAsync();
        Protector(await StartHubAsync(on: store)).Unprotect(secret).ShouldBe("for your eyes only");
    }
}

public sealed class SharedKeysOnPostgresTests(PostgresHub fixture) : SharedKeysSpecification(fixture), IClassFixture<PostgresHub>
{
    [Fact]
    public async Task WhatOneNodeProtects_AllOthersRead_AlsoThoseThatComeLater()
    {
        var store = await Fixture.NewStoreAsync();
        var nodes = new List<HubHost> { await StartHubAsync(on: store), await StartHubAsync(on: store) };
        // Both at the same moment, when there is no key yet.
        var secrets = await Task.WhenAll(nodes.Select(node => Task.Run(() => Protector(node).Protect("for your eyes only"))));
        nodes.Add(await StartHubAsync(on: store));
        secrets = [.. secrets, Protector(nodes[2]).Protect("for your eyes only")];
        foreach (var node in nodes)
            secrets.Select(Protector(node).Unprotect).ShouldAllBe(text => text == "for your eyes only");
    }

    [Fact]
    public async Task WhileTheStoreIsAway_NothingIsProtected_AndTheNodeLives()
    {
        var store = await PostgresServer.CreateMigratedAsync();
        await using var _ = store;
        var server = new NpgsqlConnectionStringBuilder(store.ConnectionString);
        await using var proxy = new TcpProxy(server.Host!, server.Port);
        proxy.Refuse();
        var away = new NpgsqlConnectionStringBuilder(store.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ToString();
        await using var node = HubHost.StartOnKestrel(store, new Dictionary<string, string?> { ["ConnectionStrings:Postgres"] = away });
        StoreOutage.Is(Should.Throw<Exception>(() => Protector(node).Protect("x"))).ShouldBeTrue();
        (await node.As(null).GetAsync("/health/live")).ShouldBe(200);
        proxy.Restore();
        await Waiting.Eventually("the store is back", () =>
        {
            try
            {
                return Protector(node).Unprotect(Protector(node).Protect("x")) == "x";
            }
            catch (Exception e) when (StoreOutage.Is(e))
            {
                return false;
            }
        });
    }
}

public abstract class SharedKeysSpecification(HubFixture fixture) : HubTests(fixture)
{
    [Fact]
    public async Task TheKeys_AreInTheStore()
    {
        Protector(Hub).Protect("x").ShouldNotBeEmpty();
        (await Fixture.Store.QueryAsync<string>("SELECT name FROM data_protection_keys")).ShouldHaveSingleItem().ShouldStartWith("key-");
    }

    private protected static IDataProtector Protector(HubHost node) => node.Get<IDataProtectionProvider>().CreateProtector("tests");
}
