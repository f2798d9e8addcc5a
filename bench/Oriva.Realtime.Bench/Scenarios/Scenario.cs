using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Scenarios;

/// <param name="Measure">One round on one stage, verified.</param>
internal sealed record Case(string Title, Func<Stage, TimeSpan, CancellationToken, Task<Measurement>> Measure);

/// <summary>Cases that are measured on the same servers with the same users connected.</summary>
/// <param name="WithCrowd">Users are connected while it is measured; otherwise they come afterwards and have the events replayed.</param>
internal sealed record Scenario(string Name, bool WithCrowd, IReadOnlyList<Case> Cases)
{
    public static readonly string[] Names = ["publish", "unicast", "fanout"];

    public static Scenario Find(string name, Scale scale) => name switch
    {
        "publish" => Publish(scale),
        "unicast" => Unicast(scale),
        "fanout" => FanOut(scale),
        _ => throw new BenchException($"There is no scenario '{name}', only {string.Join(", ", Names)}."),
    };

    /// <summary>HTTP until the receipt. The bare hub parses the same posts and sends to groups without members.</summary>
    private static Scenario Publish(Scale scale) => new("publish", WithCrowd: false,
    [
        .. scale.PublishInFlight.Select(inFlight => new Case($"1 event a POST, {inFlight} in flight", new ClosedLoop(Audience.User, inFlight).RunAsync)),
        new($"{scale.BatchEvents} events a POST, {scale.BatchesInFlight} in flight", new ClosedLoop(Audience.User, scale.BatchesInFlight, scale.BatchEvents).RunAsync),
    ]);

    /// <summary>From the publish to its arrival at one of many users.</summary>
    private static Scenario Unicast(Scale scale) => new("unicast", WithCrowd: true,
    [
        new($"1 event a POST, {scale.UnicastInFlight} in flight", new ClosedLoop(Audience.User, scale.UnicastInFlight).RunAsync),
        new($"{scale.BatchEvents} events a POST, {scale.BatchesInFlight} in flight", new ClosedLoop(Audience.User, scale.BatchesInFlight, scale.BatchEvents).RunAsync),
        new($"{scale.UnicastPerSecond}/s", new OpenLoop(Audience.User, scale.UnicastPerSecond).RunAsync),
    ]);

    /// <summary>From the publish to its arrival at all users.</summary>
    private static Scenario FanOut(Scale scale) => new("fan-out 1→" + scale.Users, WithCrowd: true,
        [.. scale.FanOutInFlight.Select(inFlight => new Case($"{inFlight} in flight", new ClosedLoop(Audience.Everyone, inFlight).RunAsync))]);
}

/// <summary>How large the loads are.</summary>
internal sealed record Scale
{
    public int Users { get; init; } = 1_000;

    public IReadOnlyList<int> PublishInFlight { get; init; } = [64, 256];

    public int BatchEvents { get; init; } = 100;

    public int BatchesInFlight { get; init; } = 16;

    public int UnicastInFlight { get; init; } = 256;

    public int UnicastPerSecond { get; init; } = 1_000;

    public IReadOnlyList<int> FanOutInFlight { get; init; } = [1, 4, 16];

    /// <summary>Says whether everything works, and nothing about speed.</summary>
    public static Scale Smoke { get; } = new()
    {
        Users = 25,
        PublishInFlight = [8],
        BatchEvents = 10,
        BatchesInFlight = 2,
        UnicastInFlight = 8,
        UnicastPerSecond = 100,
        FanOutInFlight = [2],
    };
}
