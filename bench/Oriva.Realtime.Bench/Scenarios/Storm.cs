using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>Everybody is cut off, misses events, and comes back at once: how long until all have everything, beside how fast events fan out to the same users live.</summary>
internal sealed record Storm(int Missed, TimeSpan WarmUp)
{
    private const int LiveInFlight = 4;

    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (target, crowd) = (stage.Target, stage.Crowd!);
        var live = new ClosedLoop(Audience.Everyone, LiveInFlight);
        await live.RunAsync(stage, WarmUp, cancellationToken);
        var rate = (await live.RunAsync(stage, duration, cancellationToken)).Find(Figure.RateName)!.Value;

        await crowd.CutAsync();
        using var publisher = (await Publisher.ConnectAsync(target, Audience.Everyone, events: 1, count: 1, Route.Post, Target.Message, cancellationToken))[0];
        for (var i = 0; i < Missed; i++)
            await publisher.PublishAsync(Clock.Now, Mark.NoSlot);

        var start = Clock.Now;
        await crowd.ReturnAsync(cancellationToken);
        var back = Clock.ToTimeSpan(Clock.Now - start);
        Figure[] common = [Figure.Rate(rate, "live fan-out"), Figure.Rate(crowd.Size / back.TotalSeconds, "reconnects")];
        if (!target.KeepsEvents)
        {
            await FenceAsync(stage, publisher, cancellationToken);
            return new Measurement([.. common, new("lost", "messages", crowd.CountMissing(target.Ledger), Better.Less)]);
        }

        await stage.VerifyAsync(Stage.Patience, cancellationToken);
        var complete = Clock.ToTimeSpan(Clock.Now - start);
        var catchUp = (double)Missed * crowd.Size / complete.TotalSeconds;
        return new Measurement(
        [
            .. common,
            new("all have everything after", "s", complete.TotalSeconds, Better.Less),
            Figure.Rate(catchUp, "catch-up"),
            Figure.Share("catch-up ÷ live", catchUp / rate),
            new("lost", "messages", crowd.CountMissing(target.Ledger), Better.Less),
        ]);
    }

    /// <summary>One more event to everyone: whoever has it will get nothing older.</summary>
    private static async Task FenceAsync(Stage stage, Publisher publisher, CancellationToken cancellationToken)
    {
        var slots = new Slots(1, stage.Crowd!.Size);
        (stage.Target.Arrivals.Latency, stage.Target.Arrivals.Slots) = (null, slots);
        var arrived = slots.Take(0);
        await publisher.PublishAsync(Clock.Now, slot: 0);
        await arrived.WaitAsync(Stage.Patience, cancellationToken);
    }
}
