using System.Text.Json;
using Oriva.Realtime.Core.Diagnostics;

namespace Oriva.Realtime.Core.Cluster;

/// <summary>A node's load and health, as of its last heartbeat.</summary>
/// <param name="PublishesPerSecond">Over the last ten seconds, as are pushes.</param>
/// <param name="PushLatencyMs">From recorded to handed to a connection, over the last minute; null when nothing was pushed live.</param>
/// <param name="Behind">Events that its hub connections have not been pushed yet.</param>
/// <param name="CpuPercent">Of all cores.</param>
/// <param name="Redis">Null: there is none.</param>
public sealed record NodeFigures(
    int Connections, int Sessions, int Users, double PublishesPerSecond, double PushesPerSecond, LatencyFigures? PushLatencyMs, long Behind, double ManagedMemoryMb, double WorkingSetMb,
    double CpuPercent, long UptimeSeconds, string Version, string? Redis, bool Draining)
{
    /// <summary>Of a node that has not beaten yet, or whose version writes something else.</summary>
    public static readonly NodeFigures None = new(0, 0, 0, 0, 0, null, 0, 0, 0, 0, 0, "", null, false);

    public static NodeFigures Read(string json)
    {
        try
        {
            return json == "{}" ? None : JsonSerializer.Deserialize<NodeFigures>(json, WireJson.Options) ?? None;
        }
        catch (JsonException)
        {
            return None;
        }
    }
}

public sealed record LatencyFigures(double P50, double P95, double P99);

/// <param name="Behind">Events that they have not been pushed yet.</param>
public sealed record ConnectionLoad(int Connections, int Users, long Behind);

/// <summary>Makes the figures of a heartbeat: rates and percentiles out of what the totals were at the heartbeats before.</summary>
internal sealed class NodeMeter(NodeIdentity self, RealtimeMetrics metrics, TimeProvider time)
{
    private const double Mb = 1024 * 1024;

    private static readonly TimeSpan s_rateAge = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_latencyAge = TimeSpan.FromMinutes(1);

    private readonly Queue<(long At, TimeSpan Cpu, NodeTotalsAt Totals)> _beats = new();

    public NodeFigures Read(ConnectionLoad load, string? redis, bool draining)
    {
        var now = (At: time.GetTimestamp(), Cpu: Environment.CpuUsage.TotalTime, Totals: metrics.Totals.Read());
        _beats.Enqueue(now);
        while (_beats.Count > 1 && time.GetElapsedTime(_beats.Peek().At, now.At) > s_latencyAge)
            _beats.Dequeue();
        var oldest = _beats.Peek();
        // By age, because beats come sooner when they are asked for.
        var recent = _beats.First(beat => time.GetElapsedTime(beat.At, now.At) <= s_rateAge);

        var seconds = Math.Max(time.GetElapsedTime(recent.At, now.At).TotalSeconds, 0.001);
        return new NodeFigures(
            load.Connections, metrics.Totals.Sessions, load.Users,
            Math.Round((now.Totals.Published - recent.Totals.Published) / seconds, 1), Math.Round((now.Totals.Pushed - recent.Totals.Pushed) / seconds, 1),
            Latency(oldest.Totals, now.Totals), load.Behind,
            Math.Round(GC.GetTotalMemory(forceFullCollection: false) / Mb, 1), Math.Round(Environment.WorkingSet / Mb, 1),
            Math.Round(100 * (now.Cpu - recent.Cpu).TotalSeconds / seconds / Environment.ProcessorCount, 1),
            (long)(time.GetUtcNow() - self.StartedAt).TotalSeconds, self.Version, redis, draining);
    }

    private static LatencyFigures? Latency(NodeTotalsAt from, NodeTotalsAt to) => NodeTotals.PercentileMs(from, to, 0.5) is { } p50
        ? new LatencyFigures(p50, NodeTotals.PercentileMs(from, to, 0.95)!.Value, NodeTotals.PercentileMs(from, to, 0.99)!.Value)
        : null;
}
