using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>
/// Does what time brings, on every node: digests whose window is over become notifications, scheduled notifications are sent, expired ones leave the inbox.
/// </summary>
/// <remarks>
/// Each is claimed by a lease and ends in one transaction that holds only while the claim does. A crash before its commit leaves it to the next claim, one after it
/// has left nothing to do.
/// </remarks>
internal sealed partial class ScheduleWorker(
    NotificationStore store, RealtimeDatabase database, DigestComposer digests, DirectNotifications direct, NotificationEvents events, DeliveryWorker deliveries,
    RealtimeMetrics metrics, TimeProvider time, IOptions<DeliveryOptions> options, ILogger<ScheduleWorker> logger) : BackgroundService
{
    private const int ClaimedAtOnce = 100;
    private const int ClaimedPerApp = 20;

    /// <summary>What is due now.</summary>
    /// <returns>How many digests, requests and notifications it took.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = StoreTime.Truncate(time.GetUtcNow());
        var taken = 0;
        foreach (var work in await store.ClaimDigestsAsync(ClaimedAtOnce, ClaimedPerApp, options.Value.Lease, now))
        {
            taken++;
            await GuardAsync(work.App, "digest", work.Id.ToString(), async () => Announce(await store.FinishDigestAsync(
                work, await digests.ComposeAsync(work, cancellationToken), now, (notification, counts) => events.OfCreated(notification, counts, now))));
        }

        foreach (var work in await store.ClaimScheduledAsync(ClaimedAtOnce, ClaimedPerApp, options.Value.Lease, now))
        {
            taken++;
            await GuardAsync(work.App, "request", work.Id, async () => Announce(await direct.SendScheduledAsync(work, now, cancellationToken)));
        }

        return taken + await ExpireAsync(now, cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var answering = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var taken = await RunOnceAsync(stoppingToken);
                answering = true;
                if (taken == 0)
                    await Task.Delay(options.Value.Poll, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                if (!StoreOutage.Is(e))
                    LogFailed(e);
                else if (answering)
                    LogUnavailable(e.Message);
                answering = false;
                await Task.Delay(options.Value.Poll, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Archived, by an event like any other, so that badges and tabs agree.</summary>
    private async Task<int> ExpireAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var context = database.ForService();
        var expired = await context.Notifications.AsNoTracking().Where(row => row.ExpiresAt <= now && row.InInbox && row.ArchivedAt == null)
            .OrderBy(row => row.ExpiresAt).Select(row => new { row.Id, row.App, row.UserId }).Take(ClaimedAtOnce).ToListAsync(cancellationToken);
        foreach (var inbox in expired.GroupBy(row => (row.App, row.UserId)))
        {
            await store.MarkAsync(
                inbox.Key.App, inbox.Key.UserId, [.. inbox.Select(row => row.Id)], through: null, InboxMark.Archived, now,
                (changed, counts) => events.OfMarked(inbox.Key.App, inbox.Key.UserId, Caller.Service.Sub, InboxMark.Archived, changed, through: null, counts));
            events.Announce();
        }

        return expired.Count;
    }

    private void Announce(IReadOnlyList<NewNotification>? sent)
    {
        if (sent is not { Count: > 0 })
            return;
        metrics.Notified(sent[0].App, sent.Count);
        events.Announce();
        deliveries.Announce();
    }

    /// <summary>What fails is its own affair: the others go on, and it is due again when its lease has lapsed.</summary>
    private async Task GuardAsync(string app, string what, string id, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception e) when (!StoreOutage.Is(e) && e is not OperationCanceledException)
        {
            LogPutOff(e, what, id, app);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Digests and scheduled notifications cannot be read; they wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Doing what is due failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "The {What} {Id} of app {App} could not be sent; it is due again when its lease has lapsed")]
    private partial void LogPutOff(Exception exception, string what, string id, string app);
}
