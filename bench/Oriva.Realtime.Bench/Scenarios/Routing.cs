using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>
/// Publishes that notification rules are on, on ours. What one measurement left to route is done before the next begins, and must then come to exactly what
/// was published: every notification stored once, and in its user's stream once.
/// </summary>
internal sealed class Routing(Stage stage)
{
    /// <summary>What comes of an event without a rule, with one that finds nobody, and with one that finds its user.</summary>
    private static readonly Routed s_nothing = new(0, 0, 1), s_nobody = new(1, 0, 1), s_oneUser = new(1, 1, 2);

    /// <summary>Asked no more often than this, the server's metrics are of the moment.</summary>
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(350);

    /// <summary>What is published in a second takes many to be routed, and no round may begin before.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(1);

    private readonly OursTarget _target = (OursTarget)stage.Target;

    /// <summary>Until the receipt, while those before are routed.</summary>
    public Case ComparePublishes(int inFlight) => new($"1 event a POST, {inFlight} in flight, {stage.Target.Name}", null,
    [
        Enter("with a rule, its user is notified", OursTarget.Notified, s_oneUser, inFlight),
        Enter("with a rule, nobody is notified", OursTarget.Followed, s_nobody, inFlight),
        Enter("no rule", Target.Message, s_nothing, inFlight),
    ]);

    /// <summary>As many events as are said at once, then until each has notified its user.</summary>
    public Entry CatchUp(int events, int eventsPerPost, int inFlight) => stage.Enter(async (_, stop) =>
    {
        var (before, serverCpu) = (await _target.ReadRoutedAsync(stop), _target.Nodes.CpuTime);
        var publishers = await Publisher.ConnectAsync(_target, Audience.User, eventsPerPost, inFlight, Route.Post, OursTarget.Notified, stop);
        var start = Clock.Now;
        var left = events / eventsPerPost;
        await Task.WhenAll(publishers.Select(async publisher =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
                await publisher.PublishAsync(Clock.Now, Mark.NoSlot);
        }));
        var published = Clock.ToTimeSpan(Clock.Now - start);
        foreach (var publisher in publishers)
            publisher.Dispose();

        // The first look that finds all may come late, and the one before found the server still at work: each says no more than it did.
        var looks = await SettleAsync(before.Plus(events, s_oneUser), stop);
        var all = looks.FindIndex(look => look.Routed.Notifications == before.Notifications + events);
        var rate = looks.Take(all + 1).TakeLast(2).Max(look => (look.Routed.Notifications - before.Notifications) / Clock.ToTimeSpan(look.At - start).TotalSeconds);
        return new Measurement(
        [
            Figure.Rate(rate),
            Figure.Rate(events / published.TotalSeconds, "published"),
            new(Figure.ServerCpuName, "µs", (_target.Nodes.CpuTime - serverCpu).TotalMicroseconds / events),
        ]);
    });

    /// <summary>Live traffic to the users connected, alone and while one event after the other notifies all members, the same users among them.</summary>
    public Entry Disturb(OpenLoop live, int members) => stage.Enter(async (duration, stop) =>
    {
        var without = await live.RunAsync(stage, duration, stop);

        var (before, acknowledged, start) = (await _target.ReadRoutedAsync(stop), _target.Ledger.CountAcknowledged(), Clock.Now);
        var announcing = AnnounceAsync(members, before, start + Clock.ToTicks(duration), stop);
        var with = await live.RunAsync(stage, duration, stop);
        var announced = await announcing;
        var looks = await SettleAsync(before.Plus(_target.Ledger.CountAcknowledged() - acknowledged, s_nothing).Plus(announced, new Routed(1, members, 1 + members)), stop);

        var (p99Without, p99With) = (without.Find(Figure.P99Name)!.Value, with.Find(Figure.P99Name)!.Value);
        return new Measurement(
        [
            Figure.Rate(without.Find(Figure.RateName)!.Value, "without"),
            Figure.Rate(with.Find(Figure.RateName)!.Value, "with"),
            new("p50 without", "ms", without.Find(Figure.P50Name)!.Value, Better.Less),
            new("p50 with", "ms", with.Find(Figure.P50Name)!.Value, Better.Less),
            new("p99 without", "ms", p99Without, Better.Less),
            new("p99 with", "ms", p99With, Better.Less),
            Figure.Share("p99 with ÷ without", p99With / p99Without),
            Figure.Rate((looks[0].Routed.Notifications - before.Notifications) / Clock.ToTimeSpan(looks[0].At - start).TotalSeconds, "notified meanwhile"),
            new(Figure.ServerCpuName, "µs", without.Find(Figure.ServerCpuName)!.Value),
        ]);
    });

    private Entry Enter(string name, string type, Routed each, int inFlight) => new(name, each == s_nothing, async (duration, stop) =>
    {
        var (before, acknowledged) = (await _target.ReadRoutedAsync(stop), _target.Ledger.CountAcknowledged());
        var measured = await new ClosedLoop(Audience.User, inFlight, Type: type).RunAsync(stage, duration < s_longest ? duration : s_longest, stop);
        await SettleAsync(before.Plus(_target.Ledger.CountAcknowledged() - acknowledged, each), stop);
        return measured;
    });

    /// <summary>To somebody who is not connected; the next when the members have been notified of the one before.</summary>
    /// <returns>How many events.</returns>
    private async Task<int> AnnounceAsync(int members, Routed before, long end, CancellationToken cancellationToken)
    {
        var request = _target.BuildPublish(Audience.User, events: 1, Route.Post, OursTarget.Announced);
        using var line = await _target.ConnectPublisherAsync(Route.Post, cancellationToken);
        var announced = 0;
        for (; Clock.Now < end; await Clock.DelayAsync(s_interval, cancellationToken))
        {
            if ((await _target.ReadRoutedAsync(cancellationToken)).Notifications < before.Notifications + ((long)announced * members))
                continue;
            request.Write(0, _target.StalledUser, new Mark(Clock.Now, Mark.NoSlot, _target.NextNumber()));
            if (!await line.PublishAsync(request.Bytes))
                throw new BenchException($"{_target.Name} refused an announcement.");
            announced++;
        }

        return announced;
    }

    /// <summary>Looks on until all is routed.</summary>
    /// <returns>What there was at each look.</returns>
    /// <exception cref="BenchException">There was more than expected, or there is less and no longer any progress.</exception>
    private async Task<List<(Routed Routed, long At)>> SettleAsync(Routed expected, CancellationToken cancellationToken)
    {
        var looks = new List<(Routed Routed, long At)>();
        var movedAt = Clock.Now;
        do
        {
            await Clock.DelayAsync(s_interval, cancellationToken);
            var at = Clock.Now;
            var routed = await _target.ReadRoutedAsync(cancellationToken);
            if (looks.Count == 0 || routed != looks[^1].Routed)
                movedAt = at;
            if (routed.Exceeds(expected) || Clock.ToTimeSpan(at - movedAt) > Stage.Patience)
                throw new BenchException($"{_target.Name} has {routed}, expected is {expected}.");
            looks.Add((routed, at));
        }
        while (looks[^1].Routed != expected);
        return looks;
    }
}
