using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>
/// Everybody on every node is cut off at once, and comes back while events are published to everyone on all nodes: what is lost, and whom the first event
/// after the return does not reach.
/// </summary>
internal sealed record ReturnUnderLoad(int PerSecond, TimeSpan WarmUp)
{
    /// <summary>For the first event to arrive where nothing is kept: what is not there by then is lost.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (target, crowd) = (stage.Target, stage.Crowd!);
        await new ClosedLoop(Audience.Everyone, InFlight: 1).RunAsync(stage, WarmUp, cancellationToken);
        var publishers = await Publisher.ConnectAsync(target, Audience.Everyone, events: 1, target.Nodes.Count, Route.Post, Target.Message, cancellationToken);

        await crowd.CutAsync();
        var (start, before) = (Clock.Now, target.Ledger.CountAcknowledged());
        using var returned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var publishing = PublishAsync(publishers, returned.Token);
        await crowd.ReturnAsync(cancellationToken);
        var back = Clock.ToTimeSpan(Clock.Now - start);
        await returned.CancelAsync();
        await publishing;
        var published = target.Ledger.CountAcknowledged() - before;

        var slots = new Slots(1, crowd.Size);
        (target.Arrivals.Latency, target.Arrivals.Slots) = (null, slots);
        var arrived = slots.Take(0);
        await publishers[0].PublishAsync(Clock.Now, slot: 0);
        if (target.KeepsEvents)
            await stage.VerifyAsync(Stage.Patience, cancellationToken);
        else
            await Task.WhenAny(arrived, Clock.DelayAsync(s_patience, cancellationToken));
        var complete = Clock.ToTimeSpan(Clock.Now - start);
        foreach (var publisher in publishers)
            publisher.Dispose();
        return new Measurement(
        [
            Figure.Rate(crowd.Size / back.TotalSeconds, "reconnects"),
            new("published meanwhile", "events", published),
            new("lost", "messages", crowd.CountMissing(target.Ledger), Better.Less),
            new("first afterwards missed by", "connections", slots.MissingOf(0), Better.Less),
            .. target.KeepsEvents ? [new Figure("all have everything after", "s", complete.TotalSeconds, Better.Less)] : (Figure[])[],
        ]);
    }

    /// <summary>From one node after the other.</summary>
    private async Task PublishAsync(Publisher[] publishers, CancellationToken cancellationToken)
    {
        for (var i = 0; !cancellationToken.IsCancellationRequested; i++)
        {
            await publishers[i % publishers.Length].PublishAsync(Clock.Now, Mark.NoSlot);
            await Clock.DelayAsync(TimeSpan.FromSeconds(1) / PerSecond, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
