using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>
/// As fast as the server goes with so many publishes in flight. Without a crowd a publish is in flight until it is answered; with one, until it is
/// answered and everyone entitled has it, so that no server can run ahead of its own deliveries.
/// </summary>
internal sealed record ClosedLoop(Audience Audience, int InFlight, int EventsPerPost = 1, Route Route = Route.Post, string Type = Target.Message)
{
    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var target = stage.Target;
        var receivers = stage.Crowd is not { } crowd ? 0 : Audience == Audience.Everyone ? crowd.Size : 1;
        var publishers = await Publisher.ConnectAsync(target, Audience, EventsPerPost, InFlight, Route, Type, cancellationToken);
        var slots = receivers > 0 ? new Slots(InFlight, receivers * EventsPerPost) : null;
        var latency = new Histogram();
        (target.Arrivals.Latency, target.Arrivals.Slots) = (latency, slots);

        var (acknowledged, serverCpu, clientCpu) = (target.Ledger.CountAcknowledged(), target.Nodes.CpuTime, Environment.CpuUsage.TotalTime);
        var start = Clock.Now;
        var end = start + Clock.ToTicks(duration);
        try
        {
            await Task.WhenAll(publishers.Select((publisher, slot) => RepeatAsync(publisher, slot, slots, latency, end))).WaitAsync(duration + Stage.Patience, cancellationToken);
        }
        catch (TimeoutException e)
        {
            await stage.VerifyAsync(TimeSpan.Zero, cancellationToken);
            throw new BenchException($"{target.Name} has not answered every publish {Stage.Patience.TotalSeconds} s after the last.", e);
        }

        var elapsed = Clock.ToTimeSpan(Clock.Now - start);
        (serverCpu, clientCpu) = (target.Nodes.CpuTime - serverCpu, Environment.CpuUsage.TotalTime - clientCpu);
        foreach (var publisher in publishers)
            publisher.Dispose();
        await stage.VerifyAsync(Stage.Patience, cancellationToken);
        var count = (target.Ledger.CountAcknowledged() - acknowledged) * Math.Max(1, receivers);
        return Measurement.OfLoad(count, elapsed, latency, serverCpu, clientCpu);
    }

    private static async Task RepeatAsync(Publisher publisher, int slot, Slots? slots, Histogram latency, long end)
    {
        for (var due = Clock.Now; due < end; due = Clock.Now)
        {
            var arrived = slots?.Take(slot);
            await publisher.PublishAsync(due, slots is null ? Mark.NoSlot : slot);
            if (arrived is not null)
                await arrived;
            else
                latency.Record(Clock.Now - due);
        }
    }
}
