using System.Globalization;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>
/// Three hubs behind nginx, harmed in every way that they must bear, while publishers publish and followers follow; <c>verify</c> judges. How long
/// somebody waits is printed, and nothing is expected of it.
/// </summary>
[Collection(OnOneCluster.Name)]
[Trait("Category", "Long")]
public sealed class ClusterFaultTests(HubCluster cluster) : IAsyncLifetime
{
    /// <summary>
    /// The long form: so many minutes of one fault after the other instead of one, and outages of Redis of 20 and 10 seconds instead of shorter ones.
    /// </summary>
    private const string MinutesVariable = "ORIVA_TEST_FAULT_MINUTES";

    private const string Transports = "websockets,sse,longpolling";
    private const string App = "work-buddy";

    private static readonly double? s_minutes =
        Environment.GetEnvironmentVariable(MinutesVariable) is { Length: > 0 } minutes ? double.Parse(minutes, CultureInfo.InvariantCulture) : null;

    private static readonly TimeSpan s_redisKilled = TimeSpan.FromSeconds(s_minutes is null ? 8 : 20);
    private static readonly TimeSpan s_redisHalted = TimeSpan.FromSeconds(s_minutes is null ? 6 : 10);
    private static readonly TimeSpan s_atMost = TimeSpan.FromMinutes(2);

    /// <summary>Of load after the last fault.</summary>
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(4);

    public async ValueTask InitializeAsync() => await cluster.HealthyAsync();

    public ValueTask DisposeAsync()
    {
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
            cluster.WriteLogs();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task AHubKilled_AndStartedAgain()
    {
        var verify = await KeepsItsPromiseAsync(() => KillHubAsync(0));
        verify.Reconnects.ShouldBeGreaterThan(0, "a kill that nobody noticed shows nothing");
    }

    [Fact]
    public async Task EveryHubStopped_EachStartedAgainBeforeTheNext()
    {
        var verify = await KeepsItsPromiseAsync(async () =>
        {
            for (var node = 0; node < HubCluster.Nodes; node++)
                await StopHubAsync(node);
        });
        verify.Report.Items("connections").ShouldAllBe(connection => connection.Number("subscribed") > 1, "no hub is left that one could have stayed on");
    }

    [Fact]
    public Task RedisKilled_AndStartedAgain() => KeepsItsPromiseAsync(() => KillRedisAsync(() => LastAsync(s_redisKilled)));

    [Fact]
    public Task RedisHalted_AndGoingOn() => KeepsItsPromiseAsync(() => HaltRedisAsync(() => LastAsync(s_redisHalted)));

    [Fact]
    public Task RedisEmptied_AndItsSubscribersCutOff() => KeepsItsPromiseAsync(async () =>
    {
        for (var turn = 0; turn < 3; turn++)
        {
            await EmptyRedisAsync();
            await PauseAsync(TimeSpan.FromSeconds(2));
        }
    });

    [Theory]
    [InlineData("fast")]
    [InlineData("immediate")]
    public async Task PostgresRestarted_PublishersAreToldToRepeat_AndConnectionsStay(string mode)
    {
        var verify = await KeepsItsPromiseAsync(async () =>
        {
            await cluster.Postgres.StopAsync(mode);
            for (var n = 0; n < HubCluster.Nodes; n++)
            {
                var refused = await PublishAsync($"{mode}-{n}");
                refused.ShouldBeProblem(503, "unavailable").Items("ids").ShouldHaveSingleItem().GetString().ShouldBe($"{mode}-{n}");
                refused.RetryAfter.ShouldBeGreaterThan(0);
            }

            await cluster.Postgres.StartAsync();
            for (var n = 0; n < HubCluster.Nodes; n++)
                await Waiting.Eventually("the repeat is stored", async () => (await PublishAsync($"{mode}-{n}")).Status is 200 or 201);
        });
        verify.Report.Number("retries").ShouldBeGreaterThan(0, "a restart that no publisher noticed shows nothing");
        verify.Reconnects.ShouldBe(0);

        Task<HttpAnswer> PublishAsync(string id) => cluster.As(Tokens.Publisher(App)).PublishAsync(new { source = App, type = "session.started", userId = "nobody", id });
    }

    [Fact]
    public async Task ClientsCutOff_HeldUp_AndHalfClosed()
    {
        var verify = await KeepsItsPromiseAsync(async () =>
        {
            for (var turn = 0; turn < 3; turn++)
                await HarmNetworkAsync();
        });
        verify.Reconnects.ShouldBeGreaterThan(0, "a cut that nobody noticed shows nothing");
    }

    [Fact]
    public async Task AllOfIt_InAnyOrder()
    {
        var load = TimeSpan.FromMinutes(s_minutes ?? 1);
        var seed = Random.Shared.Next();
        WriteLine($"seed {seed}");
        var random = new Random(seed);
        (string Name, Func<Task> HarmAsync)[] faults =
        [
            ("a hub killed", () => KillHubAsync(random.Next(HubCluster.Nodes))),
            ("a hub stopped", () => StopHubAsync(random.Next(HubCluster.Nodes))),
            ("Redis killed", () => KillRedisAsync(() => PauseAsync(s_minutes is null ? TimeSpan.FromSeconds(random.Next(1, 5)) : s_redisKilled))),
            ("Redis halted", () => HaltRedisAsync(() => PauseAsync(s_minutes is null ? TimeSpan.FromSeconds(random.Next(1, 5)) : s_redisHalted))),
            ("Redis emptied", EmptyRedisAsync),
            ("PostgreSQL restarted", () => RestartPostgresAsync("fast")),
            ("PostgreSQL crashed", () => RestartPostgresAsync("immediate")),
            ("clients cut off", HarmNetworkAsync),
        ];
        var verify = await KeepsItsPromiseAsync(async () =>
        {
            var started = TimeProvider.System.GetTimestamp();
            for (var n = 0; n < faults.Length || TimeProvider.System.GetElapsedTime(started) < load; n++)
            {
                // Each of them comes up before any comes again.
                if (n % faults.Length == 0)
                    random.Shuffle(faults);
                var (name, harmAsync) = faults[n % faults.Length];
                var at = TimeProvider.System.GetTimestamp();
                await harmAsync();
                await cluster.HealthyAsync();
                WriteLine($"{name}, and well again after {TimeProvider.System.GetElapsedTime(at).TotalSeconds:F1} s");
            }
        }, load + s_atMost);
        verify.Reconnects.ShouldBeGreaterThan(0, "faults that nobody noticed show nothing");
    }

    private async Task KillHubAsync(int node)
    {
        await cluster.KillAsync(node);
        await cluster.StartAsync(node);
    }

    private async Task StopHubAsync(int node)
    {
        await cluster.StopAsync(node);
        await cluster.StartAsync(node);
    }

    private async Task KillRedisAsync(Func<Task> meanwhile)
    {
        await cluster.Redis.KillAsync();
        await meanwhile();
        await cluster.Redis.StartAsync();
    }

    private async Task HaltRedisAsync(Func<Task> meanwhile)
    {
        cluster.Redis.Halt();
        await meanwhile();
        cluster.Redis.Continue();
    }

    /// <summary>Long enough for all nodes to see it: one that did not use Redis would say nothing.</summary>
    private Task LastAsync(TimeSpan time) => Task.WhenAll(PauseAsync(time), cluster.DegradedAsync());

    private async Task EmptyRedisAsync()
    {
        await cluster.Redis.ExecuteAsync("FLUSHALL");
        await cluster.Redis.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
    }

    private async Task RestartPostgresAsync(string mode)
    {
        await cluster.Postgres.StopAsync(mode);
        await cluster.Postgres.StartAsync();
    }

    private async Task HarmNetworkAsync()
    {
        cluster.Network.Cut();
        await PauseAsync(TimeSpan.FromSeconds(1));
        cluster.Network.HoldAnswers();
        await PauseAsync(TimeSpan.FromSeconds(1));
        cluster.Network.PassAnswers();
        await PauseAsync(TimeSpan.FromSeconds(1));
        cluster.Network.HalfClose();
        await PauseAsync(TimeSpan.FromSeconds(1));
    }

    /// <summary>For as long as a fault lasts.</summary>
    private static Task PauseAsync(TimeSpan time) => Task.Delay(time, TimeProvider.System, TestContext.Current.CancellationToken);

    /// <summary>Nothing acknowledged is missing, doubled, out of order or seen by others, whatever is done meanwhile; and all nodes are well again afterwards.</summary>
    private async Task<VerifyRun> KeepsItsPromiseAsync(Func<Task> harm, TimeSpan? atMost = null)
    {
        var verify = await VerifyRun.RunBesideAsync(cluster.Address, atMost ?? s_atMost, async () =>
        {
            await harm();
            await PauseAsync(s_rest);
        }, "--transports", Transports);
        WriteLine($"{verify.Figures}{Environment.NewLine}{verify.Reconnects} reconnects");
        verify.ExitCode.ShouldBe(0, verify.Output);
        await cluster.HealthyAsync();
        return verify;
    }

    private static void WriteLine(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
