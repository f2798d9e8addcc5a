using System.Runtime.InteropServices;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// Calls back at a fixed rate from a thread of its own, whatever the server does. Each call gets the time when it was due; latency counts from there, so
/// that a stalled server cannot slow the measuring down and thereby hide its stall ("coordinated omission", Gil Tene).
/// </summary>
internal static class Pacer
{
    /// <param name="send">Must not block.</param>
    /// <returns>Completes when the last call was made. An exception of <paramref name="send"/> ends it.</returns>
    public static Task RunAsync(int perSecond, TimeSpan duration, Action<long> send, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(() => Run(perSecond, duration, send, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Run(int perSecond, TimeSpan duration, Action<long> send, CancellationToken cancellationToken)
    {
        var start = Clock.Now;
        var interval = Clock.ToTicks(TimeSpan.FromSeconds(1)) / perSecond;
        var calls = (long)(perSecond * duration.TotalSeconds);
        for (var i = 0L; i < calls && !cancellationToken.IsCancellationRequested; i++)
        {
            var due = start + (i * interval);
            for (var left = due - Clock.Now; left > 0; left = due - Clock.Now)
                Sleep(Clock.ToTimeSpan(left));
            send(due);
        }
    }

    /// <summary>.NET sleeps in whole milliseconds, which is longer than most latencies here; the kernel's own sleep is good to 0.1 ms.</summary>
    private static void Sleep(TimeSpan time)
    {
        if (OperatingSystem.IsLinux())
        {
            var wanted = new TimeSpec { Seconds = (long)time.TotalSeconds, Nanoseconds = (long)(time.TotalNanoseconds % 1e9) };
            _ = nanosleep(wanted, IntPtr.Zero);
        }
        else
        {
            Thread.Yield();
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [DllImport("libc"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int nanosleep(in TimeSpec wanted, IntPtr remaining);
}
