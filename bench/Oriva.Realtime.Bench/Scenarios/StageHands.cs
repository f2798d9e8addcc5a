using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>Starts the servers that the command line names, side by side.</summary>
/// <param name="folder">Of the run; each set of servers has one of its own in it.</param>
internal sealed class StageHands(BenchOptions options, string folder)
{
    private int _sets;

    /// <summary>What ours kept its events in.</summary>
    public string Store { get; private set; } = "nothing stored";

    /// <param name="withCrowd">Users are connected from the start; otherwise they come when a case or the verification wants them.</param>
    public async Task<IReadOnlyList<Stage>> SetAsync(int users, bool withCrowd, CancellationToken cancellationToken)
    {
        var home = Directory.CreateDirectory(Path.Combine(folder, $"{++_sets}")).FullName;
        var stages = new List<Stage>();
        try
        {
            foreach (var server in options.Servers)
                stages.Add(await Stage.SetAsync(await StartAsync(server, home, users, cancellationToken), withCrowd, cancellationToken));
            return stages;
        }
        catch
        {
            foreach (var stage in stages)
                await stage.DisposeAsync();
            throw;
        }
    }

    private async Task<Target> StartAsync(string server, string home, int users, CancellationToken cancellationToken)
    {
        if (server == BareTarget.Key)
            return await BareTarget.StartAsync(home, users, cancellationToken);
        var ours = await OursTarget.StartAsync(home, options.Postgres, users, cancellationToken);
        Store = ours.Store;
        return ours;
    }
}
