using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>How long one follower waited at most for what was acknowledged.</summary>
/// <param name="Longest">For one event, from its receipt to its arrival.</param>
/// <param name="Silence">Without any event, while at least one had a receipt and was not there.</param>
internal sealed record Wait(TimeSpan Longest, TimeSpan Silence)
{
    /// <param name="all">Gets each event's wait, which is 0 where the event was there before its receipt.</param>
    public static Wait Of(IEnumerable<(string Id, long At)> arrivals, IReadOnlyDictionary<string, Acknowledged> acknowledged, Histogram all)
    {
        var inOrder = arrivals.Where(e => acknowledged.ContainsKey(e.Id)).OrderBy(e => e.At).ToList();
        var (longest, silence, earliest) = (0L, 0L, long.MaxValue);
        for (var i = inOrder.Count - 1; i >= 0; i--)
        {
            var (receipt, at) = (acknowledged[inOrder[i].Id].At, inOrder[i].At);
            all.Record(at - receipt);
            longest = Math.Max(longest, at - receipt);

            // Of those that were not there before this one came.
            earliest = Math.Min(earliest, receipt);
            silence = Math.Max(silence, at - Math.Max(earliest, i > 0 ? inOrder[i - 1].At : 0));
        }

        return new Wait(Clock.ToTimeSpan(longest), Clock.ToTimeSpan(silence));
    }
}
