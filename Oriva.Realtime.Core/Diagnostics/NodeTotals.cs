namespace Oriva.Realtime.Core.Diagnostics;

/// <summary>Plain counters beside the instruments: what a node tells the others of itself, whether or not anybody collects metrics.</summary>
public sealed class NodeTotals
{
    private const double LeastMs = 0.1;

    /// <summary>Each bucket is so much wider than the one before: a percentile is right within a quarter.</summary>
    private const double Growth = 1.25;

    private static readonly double s_logOfGrowth = Math.Log(Growth);

    private readonly long[] _latencies = new long[64];
    private long _published;
    private long _pushed;
    private int _sessions;

    /// <summary>Sessions that are open now.</summary>
    public int Sessions => Volatile.Read(ref _sessions);

    public NodeTotalsAt Read()
    {
        var latencies = new long[_latencies.Length];
        for (var i = 0; i < latencies.Length; i++)
            latencies[i] = Interlocked.Read(ref _latencies[i]);
        return new NodeTotalsAt(Interlocked.Read(ref _published), Interlocked.Read(ref _pushed), latencies);
    }

    /// <summary>The latency that such a share of what came between the two was not above; null when nothing came.</summary>
    public static double? PercentileMs(NodeTotalsAt from, NodeTotalsAt to, double share)
    {
        long count = 0;
        for (var i = 0; i < to.Latencies.Count; i++)
            count += to.Latencies[i] - from.Latencies[i];
        if (count == 0)
            return null;
        var left = (long)Math.Ceiling(share * count);
        for (var i = 0; i < to.Latencies.Count; i++)
        {
            left -= to.Latencies[i] - from.Latencies[i];
            if (left <= 0)
                return Math.Round(LeastMs * Math.Pow(Growth, i), 2);
        }

        return null;
    }

    internal void AddPublished(int events) => Interlocked.Add(ref _published, events);

    internal void AddPushed(int events) => Interlocked.Add(ref _pushed, events);

    internal void AddSessions(int by) => Interlocked.Add(ref _sessions, by);

    internal void AddLatency(TimeSpan latency)
    {
        var ms = latency.TotalMilliseconds;
        var bucket = ms <= LeastMs ? 0 : Math.Min((int)Math.Ceiling(Math.Log(ms / LeastMs) / s_logOfGrowth), _latencies.Length - 1);
        Interlocked.Increment(ref _latencies[bucket]);
    }
}

/// <param name="Latencies">How many fell into each bucket.</param>
public sealed record NodeTotalsAt(long Published, long Pushed, IReadOnlyList<long> Latencies);
