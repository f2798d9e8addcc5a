namespace Oriva.Realtime.Bench.Report;

internal enum Better
{
    Neither,
    More,
    Less,
}

/// <summary>One number of a measurement. What is neither better nor worse is shown, and not compared.</summary>
internal sealed record Figure(string Name, string Unit, double Value, Better Better = Better.Neither)
{
    public const string RateName = "rate";
    public const string P50Name = "p50";
    public const string P99Name = "p99";
    public const string ServerCpuName = "server CPU";

    public static Figure Rate(double perSecond, string name = RateName) => new(name, "/s", perSecond, Better.More);

    public static Figure Latency(string name, TimeSpan time) => new(name, "ms", time.TotalMilliseconds, Better.Less);

    public static Figure Share(string name, double ratio) => new(name, "", ratio);
}
