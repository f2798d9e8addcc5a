using Microsoft.Extensions.Hosting;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>One timer for all sessions: once a second it wakes those whose beacon is due, whose pause is over or whose access may have changed.</summary>
internal sealed class SessionSweeper(SessionFactory sessions, AccessPolicy access, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var revision = access.Revision;
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var now = time.GetTimestamp();
            var changed = revision != (revision = access.Revision);
            foreach (var session in sessions.Running)
            {
                session.Sweep(now);
                if (changed)
                    session.JudgeAgain();
            }
        }
    }
}
