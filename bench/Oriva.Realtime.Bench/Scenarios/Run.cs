using Oriva.Realtime.Bench.Report;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>
/// A whole run. Each scenario gets fresh servers, side by side; its cases are warmed up, then measured in rounds, one server after the other in turn, so
/// that what else the machine does meets them all.
/// </summary>
internal sealed class Run(BenchOptions options, IAnsiConsole console)
{
    private const double StillFalling = 0.9;

    public Results Results { get; } = new();

    /// <summary>What ours kept its events in.</summary>
    public string Stores { get; private set; } = "";

    public async Task GoAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-bench-");
        try
        {
            var hands = new StageHands(options, folder.FullName);
            foreach (var scenario in options.Scenarios.SelectMany(name => Scenario.Find(name, options.Scale, options.Dialects)))
                await MeasureAsync(scenario, hands, cancellationToken);
            Stores = hands.Stores;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task MeasureAsync(Scenario scenario, StageHands hands, CancellationToken cancellationToken)
    {
        var scenes = scenario.FreshEachRound ? options.Rounds : 1;
        for (var i = 1; i <= scenes; i++)
        {
            console.MarkupLineInterpolated($"[bold]{scenario.Name}[/]: starting servers, connecting users");
            if (scenario.Chart is { } chart)
                Results.AddChart(scenario.Name, chart);
            try
            {
                await MeasureAsync(scenario, await scenario.SetAsync(hands, cancellationToken), i, cancellationToken);
            }
            finally
            {
                await hands.ClearAsync();
            }
        }
    }

    private async Task MeasureAsync(Scenario scenario, Scene scene, int round, CancellationToken cancellationToken)
    {
        try
        {
            if (scenario.FreshEachRound)
                await MeasureRoundAsync(scenario, scene, round, cancellationToken);
            else
                await MeasureRoundsAsync(scenario, scene, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            foreach (var log in scene.ReadLogs())
                console.WriteLine(log);
            throw;
        }
    }

    private async Task MeasureRoundsAsync(Scenario scenario, Scene scene, CancellationToken cancellationToken)
    {
        foreach (var (_, entry) in InOrder(scene, isReversed: false).Where(each => !each.Case.IsWarm))
            await WarmUpAsync(entry, cancellationToken);
        for (var round = 1; round <= options.Rounds; round++)
            await MeasureRoundAsync(scenario, scene, round, cancellationToken);
        await scene.VerifyAsync(cancellationToken);
    }

    private async Task MeasureRoundAsync(Scenario scenario, Scene scene, int round, CancellationToken cancellationToken)
    {
        // Nobody always goes first.
        foreach (var (one, entry) in InOrder(scene, isReversed: round % 2 == 0))
        {
            if (await entry.Measure(options.Duration, cancellationToken) is not { } measured)
                continue;
            Results.Add(new Result(scenario.Name, one.Title, one.At, entry.Server, entry.IsBaseline, round, measured));
            console.MarkupLineInterpolated($"  round {round}, {one.Title}, {entry.Server}: {measured}");
        }
    }

    /// <summary>Servers alternate within a case; where they take turns, within the round.</summary>
    private IEnumerable<(Case Case, Entry Entry)> InOrder(Scene scene, bool isReversed)
    {
        var chosen =
            from one in scene.Cases
            where one.Title.Contains(options.Case, StringComparison.Ordinal)
            from entry in isReversed ? one.Entries.Reverse() : one.Entries
            select (Case: one, Entry: entry);
        return scene.TakesTurns ? chosen.GroupBy(each => each.Entry.Server).SelectMany(turn => turn) : chosen;
    }

    /// <summary>
    /// Until the server's CPU for each event (or the time for it, where nobody else is measured) no longer falls. Cold, the JIT takes a third of it, and on a busy machine its tiers come late; time alone would not tell.
    /// </summary>
    private async Task WarmUpAsync(Entry entry, CancellationToken cancellationToken)
    {
        var before = double.MaxValue;
        for (var i = 0; i < options.MostWarmUps; i++)
        {
            var measured = await entry.Measure(options.WarmUp, cancellationToken);
            var cost = measured?.Find(Figure.ServerCpuName) ?? 1 / measured?.Find(Figure.RateName);
            if (cost is null || cost > before * StillFalling)
                return;
            before = cost.Value;
        }
    }
}
