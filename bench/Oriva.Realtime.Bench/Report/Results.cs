namespace Oriva.Realtime.Bench.Report;

/// <summary>All rounds of a run, and what they come to: medians, and ratios to the baseline of the same round.</summary>
internal sealed class Results
{
    private readonly List<Result> _results = [];
    private readonly Dictionary<string, Chart> _charts = new(StringComparer.Ordinal);

    public IEnumerable<string> Scenarios => _results.Select(result => result.Scenario).Distinct();

    public void Add(Result result) => _results.Add(result);

    public void AddChart(string scenario, Chart chart) => _charts[scenario] = chart;

    public Chart? FindChart(string scenario) => _charts.GetValueOrDefault(scenario);

    /// <summary>One line for each case and server, in the order in which they were measured; baselines last.</summary>
    public IReadOnlyList<Line> Summarise(string scenario) =>
    [
        .. from result in _results
           where result.Scenario == scenario
           group result by result.Case into byCase
           let baselines = byCase.Where(result => result.IsBaseline).ToDictionary(result => result.Round)
           from byServer in byCase.GroupBy(result => result.Server).OrderBy(byServer => byServer.First().IsBaseline)
           select new Line(byCase.Key, byCase.First().At, byServer.Key, [.. Summarise([.. byServer], baselines)]),
    ];

    private static IEnumerable<Cell> Summarise(IReadOnlyList<Result> rounds, Dictionary<int, Result> baselines)
    {
        foreach (var figure in rounds.SelectMany(round => round.Measured.Figures).DistinctBy(figure => figure.Name))
        {
            var ratios =
                from round in rounds
                where figure.Better != Better.Neither && !round.IsBaseline && baselines.ContainsKey(round.Round)
                let value = round.Measured.Find(figure.Name)
                let baseline = baselines[round.Round].Measured.Find(figure.Name)
                where value is not null && baseline > 0
                select value.Value / baseline.Value;
            var values = rounds.Select(round => round.Measured.Find(figure.Name)).OfType<double>();
            yield return new Cell(figure with { Value = Median([.. values.Order()]) }, Ratio.Of([.. ratios.Order()]));
        }
    }

    private static double Median(IReadOnlyList<double> sorted)
    {
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    internal sealed record Line(string Case, double? At, string Server, IReadOnlyList<Cell> Cells)
    {
        public Cell? Find(string figure) => Cells.FirstOrDefault(cell => cell.Median.Name == figure);
    }

    internal sealed record Cell(Figure Median, Ratio? Ratio);

    /// <summary>÷ baseline, and how far the rounds are apart: what the noise of the machine allows one to say.</summary>
    internal sealed record Ratio(double Median, double Lowest, double Highest)
    {
        public static Ratio? Of(IReadOnlyList<double> sorted) => sorted.Count == 0 ? null : new Ratio(Results.Median(sorted), sorted[0], sorted[^1]);
    }
}
