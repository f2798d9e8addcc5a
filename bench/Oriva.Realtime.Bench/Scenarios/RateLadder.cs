using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>Unicast at rising rates, for each server up to the first at which its p99 reaches 100 ms: beyond that, latency says how long the round was.</summary>
internal sealed class RateLadder(IReadOnlyList<int> rates)
{
    private const double MostMilliseconds = 100;

    /// <summary>Publishes that can be in flight at once, and so share a commit.</summary>
    private const int Connections = 256;

    // Of the round that is going on: the last rate kept, and whether the next may be tried.
    private readonly Dictionary<Stage, (int Kept, bool Goes)> _progress = [];

    /// <summary>A case a rung, and one for the highest that was kept.</summary>
    public IEnumerable<Case> Climb(IReadOnlyList<Stage> stages) =>
    [
        .. rates.Select(rate => new Case(
            $"{rate:N0}/s", rate, [.. stages.Select(stage => stage.Enter((duration, stop) => TryRungAsync(stage, rate, duration, stop)))]) { IsWarm = rate != rates[0] }),
        new($"highest of these with p99 < {MostMilliseconds} ms", null, [.. stages.Select(stage => stage.Enter((_, _) => Task.FromResult(FindHighest(stage))))]) { IsWarm = true },
    ];

    private async Task<Measurement?> TryRungAsync(Stage stage, int rate, TimeSpan duration, CancellationToken cancellationToken)
    {
        if (rate == rates[0])
            _progress[stage] = (0, true);
        if (!_progress.TryGetValue(stage, out var sofar) || !sofar.Goes)
            return null;
        var measured = await new OpenLoop(Audience.User, rate, Connections).RunAsync(stage, duration, cancellationToken);
        var kept = measured.Find(Figure.P99Name) < MostMilliseconds;
        _progress[stage] = (kept ? rate : sofar.Kept, kept);
        return measured;
    }

    private Measurement? FindHighest(Stage stage) => _progress.TryGetValue(stage, out var climbed) ? new Measurement([Figure.Rate(climbed.Kept)]) : null;
}
