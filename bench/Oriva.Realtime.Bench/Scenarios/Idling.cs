using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>All users connect as fast as they can and then only stay: how fast that goes, and what a connection costs that nothing is sent on.</summary>
internal sealed record Idling(int WarmUpUsers, TimeSpan Time)
{
    public const string MemoryName = "memory a connection";

    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (target, users) = (stage.Target, stage.Target.Users);
        await using (await target.GatherAsync(Math.Min(WarmUpUsers, users), fromStart: false, cancellationToken))
        {
            // They only come and go.
        }

        var before = await target.Nodes.SettleMemoryAsync(cancellationToken);
        var start = Clock.Now;
        await using var crowd = await target.GatherAsync(users, fromStart: false, cancellationToken);
        var connecting = Clock.ToTimeSpan(Clock.Now - start);
        var after = await target.Nodes.SettleMemoryAsync(cancellationToken);

        var (cpu, idleFrom) = (target.Nodes.CpuTime, Clock.Now);
        await Clock.DelayAsync(Time, cancellationToken);
        var idle = (target.Nodes.CpuTime - cpu) / Clock.ToTimeSpan(Clock.Now - idleFrom);
        await crowd.VerifyAsync(target.Ledger, target.Name, Stage.Patience, cancellationToken);
        return new Measurement(
        [
            Figure.Rate(users / connecting.TotalSeconds, "connects"),
            new(MemoryName, "KB", (after - before) / 1024.0 / users, Better.Less),
            new("CPU while idle", "%", idle * 100, Better.Less),
        ]);
    }
}
