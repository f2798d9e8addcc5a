namespace Oriva.Realtime.Bench.Report;

/// <summary><c>bench/RESULTS.md</c>: the figures with what one needs to judge and to repeat them.</summary>
internal static class ResultsFile
{
    public static async Task<string> WriteAsync(Figures figures, string command, string store, string loadBefore, CancellationToken cancellationToken)
    {
        var path = Path.Combine(FindFolder(), "RESULTS.md");
        await File.WriteAllTextAsync(path, $"""
            # Figures

            | | |
            |---|---|
            | date | {TimeProvider.System.GetUtcNow():yyyy-MM-dd} |
            | machine | {Machine.Describe()}; server, load client and database share it |
            | load before the run | {loadBefore} |
            | command | `{command}` |
            | store | {store} |

            Medians of the rounds; "÷ bare" is the median of the ratios of each round, with the lowest and the highest. Latency counts from when a publish
            was due: to its answer (publish), to its arrival at each receiver (unicast, fan-out). "In flight" in unicast and fan-out means sent and not yet
            received by everyone. In "publish" nobody is connected, so the bare hub does little more than to parse what it is sent. CPU is for each event acknowledged or message received; a database's own is not in it. Every round was verified: each
            acknowledged event was received exactly once, in order, by everyone entitled (of the bare hub, which has no positions: exactly once).

            {FiguresTable.ToMarkdown(figures)}

            """, cancellationToken);
        return path;
    }

    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Oriva.Realtime.sln")))
                return Path.Combine(folder.FullName, "bench");
        }

        throw new BenchException("--write needs the repository: Oriva.Realtime.sln is in no folder above the bench.");
    }
}
