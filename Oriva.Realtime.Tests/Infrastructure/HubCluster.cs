using System.Globalization;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>
/// Three hubs with a PostgreSQL and a Redis of their own behind an nginx without affinity. Each is a process that a test may harm; it heals it again, because
/// the next test goes on with the same ones.
/// </summary>
public sealed class HubCluster : IAsyncLifetime
{
    public const int Nodes = 3;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly int[] _ports = [.. Enumerable.Range(0, Nodes).Select(_ => Ports.FindFree())];
    private readonly HubProcess[] _hubs = new HubProcess[Nodes];
    private readonly List<HubProcess> _started = [];
    private NginxInstance _nginx = null!;
    private HttpClient _http = null!;

    internal PostgresInstance Postgres { get; private set; } = null!;

    internal RedisInstance Redis { get; private set; } = null!;

    /// <summary>Between the clients and nginx.</summary>
    internal TcpProxy Network { get; private set; } = null!;

    /// <summary>Of nginx, past <see cref="Network"/>.</summary>
    internal Uri Balancer => new($"http://127.0.0.1:{_nginx.Port}");

    internal Uri Address => new($"http://127.0.0.1:{Network.Port}");

    public async ValueTask InitializeAsync()
    {
        Postgres = await PostgresInstance.StartNewAsync();
        Redis = await RedisInstance.StartNewAsync();
        _nginx = await NginxInstance.StartNewAsync(_ports);
        Network = new TcpProxy("127.0.0.1", _nginx.Port);
        _http = new HttpClient { BaseAddress = Balancer };
        for (var node = 0; node < Nodes; node++)
            await StartAsync(node);
    }

    /// <summary>Through nginx.</summary>
    internal ApiCaller As(string? token) => new(_http, token);

    internal async Task KillAsync(int node) => await _hubs[node].KillAsync();

    /// <summary>SIGTERM, and it ends as it should.</summary>
    internal async Task StopAsync(int node)
    {
        _hubs[node].Terminate();
        (await _hubs[node].ExitAsync()).ShouldBe(0, _hubs[node].Output);
    }

    /// <summary>Starts it where it was before, and waits until it is ready.</summary>
    internal async Task StartAsync(int node)
    {
        _hubs[node] = await HubProcess.StartAsync(Postgres.Store, SettingsOf(node));
        _started.Add(_hubs[node]);
        await ReadyAsync(node);
    }

    /// <summary>Every node has come back by itself to having all that it needs.</summary>
    internal Task HealthyAsync() => Task.WhenAll(Enumerable.Range(0, Nodes).Select(ReadyAsync));

    /// <summary>Every node serves, and says that it misses something.</summary>
    internal Task DegradedAsync() => Task.WhenAll(Enumerable.Range(0, Nodes).Select(node => ReadyAsync(node, "degraded")));

    /// <summary>Into the output of a test that failed.</summary>
    internal void WriteLogs()
    {
        foreach (var (start, hub) in _started.Index())
            TestContext.Current.TestOutputHelper?.WriteLine($"--- output of start {start}{Environment.NewLine}{hub.Output}");
        TestContext.Current.TestOutputHelper?.WriteLine($"--- errors of nginx{Environment.NewLine}{_nginx.Errors}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var hub in _started)
            await hub.DisposeAsync();
        _http?.Dispose();
        foreach (IAsyncDisposable? part in new IAsyncDisposable?[] { Network, _nginx, Redis, Postgres })
        {
            if (part is not null)
                await part.DisposeAsync();
        }
    }

    private Task ReadyAsync(int node) => ReadyAsync(node, "healthy");

    private Task ReadyAsync(int node, string status) => Waiting.Eventually($"node {node} is {status}", async () =>
    {
        var answer = await _hubs[node].As(null).GetAsync("/health/ready");
        return answer.Status == 200 && answer.Json.Text("status") == status;
    }, s_patience);

    private (string Key, string Value)[] SettingsOf(int node)
    {
        var url = "http://127.0.0.1:" + _ports[node].ToString(CultureInfo.InvariantCulture);
        return
        [
            ("ASPNETCORE_URLS", url), ("Cluster:AdvertisedUrl", url), ("Cluster:NodeId", $"node-{node}"), ("Cluster:Secret", "a-secret-of-tests-which-all-nodes-know"),
            ("Cluster:DrainTimeout", "00:00:05"), ("ConnectionStrings:Redis", Redis.ConnectionString),
        ];
    }
}

/// <summary>For tests of one cluster, one after the other: each needs all of the machine.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OnOneCluster : ICollectionFixture<HubCluster>
{
    public const string Name = "on one cluster";
}
