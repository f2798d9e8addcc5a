using System.Diagnostics;

namespace Oriva.Realtime.Bench.Load;

/// <summary>The one clock of publishers and receivers, which live in one process: ticks of <see cref="Stopwatch"/>.</summary>
internal static class Clock
{
    public static long Now => Stopwatch.GetTimestamp();

    public static long ToTicks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    public static TimeSpan ToTimeSpan(long ticks) => TimeSpan.FromSeconds((double)ticks / Stopwatch.Frequency);

    public static Task DelayAsync(TimeSpan time, CancellationToken cancellationToken) => Task.Delay(time, TimeProvider.System, cancellationToken);
}
