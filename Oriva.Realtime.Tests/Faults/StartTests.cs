using System.Net;
using System.Net.Sockets;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>Starts that must not succeed, and what is done before a start.</summary>
public sealed class StartTests : ProcessTests
{
    private const string Production = "Production";

    [Fact]
    public async Task InProduction_AStartWithoutSettings_NamesAllThatIsMissingAtOnce()
    {
        var hub = Launch(new Dictionary<string, string?> { ["Retention:Days"] = "0", ["Limits:PayloadByts"] = "1", ["Cors:Origins"] = "nonsense" }, Production);
        (await hub.ExitAsync()).ShouldBe(1, hub.Output);
        foreach (var key in new[] { "Storage:Provider", "Auth:Authority", "Auth:JwksUri", "Auth:SymmetricKey", "Retention:Days", "Limits:PayloadByts", "Cors:Origins" })
            hub.Output.ShouldContain(key);
        hub.Output.ShouldNotContain("   at ", customMessage: "a stack trace would add nothing");
    }

    [Fact]
    public async Task InProduction_TheSchemaIsAppliedByMigrateAlone_AndANodeThatWaitsForItBecomesReady()
    {
        await using var store = await PostgresServer.CreateEmptyAsync();
        var settings = new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key };
        var hub = Launch(settings, Production);
        await hub.ListensAsync();
        (await hub.As(null).GetAsync("/health/live")).ShouldBe(200);
        (await hub.As(null).GetAsync("/health/ready")).Status.ShouldBe(503);
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBeProblem(503, "unavailable");

        var migration = Launch(settings, Production, "--migrate");
        (await migration.ExitAsync()).ShouldBe(0, migration.Output);
        migration.Output.ShouldContain("The store is migrated.");
        await Waiting.Eventually("the node is ready", async () => (await hub.As(null).GetAsync("/health/ready")).Status == 200, TimeSpan.FromSeconds(30));
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(201);

        var again = Launch(settings, Production, "--migrate");
        (await again.ExitAsync()).ShouldBe(0, again.Output);
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(200);
    }

    /// <summary>The first thing that a migration makes is the schema; who may use it is said later.</summary>
    [Fact]
    public async Task AMigrationThatIsHalfDone_DoesNotStopANodeThatWaitsForIt()
    {
        await using (await PostgresServer.CreateMigratedAsync())
        {
            // For the roles, which a server has once for all its databases.
        }

        await using var store = await PostgresServer.CreateEmptyAsync();
        var settings = new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key };
        await store.ExecuteAsync("CREATE SCHEMA realtime");
        var hub = Launch(settings, Production);
        await hub.ListensAsync();
        // Until everything that asks the store every second or two has asked it.
        var started = TimeProvider.System.GetTimestamp();
        await Waiting.Eventually("five seconds have passed, and the node is live", async () =>
        {
            (await hub.As(null).GetAsync("/health/live")).ShouldBe(200);
            return TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(5);
        });
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBeProblem(503, "unavailable");

        var migration = Launch(settings, Production, "--migrate");
        (await migration.ExitAsync()).ShouldBe(0, migration.Output);
        await Waiting.Eventually("the node is ready", async () => (await hub.As(null).GetAsync("/health/ready")).Status == 200, TimeSpan.FromSeconds(30));
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(201);
    }

    [Fact]
    public async Task InProduction_SqliteIsMigratedAndStarted_AndMetricsHaveAPortOfTheirOwn()
    {
        await using var store = SqliteStore.CreateEmpty();
        var settings = new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key, ["Management:Port"] = FindFreePort().ToString() };
        var migration = Launch(settings, Production, "--migrate");
        (await migration.ExitAsync()).ShouldBe(0, migration.Output);

        var hub = Launch(settings, Production);
        await hub.ListensAsync();
        (await hub.As(null).GetAsync("/health/ready")).ShouldBe(200);
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBe(201);
        (await hub.As(Tokens.Admin()).GetAsync("/metrics")).ShouldBeProblem(404, "not_found");
        using var management = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{settings["Management:Port"]}") };
        (await new ApiCaller(management, null).GetAsync("/metrics")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task ANewEpoch_ResetsEveryCursorFromBefore()
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var settings = new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key };
        var token = Tokens.User(User, App);
        var hub = await StartAsync(store);
        var cursor = (await hub.As(token).GetAsync($"{ApiCaller.Events}/cursor?app={App}")).ShouldBe(200);
        await hub.KillAsync();

        var renewal = Launch(settings, Production, "--new-epoch");
        (await renewal.ExitAsync()).ShouldBe(0, renewal.Output);
        hub = await StartAsync(store);
        (await hub.As(token).PollAsync(new { app = App, cursor })).ShouldBe(200).Flag("reset").ShouldBeTrue();
    }

    [Fact]
    public async Task SigtermIsAStop_WithExitCode0()
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var hub = await StartAsync(store);
        await using var client = await HubClient.ConnectAsync(hub.Address, Tokens.User(User, App));
        await client.SubscribeAsync(new { app = App });
        await using var stream = await hub.As(Tokens.User(User, App)).OpenStreamAsync($"app={App}");
        hub.Terminate();
        (await hub.ExitAsync()).ShouldBe(0, hub.Output);
        await client.Closed.Soon("the connection ends");
    }

    private static int FindFreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
