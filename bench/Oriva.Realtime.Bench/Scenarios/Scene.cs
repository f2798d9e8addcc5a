using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>One of those that a case compares.</summary>
/// <param name="IsBaseline">What the others are compared with.</param>
/// <param name="Measure">One round, verified; null when there is nothing to measure.</param>
internal sealed record Entry(string Server, bool IsBaseline, Func<TimeSpan, CancellationToken, Task<Measurement?>> Measure);

/// <param name="At">Where it stands on the axis of a chart.</param>
internal sealed record Case(string Title, double? At, IReadOnlyList<Entry> Entries)
{
    /// <summary>Another case of the scene warms up the same code.</summary>
    public bool IsWarm { get; init; }

    /// <summary>The same load on every stage.</summary>
    public static Case Of(string title, double? at, IEnumerable<Stage> stages, Func<Stage, TimeSpan, CancellationToken, Task<Measurement>> measure) =>
        new(title, at, [.. stages.Select(stage => stage.Enter(async (duration, stop) => await measure(stage, duration, stop)))]);
}

/// <summary>Cases that are measured on the same servers with the same users connected.</summary>
internal sealed class Scene(IReadOnlyList<Stage> stages, IReadOnlyList<Case> cases)
{
    public IReadOnlyList<Case> Cases { get; } = cases;

    public bool TakesTurns { get; } = stages.Any(stage => stage.TakesTurns);

    /// <summary>The end of what each server has printed.</summary>
    public IEnumerable<string> ReadLogs() => stages.Select(stage => $"The last lines of {stage.Target.Name}:{Environment.NewLine}{stage.Target.Nodes.ReadLog()}");

    public async Task VerifyAsync(CancellationToken cancellationToken)
    {
        foreach (var stage in stages)
            await stage.VerifyByReplayAsync(cancellationToken);
    }
}
