using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <param name="Name">As the results have it.</param>
/// <param name="FreshEachRound">Each round is on servers of its own, and its cases warm them up themselves; otherwise a scene serves all rounds.</param>
internal sealed record Scenario(string Name, Func<StageHands, CancellationToken, Task<Scene>> SetAsync, bool FreshEachRound = false, Chart? Chart = null)
{
    /// <summary>They need PostgreSQL, because no other store has two nodes.</summary>
    public static readonly string[] OfClusters = ["cluster", "cluster-storm"];

    public static readonly string[] Names = ["publish", "append", "unicast", "fanout", "idle", "storm", "stalled", "routing", .. OfClusters];

    public static IEnumerable<Scenario> Find(string name, Scale scale, IReadOnlyList<Dialect> dialects) => name switch
    {
        "publish" => [Publish(scale)],
        "append" => [Append()],
        "unicast" => from dialect in dialects from users in scale.Users select Unicast(scale, users, dialect),
        "fanout" => from dialect in dialects from users in scale.Users select FanOut(scale, users, dialect),
        "idle" => [Idle(scale)],
        "storm" => [Reconnect(scale)],
        "stalled" => [Stalled(scale)],
        "routing" => [Routing(scale), RoutingBesideTraffic(scale)],
        "cluster" => [TwoNodes(scale)],
        "cluster-storm" => [ReturnToTwoNodes(scale)],
        _ => throw new BenchException($"There is no scenario '{name}', only {string.Join(", ", Names)}."),
    };

    private static string Suffix(Dialect dialect) => dialect == Dialect.Json ? "" : ", " + dialect.Name;

    private static string FileSuffix(Dialect dialect) => dialect == Dialect.Json ? "" : "-" + dialect.Name.ToLowerInvariant();

    /// <summary>Until the receipt. The bare hub parses the same and sends to groups without members.</summary>
    private static Scenario Publish(Scale scale) => new("publish", async (hands, stop) =>
    {
        var ceiling = await Ceiling.OpenAsync(hands, stop);
        var stages = await hands.SetAsync(scale.Users[0], withCrowd: false, Dialect.Json, stop);
        return new Scene(stages,
        [
            ceiling.Measure(),
            .. scale.PublishInFlight.Select(inFlight => Of($"1 event a POST, {inFlight} in flight", stages, new ClosedLoop(Audience.User, inFlight))),
            Of($"{scale.BatchEvents} events a POST, {scale.BatchesInFlight} in flight", stages, new ClosedLoop(Audience.User, scale.BatchesInFlight, scale.BatchEvents)),
            .. scale.PublishInFlight.Select(inFlight => Of(
                $"1 event a hub call, {inFlight} in flight", stages.Where(stage => stage.Target.HasHubPublish), new ClosedLoop(Audience.User, inFlight, Route: Route.Hub))),
        ]);

        Case Of(string title, IEnumerable<Stage> those, ClosedLoop load) =>
            Case.Of(title, null, those, async (stage, duration, stopping) => ceiling.Compare(stage, await load.RunAsync(stage, duration, stopping)));
    });

    /// <summary>The writer of the log in this process, beside what the database takes of the same rows.</summary>
    private static Scenario Append() => new("append", async (hands, stop) =>
    {
        var cases = new List<Case>();
        foreach (var store in hands.StoreKinds)
        {
            var (log, raw) = (await hands.OpenLogAsync(store, stop), await hands.OpenRawAsync(store, stop));
            cases.Add(new Case($"{store.Name}, {RawDatabase.RowsPerTransaction} rows a transaction, 1,000 streams", null,
            [
                new("Oriva's log, in process", false, async (duration, stopping) => await log.RunAsync(duration, stopping)),
                new(raw.Name, true, async (duration, stopping) => await raw.RunAsync(duration, stopping)),
            ]));
        }

        return new Scene([], cases);
    });

    /// <summary>From the publish to its arrival at one of many users.</summary>
    private static Scenario Unicast(Scale scale, int users, Dialect dialect) => new($"unicast, {users:N0} connections{Suffix(dialect)}", async (hands, stop) =>
    {
        var stages = await hands.SetAsync(users, withCrowd: true, dialect, stop);
        return new Scene(stages,
        [
            Case.Of($"1 event a POST, {scale.UnicastInFlight} in flight", null, stages, new ClosedLoop(Audience.User, scale.UnicastInFlight).RunAsync),
            Case.Of($"{scale.BatchEvents} events a POST, {scale.BatchesInFlight} in flight", null, stages, new ClosedLoop(Audience.User, scale.BatchesInFlight, scale.BatchEvents).RunAsync),
            .. new RateLadder(scale.UnicastPerSecond).Climb(stages),
        ]);
    }, Chart: new($"unicast-{users}{FileSuffix(dialect)}", Figure.P99Name, "ms", "events a second"));

    /// <summary>From the publish to its arrival at all users.</summary>
    private static Scenario FanOut(Scale scale, int users, Dialect dialect) => new($"fan-out 1→{users:N0}{Suffix(dialect)}", async (hands, stop) =>
    {
        var stages = await hands.SetAsync(users, withCrowd: true, dialect, stop);
        return new Scene(stages, [.. scale.FanOutInFlight.Select(inFlight => Case.Of($"{inFlight} in flight", inFlight, stages, new ClosedLoop(Audience.Everyone, inFlight).RunAsync))]);
    }, Chart: new($"fan-out-{users}{FileSuffix(dialect)}", Figure.RateName, "messages a second", "publishes in flight"));

    /// <summary>Users who come and then only stay.</summary>
    private static Scenario Idle(Scale scale) => new($"idle, {scale.IdleUsers:N0} connections", async (hands, stop) =>
    {
        var stages = await hands.SetAsync(scale.IdleUsers, withCrowd: false, Dialect.Json, stop);
        return new Scene(stages, [Case.Of("connect and stay", null, stages, new Idling(scale.WarmUpUsers, scale.IdleTime).RunAsync)]);
    }, FreshEachRound: true, new($"idle-{scale.IdleUsers}", Idling.MemoryName, "KB"));

    /// <summary>Users who are cut off, miss something and come back all at once.</summary>
    private static Scenario Reconnect(Scale scale) => new($"reconnect storm, {scale.StormUsers:N0} connections", async (hands, stop) =>
    {
        var stages = await hands.SetAsync(scale.StormUsers, withCrowd: true, Dialect.Json, stop);
        return new Scene(stages, [Case.Of($"{scale.StormMissed} events missed", null, stages, new Storm(scale.StormMissed, scale.StormWarmUp).RunAsync)]);
    }, FreshEachRound: true);

    private static Scenario Stalled(Scale scale) => new($"a stalled reader among {scale.Users[0]:N0}", async (hands, stop) =>
    {
        var stages = await hands.SetAsync(scale.Users[0], withCrowd: true, Dialect.Json, stop);
        return new Scene(stages, [Case.Of($"fan-out, {scale.StalledInFlight} in flight", null, stages, new StalledReader(scale.StalledInFlight).RunAsync)]);
    });

    /// <summary>What notification rules add to a publish, and how fast notifications come of events.</summary>
    private static Scenario Routing(Scale scale) => new("routing", async (hands, stop) =>
    {
        var stages = await hands.SetOursAsync(scale.Users[0], withCrowd: false, stop);
        foreach (var stage in stages)
            await ((OursTarget)stage.Target).PutMembersAsync(scale.Users[0], stop);
        var (routings, inFlight) = (stages.Select(stage => new Routing(stage)).ToList(), scale.PublishInFlight[^1]);
        return new Scene(stages,
        [
            .. routings.Select(routing => routing.ComparePublishes(inFlight)),
            new($"{scale.RoutingEvents:N0} events at once, each notifies its user", null,
                [.. routings.Select(routing => routing.CatchUp(scale.RoutingEvents, scale.BatchEvents, scale.BatchesInFlight))]) { IsWarm = true },
        ]);
    });

    /// <summary>What an event that notifies everybody does to others' live traffic.</summary>
    private static Scenario RoutingBesideTraffic(Scale scale) => new($"routing to all members beside {scale.Users[0]:N0} connections", async (hands, stop) =>
    {
        var members = Math.Max(scale.RoutingMembers, scale.Users[0]);
        var stages = await hands.SetOursAsync(scale.Users[0], withCrowd: true, stop);
        foreach (var stage in stages)
            await ((OursTarget)stage.Target).PutMembersAsync(members, stop);
        var live = new OpenLoop(Audience.User, scale.RoutingPerSecond, scale.UnicastInFlight);
        return new Scene(stages, [new($"unicast at {scale.RoutingPerSecond:N0}/s, {members:N0} members", null, [.. stages.Select(stage => new Routing(stage).Disturb(live, members))])]);
    });

    /// <summary>Two nodes and Redis beside one node on the same machine: what it costs that events have to travel.</summary>
    private static Scenario TwoNodes(Scale scale) => new($"two nodes, {scale.Users[0]:N0} connections", async (hands, stop) =>
    {
        var pairs = await hands.SetPairsAsync(scale.Users[0], stop);
        return new Scene([.. pairs.SelectMany(pair => pair)],
        [
            .. pairs.Select(pair => Of($"unicast, {scale.UnicastInFlight} in flight", pair, new ClosedLoop(Audience.User, scale.UnicastInFlight))),
            .. pairs.Select(pair => Of($"fan-out, {scale.ClusterFanOutInFlight} in flight", pair, new ClosedLoop(Audience.Everyone, scale.ClusterFanOutInFlight))),
        ]);

        // A pair is compared with itself: bare with bare.
        static Case Of(string title, IReadOnlyList<Stage> pair, ClosedLoop load) => new($"{title}, {pair[^1].Target.Name}", null,
            [.. pair.Select(stage => stage.Enter(async (duration, stopping) => await load.RunAsync(stage, duration, stopping)) with { IsBaseline = stage.Target.Nodes.Count == 1 })]);
    });

    private static Scenario ReturnToTwoNodes(Scale scale) => new($"reconnect storm on two nodes, {scale.ClusterStormUsers:N0} connections", async (hands, stop) =>
    {
        var (stages, storm) = (await hands.SetClustersAsync(scale.ClusterStormUsers, stop), new ReturnUnderLoad(scale.ClusterStormPerSecond, scale.StormWarmUp));
        return new Scene(stages, [new($"{scale.ClusterStormPerSecond} events a second to everyone meanwhile", null,
            [.. stages.Select(stage => stage.Enter(async (duration, stopping) => await storm.RunAsync(stage, duration, stopping)) with { IsBaseline = !stage.Target.KeepsEvents })])]);
    }, FreshEachRound: true);
}
