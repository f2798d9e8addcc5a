using Microsoft.Extensions.Hosting;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>One timer for all sessions: once a second it wakes those whose beacon is due or whose pause is over.</summary>
internal sealed class SessionSweeper(SessionFactory sessions, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var now = time.GetTimestamp();
            foreach (var session in sessions.Running)
                session.Sweep(now);
        }
    }
}
