using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Report;

/// <summary>One round of one case on one server.</summary>
/// <param name="PerSecond">Events acknowledged, or messages received where somebody receives.</param>
/// <param name="P50">Latency from when a publish was due to its answer, or to its arrival at each receiver where somebody receives.</param>
/// <param name="ServerCpu">Of the server process, for each of what <paramref name="PerSecond"/> counts. A database's own is not in it.</param>
/// <param name="ClientCpu">Of the load client, likewise. Where it is more than the server's, the client sets the limit.</param>
internal sealed record Measurement(double PerSecond, TimeSpan P50, TimeSpan P99, TimeSpan ServerCpu, TimeSpan ClientCpu)
{
    public static Measurement Of(long count, TimeSpan elapsed, Histogram latency, TimeSpan serverCpu, TimeSpan clientCpu) => new(
        count / elapsed.TotalSeconds, latency.At(0.5), latency.At(0.99), serverCpu / Math.Max(1, count), clientCpu / Math.Max(1, count));
}

/// <param name="Server">The name of the target.</param>
internal sealed record Figure(string Scenario, string Case, string Server, bool IsBare, int Round, Measurement Measured);
