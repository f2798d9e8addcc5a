namespace Oriva.Realtime.Core.Notifications;

/// <summary>How long to wait after a failed attempt.</summary>
internal static class RetryDelay
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);

    /// <param name="failures">So far, from 1.</param>
    /// <param name="retryAfter">What the destination asked for, at least; a day at most.</param>
    /// <returns>Null: it has been tried often enough.</returns>
    public static TimeSpan? After(int failures, IReadOnlyList<TimeSpan> delays, int jitterPercent, Random random, TimeSpan? retryAfter = null)
    {
        if (failures > delays.Count)
            return null;
        var factor = 1 + (jitterPercent / 100.0 * ((2 * random.NextDouble()) - 1));
        var delay = delays[failures - 1] * factor;
        return retryAfter > delay ? (retryAfter < s_longest ? retryAfter : s_longest) : delay;
    }
}
