using System.Text.RegularExpressions;

namespace Oriva.Realtime.Bench.Report;

/// <summary>
/// <c>bench/RESULTS.md</c>: a section for each scenario, with what one needs to judge and to repeat its figures. A run replaces the sections of its own
/// scenarios and leaves the others.
/// </summary>
internal static partial class ResultsFile
{
    private const string ChartFolder = "charts";

    private const string Preface = """
        # Results

        How to read them is in [README.md](README.md). Written by `--write`: each section is of the run named in it, and figures of different sections are not
        to be compared.
        """;

    /// <param name="command">That repeats the run.</param>
    /// <param name="store">What ours kept its events in.</param>
    public static async Task<string> WriteAsync(Results results, string command, string store, string loadBefore, CancellationToken cancellationToken)
    {
        var bench = RepositoryFolder.OfBench();
        var path = Path.Combine(bench, "RESULTS.md");
        var sections = Split(File.Exists(path) ? await File.ReadAllTextAsync(path, cancellationToken) : "");
        foreach (var scenario in results.Scenarios)
        {
            var picture = "";
            if (results.FindChart(scenario) is { } chart)
            {
                await chart.SaveAsync(scenario, results.Summarise(scenario), Path.Combine(bench, ChartFolder), cancellationToken);
                picture = $"\n\n![{scenario}: {chart.Figure}]({ChartFolder}/{chart.File}.svg)";
            }

            var section = $"""
                ## {scenario}

                {TimeProvider.System.GetUtcNow():yyyy-MM-dd}, {Machine.Describe()}, load before the run {loadBefore}; {store}. `{command}`

                {FiguresTable.ToMarkdown(results, scenario)}{picture}
                """;
            var index = sections.FindIndex(old => old.StartsWith($"## {scenario}\n", StringComparison.Ordinal));
            if (index < 0)
                sections.Add(section);
            else
                sections[index] = section;
        }

        await File.WriteAllTextAsync(path, string.Join("\n\n", [Preface, .. sections]) + "\n", cancellationToken);
        return path;
    }

    private static List<string> Split(string text) =>
        [.. NextSection().Split(text).Where(part => part.StartsWith("## ", StringComparison.Ordinal)).Select(part => part.Trim())];

    [GeneratedRegex("^(?=## )", RegexOptions.Multiline | RegexOptions.CultureInvariant, 1_000)]
    private static partial Regex NextSection();
}
