using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Report;

/// <summary>One round of one case on one server.</summary>
internal sealed record Measurement(IReadOnlyList<Figure> Figures)
{
    /// <summary>Of a load of events that were acknowledged, or of messages where somebody receives.</summary>
    /// <param name="latency">From when a publish was due to its answer, or to its arrival at each receiver where somebody receives.</param>
    /// <param name="serverCpu">Of the server process. A database's own is not in it.</param>
    /// <param name="clientCpu">Of the load client. Where it is more than the server's, the client sets the limit.</param>
    public static Measurement OfLoad(long count, TimeSpan elapsed, Histogram latency, TimeSpan serverCpu, TimeSpan clientCpu) => new(
    [
        Figure.Rate(count / elapsed.TotalSeconds),
        Figure.Latency(Figure.P50Name, latency.At(0.5)),
        Figure.Latency(Figure.P99Name, latency.At(0.99)),
        new(Figure.ServerCpuName, "µs", serverCpu.TotalMicroseconds / Math.Max(1, count)),
        new("client CPU", "µs", clientCpu.TotalMicroseconds / Math.Max(1, count)),
    ]);

    /// <param name="latency">Of a commit, or of what waits for one.</param>
    public static Measurement OfAppends(long rows, TimeSpan elapsed, Histogram latency) => new(
        [Figure.Rate(rows / elapsed.TotalSeconds), Figure.Latency(Figure.P50Name, latency.At(0.5)), Figure.Latency(Figure.P99Name, latency.At(0.99))]);

    public double? Find(string name) => Figures.FirstOrDefault(figure => figure.Name == name)?.Value;

    public Measurement With(Figure figure) => new([.. Figures, figure]);

    public override string ToString() => string.Join(", ", Figures.Select(figure => $"{figure.Name} {FiguresTable.Number(figure.Value)} {figure.Unit}".TrimEnd()));
}

/// <param name="At">Where it stands on the axis of a chart: the rate, or how many are in flight.</param>
/// <param name="IsBaseline">What the others of the same case are compared with.</param>
internal sealed record Result(string Scenario, string Case, double? At, string Server, bool IsBaseline, int Round, Measurement Measured);
