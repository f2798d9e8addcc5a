using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>What the intervals of a user's sessions say of single events.</summary>
internal static class LiveEvidence
{
    /// <summary>What a session passes over is saved with its next beacon; until then nobody seems to have been there.</summary>
    public static readonly TimeSpan Lag = TimeSpan.FromSeconds(20);

    /// <summary>What became of the event on one connection: <see cref="TraceSteps.Pushed"/>, <see cref="TraceSteps.Replayed"/>, <see cref="TraceSteps.Filtered"/> or <see cref="TraceSteps.Unknown"/>.</summary>
    public static string Judge(ConnectionEvidenceRow interval, StoredEvent e) => Interest.Takes(interval.Interests, e) switch
    {
        null => TraceSteps.Unknown,
        false => TraceSteps.Filtered,
        true => interval.OpenedAt <= e.RecordedAt ? TraceSteps.Pushed : TraceSteps.Replayed,
    };

    public static bool Covers(ConnectionEvidenceRow interval, StoredEvent e) =>
        interval.Stream == e.Stream && interval.FromPosition < e.Position && e.Position <= interval.PushedPosition;

    /// <summary>Why nothing may be known where no interval covers an event; null: nobody was there.</summary>
    public static string? WhyUnknown(DateTimeOffset recordedAt, DateTimeOffset now) =>
        now - recordedAt < Lag ? TraceReasons.TooRecent : now - recordedAt > Retention.EvidenceAge ? TraceReasons.EvidenceGone : null;
}
