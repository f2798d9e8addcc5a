using System.Text.Encodings.Web;
using System.Text.Json;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>The verdict with its evidence, as <c>--report</c> writes it.</summary>
internal sealed record VerifyReport
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public required bool Holds { get; init; }

    public required DateTimeOffset Started { get; init; }

    public required IReadOnlyList<string> Urls { get; init; }

    public required IReadOnlyList<string> Apps { get; init; }

    public required int Published { get; init; }

    public required int Acknowledged { get; init; }

    public required int Retries { get; init; }

    public required IReadOnlyList<CheckLine> Checks { get; init; }

    /// <summary>From when a publish was due to its first receipt.</summary>
    public required Quantiles PublishLatency { get; init; }

    /// <summary>From when a publish was due to its first arrival, once for each connection.</summary>
    public required Quantiles DeliveryLatency { get; init; }

    /// <summary>From an event's receipt to its first arrival, once for each connection; 0 where it was there before.</summary>
    public required Quantiles ArrivalLatency { get; init; }

    public required IReadOnlyList<ConnectionLine> Connections { get; init; }

    public required IReadOnlyList<FaultLine> Faults { get; init; }

    public static VerifyReport Of(
        DateTimeOffset started, VerifyOptions options, Cast cast, Verdict verdict, Publishers publishers, Histogram delivery, IReadOnlyList<Follower> followers, FaultHook faults)
    {
        var arrival = new Histogram();
        IReadOnlyList<ConnectionLine> connections = [.. followers.Select(follower => ConnectionLine.Of(follower, Wait.Of(follower.Journal.Events().Select(e => (e.Id, e.At)), publishers.Acknowledged, arrival)))];
        return new VerifyReport
        {
            Holds = verdict.Holds,
            Started = started,
            Urls = [.. options.Urls.Select(url => url.ToString())],
            Apps = cast.Apps,
            Published = publishers.Published,
            Acknowledged = publishers.Acknowledged.Count,
            Retries = publishers.Retries,
            Checks = [.. verdict.Checks.Select(check => new CheckLine(check.Name, check.Promise, check.Holds, check.Checked, check.Wrong, check.Examples))],
            PublishLatency = Quantiles.Of(publishers.Latency),
            DeliveryLatency = Quantiles.Of(delivery),
            ArrivalLatency = Quantiles.Of(arrival),
            Connections = connections,
            Faults = [.. faults.Runs.Select(run => new FaultLine(Math.Round(run.At.TotalSeconds, 1), run.Kind, run.ExitCode))],
        };
    }

    public async Task WriteAsync(string path) =>
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(this, s_json) + "\n");

    internal sealed record CheckLine(string Name, string Promise, bool Holds, long Checked, long Wrong, IReadOnlyList<string> Examples);

    internal sealed record FaultLine(double AtSeconds, string Kind, int ExitCode);

    internal sealed record ConnectionLine(string App, string User, IReadOnlyList<string> Topics, int Subscribed, int Events, long Signals, double LongestWaitMs, double LongestSilenceMs, string? LastError)
    {
        public static ConnectionLine Of(Follower follower, Wait wait) => new(
            follower.Journal.Entitlement.App, follower.Journal.Entitlement.User, follower.Journal.Entitlement.Topics, follower.Lives,
            follower.Journal.Received, follower.Journal.Signals, Quantiles.Round(wait.Longest), Quantiles.Round(wait.Silence), follower.LastError);
    }

    internal sealed record Quantiles(long Count, double P50Ms, double P99Ms, double MaxMs)
    {
        public static Quantiles Of(Histogram histogram) => new(histogram.CountRecorded(), At(histogram, 0.5), At(histogram, 0.99), At(histogram, 1));

        public static double Round(TimeSpan time) => Math.Round(time.TotalMilliseconds, 2);

        private static double At(Histogram histogram, double quantile) => Round(histogram.At(quantile));
    }
}
