using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>What one user who has stopped reading does to the fan-out to all others.</summary>
internal sealed record StalledReader(int InFlight)
{
    /// <summary>More than the server's socket and its buffers before that take, when the client's window is small.</summary>
    private const int FillBytes = 1_000_000;

    private const int FillEvents = 100;

    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (without, cpu, gapWithout) = await FanOutAsync(stage, duration, cancellationToken);
        await using var stalled = await stage.Target.JoinStalledAsync(cancellationToken);
        await FillAsync(stage.Target, cancellationToken);
        var (with, _, gapWith) = await FanOutAsync(stage, duration, cancellationToken);
        return new Measurement(
        [
            Figure.Rate(without, "without"),
            Figure.Rate(with, "with one stalled"),
            Figure.Share("with ÷ without", with / without),
            Figure.Latency("longest gap without", gapWithout),
            Figure.Latency("longest gap with", gapWith),
            new(Figure.ServerCpuName, "µs", cpu),
        ]);
    }

    private async Task<(double PerSecond, double ServerCpu, TimeSpan Gap)> FanOutAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        stage.Crowd!.StartGaps(Clock.Now);
        var measured = await new ClosedLoop(Audience.Everyone, InFlight).RunAsync(stage, duration, cancellationToken);
        return (measured.Find(Figure.RateName)!.Value, measured.Find(Figure.ServerCpuName)!.Value, Clock.ToTimeSpan(stage.Crowd.LongestGap()));
    }

    /// <summary>With events of its own, which the others do not get.</summary>
    private static async Task FillAsync(Target target, CancellationToken cancellationToken)
    {
        var request = target.BuildPublish(Audience.User, FillEvents, Route.Post, Target.Message);
        using var line = await target.ConnectPublisherAsync(Route.Post, cancellationToken);
        for (var sent = 0; sent < FillBytes; sent += request.Bytes.Length)
        {
            for (var i = 0; i < FillEvents; i++)
                request.Write(i, target.StalledUser, new Mark(Clock.Now, Mark.NoSlot, target.NextNumber()));
            if (!await line.PublishAsync(request.Bytes))
                throw new BenchException($"{target.Name} refused a publish for the stalled reader.");
        }
    }
}
