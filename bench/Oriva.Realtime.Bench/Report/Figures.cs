namespace Oriva.Realtime.Bench.Report;

/// <summary>All rounds of a run, and what they come to: medians, and ratios to the bare hub of the same round.</summary>
internal sealed class Figures
{
    private readonly List<Figure> _figures = [];

    public void Add(Figure figure) => _figures.Add(figure);

    /// <summary>One line for each case and server, in the order in which they were measured.</summary>
    public IEnumerable<Line> Summarise() =>
        from figure in _figures
        group figure by (figure.Scenario, figure.Case) into byCase
        from byServer in byCase.GroupBy(figure => figure.Server).OrderBy(byServer => byServer.First().IsBare)
        let bare = byCase.Where(figure => figure.IsBare).ToDictionary(figure => figure.Round, figure => figure.Measured)
        let pairs = byServer.Where(figure => !figure.IsBare && bare.ContainsKey(figure.Round)).Select(figure => (Ours: figure.Measured, Bare: bare[figure.Round])).ToList()
        let rounds = byServer.Select(figure => figure.Measured).ToList()
        select new Line(
            byCase.Key.Scenario, byCase.Key.Case, byServer.Key, rounds.Count,
            Median(rounds, m => m.PerSecond), Median(rounds, m => m.P50.TotalMilliseconds), Median(rounds, m => m.P99.TotalMilliseconds),
            Median(rounds, m => m.ServerCpu.TotalMicroseconds), Median(rounds, m => m.ClientCpu.TotalMicroseconds),
            Ratio.Of(pairs, m => m.PerSecond), Ratio.Of(pairs, m => m.P50.TotalMilliseconds), Ratio.Of(pairs, m => m.P99.TotalMilliseconds));

    private static double Median(IEnumerable<Measurement> rounds, Func<Measurement, double> value) => MedianOf(rounds.Select(value));

    private static double MedianOf(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>Ours ÷ bare, and how far the rounds are apart: what the noise of the machine allows one to say.</summary>
    internal sealed record Ratio(double Median, double Lowest, double Highest)
    {
        public static Ratio? Of(IReadOnlyList<(Measurement Ours, Measurement Bare)> pairs, Func<Measurement, double> value)
        {
            var ratios = pairs.Where(pair => value(pair.Bare) > 0).Select(pair => value(pair.Ours) / value(pair.Bare)).ToList();
            return ratios.Count == 0 ? null : new Ratio(MedianOf(ratios), ratios.Min(), ratios.Max());
        }
    }

    /// <summary>Times in milliseconds, CPU in microseconds.</summary>
    internal sealed record Line(
        string Scenario, string Case, string Server, int Rounds, double PerSecond, double P50, double P99, double ServerCpu, double ClientCpu,
        Ratio? Rate, Ratio? P50Ratio, Ratio? P99Ratio);
}
