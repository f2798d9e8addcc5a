namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>How large the loads are.</summary>
internal sealed record Scale
{
    /// <summary>Unicast and fan-out are measured with each of these many.</summary>
    public IReadOnlyList<int> Users { get; init; } = [1_000, 10_000];

    public IReadOnlyList<int> PublishInFlight { get; init; } = [64, 256];

    public int BatchEvents { get; init; } = 100;

    public int BatchesInFlight { get; init; } = 16;

    public int UnicastInFlight { get; init; } = 256;

    /// <summary>Ascending; a server is spared what follows the first rate that it cannot keep.</summary>
    public IReadOnlyList<int> UnicastPerSecond { get; init; } = [1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000];

    public IReadOnlyList<int> FanOutInFlight { get; init; } = [1, 2, 4, 8, 16];

    public int IdleUsers { get; init; } = 10_000;

    public TimeSpan IdleTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Who comes and goes before connections are counted, so that the code for it is compiled.</summary>
    public int WarmUpUsers { get; init; } = 3_000;

    public int StormUsers { get; init; } = 5_000;

    /// <summary>Events that everybody misses.</summary>
    public int StormMissed { get; init; } = 200;

    public TimeSpan StormWarmUp { get; init; } = TimeSpan.FromSeconds(5);

    public int StalledInFlight { get; init; } = 4;

    public int ClusterFanOutInFlight { get; init; } = 4;

    /// <summary>Who is cut off and returns to a cluster under load.</summary>
    public int ClusterStormUsers { get; init; } = 10_000;

    /// <summary>The load: events to everyone.</summary>
    public int ClusterStormPerSecond { get; init; } = 5;

    /// <summary>Events that are published at once, and then routed.</summary>
    public int RoutingEvents { get; init; } = 5_000;

    /// <summary>Whom one event notifies beside others' live traffic.</summary>
    public int RoutingMembers { get; init; } = 20_000;

    /// <summary>The live traffic.</summary>
    public int RoutingPerSecond { get; init; } = 500;

    /// <summary>Says whether everything works, and nothing about speed.</summary>
    public static Scale Smoke { get; } = new()
    {
        Users = [25],
        PublishInFlight = [8],
        BatchEvents = 10,
        BatchesInFlight = 2,
        UnicastInFlight = 8,
        UnicastPerSecond = [100, 200],
        FanOutInFlight = [2],
        IdleUsers = 50,
        IdleTime = TimeSpan.FromSeconds(0.3),
        WarmUpUsers = 10,
        StormUsers = 25,
        StormMissed = 20,
        StormWarmUp = TimeSpan.FromSeconds(0.1),
        ClusterFanOutInFlight = 2,
        ClusterStormUsers = 50,
        ClusterStormPerSecond = 20,
        RoutingEvents = 100,
        RoutingMembers = 500,
    };

    /// <summary>The same number everywhere.</summary>
    public Scale WithUsers(int users) => this with { Users = [users], IdleUsers = users, StormUsers = users, ClusterStormUsers = users };
}
