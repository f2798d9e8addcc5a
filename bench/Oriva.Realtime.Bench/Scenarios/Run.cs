using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>
/// A whole run. Each scenario gets fresh servers, side by side; its cases are warmed up, then measured in rounds, ours and the bare hub in turn, so that
/// what else the machine does meets both.
/// </summary>
internal sealed class Run(BenchOptions options, IAnsiConsole console)
{
    private const double StillFalling = 0.9;

    public Figures Figures { get; } = new();

    /// <summary>What ours kept its events in.</summary>
    public string Store { get; private set; } = "";

    public async Task GoAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-bench-");
        try
        {
            foreach (var name in options.Scenarios)
            {
                var scenario = Scenario.Find(name, options.Scale);
                scenario = scenario with { Cases = [.. scenario.Cases.Where(one => one.Title.Contains(options.Case, StringComparison.Ordinal))] };
                if (scenario.Cases.Count > 0)
                    await MeasureAsync(scenario, folder.FullName, cancellationToken);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task MeasureAsync(Scenario scenario, string parent, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateDirectory(Path.Combine(parent, scenario.Name)).FullName;
        var stages = new List<Stage>();
        try
        {
            console.MarkupLineInterpolated($"[bold]{scenario.Name}[/]: starting servers, connecting users");
            if (options.Ours)
                stages.Add(await Stage.SetAsync(await StartOursAsync(folder, cancellationToken), scenario.WithCrowd, cancellationToken));
            if (options.Bare)
                stages.Add(await Stage.SetAsync(await BareTarget.StartAsync(folder, options.Scale.Users, cancellationToken), scenario.WithCrowd, cancellationToken));
            await MeasureAsync(scenario, stages, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            foreach (var stage in stages)
                console.WriteLine($"The last lines of {stage.Target.Name}:{Environment.NewLine}{stage.Target.Server.ReadLog()}");
            throw;
        }
        finally
        {
            foreach (var stage in stages)
                await stage.DisposeAsync();
        }
    }

    private async Task MeasureAsync(Scenario scenario, List<Stage> stages, CancellationToken cancellationToken)
    {
        foreach (var one in scenario.Cases)
        {
            foreach (var stage in stages)
                await WarmUpAsync(one, stage, cancellationToken);
        }

        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var one in scenario.Cases)
            {
                // Nobody always goes first.
                foreach (var stage in round % 2 == 1 ? stages : Enumerable.Reverse(stages))
                {
                    var measured = await one.Measure(stage, options.Duration, cancellationToken);
                    Figures.Add(new Figure(scenario.Name, one.Title, stage.Target.Name, stage.Target is BareTarget, round, measured));
                    console.MarkupLineInterpolated(
                        $"  round {round}, {one.Title}, {stage.Target.Name}: {FiguresTable.Number(measured.PerSecond)}/s, p50 {FiguresTable.Number(measured.P50.TotalMilliseconds)} ms, p99 {FiguresTable.Number(measured.P99.TotalMilliseconds)} ms");
                }
            }
        }

        foreach (var stage in stages)
            await stage.VerifyByReplayAsync(cancellationToken);
    }

    /// <summary>
    /// Until the server's CPU for each event no longer falls. Cold, the JIT takes a third of it, and on a busy machine its tiers come late; time alone would not tell.
    /// </summary>
    private async Task WarmUpAsync(Case one, Stage stage, CancellationToken cancellationToken)
    {
        var before = TimeSpan.MaxValue;
        for (var i = 0; i < options.MostWarmUps; i++)
        {
            var measured = await one.Measure(stage, options.WarmUp, cancellationToken);
            if (measured.ServerCpu > before * StillFalling)
                return;
            before = measured.ServerCpu;
        }
    }

    private async Task<OursTarget> StartOursAsync(string folder, CancellationToken cancellationToken)
    {
        var ours = await OursTarget.StartAsync(folder, options.Postgres, options.Scale.Users, cancellationToken);
        Store = ours.Store;
        return ours;
    }
}
