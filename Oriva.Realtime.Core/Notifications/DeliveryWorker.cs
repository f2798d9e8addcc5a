using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>Sends what is due in the delivery queue, on every node. Each delivery is one node's at a time, by a lease.</summary>
/// <remarks>
/// <list type="number">
/// <item>Claim what is due, not paused and nobody's, each app's oldest first.</item>
/// <item>Ask again what may have changed since it was queued: membership, preferences, expiry; and whether the user wants to be disturbed now.</item>
/// <item>Ask the destination's circuit. Open: the claim is given back until it may close, and no attempt is spent.</item>
/// <item>Send. A crash from here to the end of step 5 repeats this one delivery when the lease has lapsed, and no other.</item>
/// <item>Record the attempt and what follows, in one transaction, if the claim still holds.</item>
/// </list>
/// </remarks>
internal sealed partial class DeliveryWorker(
    NotificationStore store, ChannelRegistry channels, DestinationCircuits circuits, AppRegistry registry, RealtimeMetrics metrics, TimeProvider time,
    IOptions<DeliveryOptions> options, ILogger<DeliveryWorker> logger) : BackgroundService
{
    public const string LeftApp = "left_app";
    public const string Expired = "expired";
    public const string QuietHoursReason = "quiet_hours";
    public const string CircuitOpen = "circuit_open";

    /// <summary>What was to replace a recalled notification was not taken.</summary>
    public const string NotReplaced = "recall_failed";
    private const string Failed = "failed";
    private const string Refused = "refused";

    private static readonly TimeSpan s_outagePause = TimeSpan.FromSeconds(1);

    private readonly WakeSignal _announced = new();

    /// <summary>Sends by app. An app with three quarters of the node's is not given more: where its destinations hang, the others' slots stay free.</summary>
    private readonly ConcurrentDictionary<string, int> _underWay = new(StringComparer.Ordinal);

    /// <summary>There may be something due.</summary>
    public void Announce() => _announced.Set();

    /// <summary>Sends what is due now, as much as may be under way at once.</summary>
    /// <returns>How many deliveries were claimed.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var claimed = await ClaimAsync(options.Value.Concurrency);
        await Task.WhenAll(claimed.Select(work => DeliverAsync(work, cancellationToken)));
        return claimed.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (channels.Names.Count == 0)
            return;
        var answering = true;
        using var slots = new SemaphoreSlim(options.Value.Concurrency);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await slots.WaitAsync(stoppingToken);
                slots.Release();
                var claimed = await ClaimAsync(slots.CurrentCount);
                foreach (var work in claimed)
                {
                    await slots.WaitAsync(CancellationToken.None);
                    _ = DeliverAsync(work, CancellationToken.None).ContinueWith(_ => slots.Release(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
                }

                answering = true;
                if (claimed.Count == 0)
                    await _announced.WaitAsync(options.Value.Poll, time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                if (!StoreOutage.Is(e))
                    LogFailed(e);
                else if (answering)
                    LogUnavailable(e.Message);
                answering = false;
                await Task.Delay(s_outagePause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        // What is under way ends, as far as the host waits for it: a send that is cut off would be repeated.
        for (var i = 0; i < options.Value.Concurrency; i++)
            await slots.WaitAsync(CancellationToken.None);
    }

    /// <summary>Step 1. No more than can be sent at once, since what waits here would only use up its lease; and of one app not all of it.</summary>
    private async Task<List<DeliveryWork>> ClaimAsync(int room)
    {
        // A heap of mail that waits for its server is left alone, and not taken up and laid down again one by one.
        var names = channels.Names.Where(name => channels.Get(name) is not { SoleDestination: { } sole } channel || !circuits.IsHeld(channel, sole)).ToList();
        if (names.Count == 0)
            return [];
        var most = Math.Max(1, options.Value.Concurrency * 3 / 4);
        var busy = _underWay.Where(app => app.Value >= most).Select(app => app.Key).ToList();
        var claimed = await store.ClaimDeliveriesAsync(names, room, Math.Max(1, room / 2), options.Value.Lease, time.GetUtcNow(), busy);
        foreach (var work in claimed)
            _underWay.AddOrUpdate(work.App, 1, static (_, count) => count + 1);
        return claimed;
    }

    /// <summary>Whatever happens to one delivery is its own affair: the others go on, and it is due again when its lease has lapsed.</summary>
    private async Task DeliverAsync(DeliveryWork work, CancellationToken stopping)
    {
        try
        {
            await TryDeliverAsync(work, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops; the attempt is repeated by another.
        }
        catch (Exception e)
        {
            LogPutOff(e, work.Id, work.Channel);
        }
        finally
        {
            _underWay.AddOrUpdate(work.App, 0, static (_, count) => count - 1);
        }
    }

    /// <summary>Steps 2 to 5.</summary>
    private async Task TryDeliverAsync(DeliveryWork work, CancellationToken stopping)
    {
        if (work.IsOver)
        {
            await store.PostponeAsync(work, time.GetUtcNow(), reason: "");
            return;
        }

        if (FindObjection(work) is { } objection)
        {
            await store.SuppressAsync(work, objection);
            return;
        }

        if (QuietUntil(work) is { } quietUntil)
        {
            await store.PostponeAsync(work, quietUntil, QuietHoursReason);
            return;
        }

        var channel = channels.Get(work.Channel);
        var started = time.GetUtcNow();
        var sending = await circuits.TrySendAsync(channel, work, send => SendAsync(channel, work, send), stopping);
        if (sending.HeldUntil is not null)
            metrics.DeliveryHeld(work.Channel);
        if (sending.Result is not { } result)
        {
            await store.PostponeAsync(work, sending.HeldUntil!.Value, CircuitOpen);
            return;
        }

        var ended = time.GetUtcNow();
        var attempt = sending.HeldUntil is { } until
            ? new DeliveryAttempt(started, ended, DeliveryStatus.Failed, Failed, result.Error, until, IsSpent: false) { Reason = CircuitOpen }
            : Judge(work, result, started, ended);
        metrics.DeliveryAttempted(work.Channel, attempt.Outcome, attempt.EndedAt - attempt.StartedAt);
        if (!await store.RecordAttemptAsync(work, attempt))
            LogLost(work.Id, work.Channel);
        else if (attempt.Status == DeliveryStatus.Dead)
            LogDead(work.Id, work.Channel, work.App, attempt.Error!);
    }

    /// <returns>Why it is not sent after all.</returns>
    private string? FindObjection(DeliveryWork work)
    {
        if (work.HasLeft)
            return LeftApp;
        // What replaces a notification is not one more; where nothing can, there is nothing to send.
        if (work.IsRecalled)
            return work.Channel is ChannelNames.Push or ChannelNames.Webhook ? null : NotificationStore.Recalled;
        if (work.ExpiresAt <= time.GetUtcNow())
            return Expired;
        var required = registry.Find(work.App)?.Manifest.IsRequired(work.Type) == true;
        return NotificationSettings.Of(work.IsMuted, work.MutedChannels, quietHours: null).Objection(work.Type, work.Channel, required);
    }

    /// <returns>Null: it may disturb now.</returns>
    private DateTimeOffset? QuietUntil(DeliveryWork work) =>
        work.QuietHours is not null && !work.IsRecalled && work.Channel is ChannelNames.Push or ChannelNames.Email
            ? NotificationSettings.Of(false, null, work.QuietHours).QuietHours!.Until(time.GetUtcNow(), work.TimeZone)
            : null;

    /// <summary>Whatever a channel throws is a failure that passes; nothing it does takes longer than its share of the lease.</summary>
    private async ValueTask<ChannelResult> SendAsync(INotificationChannel channel, DeliveryWork work, CancellationToken stopping)
    {
        using var timeout = new CancellationTokenSource(options.Value.Lease * 0.75, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
        try
        {
            return await channel.SendAsync(work, either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return ChannelResult.Failed("The destination did not answer in time.");
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e)
        {
            return ChannelResult.Failed($"{e.GetType().Name}: {e.Message}");
        }
    }

    private DeliveryAttempt Judge(DeliveryWork work, ChannelResult result, DateTimeOffset started, DateTimeOffset ended)
    {
        if (work.IsRecalled && (result.IsSuccess || result.IsPermanent))
        {
            return new DeliveryAttempt(started, ended, DeliveryStatus.Cancelled, result.IsSuccess ? DeliveryStatus.Sent : Refused, result.Error, null)
            {
                Reason = result.IsSuccess ? NotificationStore.Recalled : NotReplaced,
            };
        }

        if (result.IsSuccess)
        {
            var status = result.IsDelivered ? DeliveryStatus.Delivered : DeliveryStatus.Sent;
            return new DeliveryAttempt(started, ended, status, status, null, null);
        }

        if (result.Suppression is { } reason)
            return new DeliveryAttempt(started, ended, DeliveryStatus.Suppressed, DeliveryStatus.Suppressed, result.Error, null) { Reason = reason };

        var outcome = result.IsPermanent ? Refused : Failed;
        var delay = result.IsPermanent ? null : RetryDelay.After(work.Attempts + 1, options.Value.DelaysOf(work.Channel), options.Value.JitterPercent, Random.Shared, result.RetryAfter);
        return delay is { } wait
            ? new DeliveryAttempt(started, ended, DeliveryStatus.Failed, outcome, result.Error, ended + wait)
            : new DeliveryAttempt(started, ended, DeliveryStatus.Dead, outcome, result.Error, null);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The delivery queue cannot be read or written; deliveries wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Delivering failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Delivery {Delivery} by {Channel} could not be attempted or recorded; it is due again when its lease has lapsed")]
    private partial void LogPutOff(Exception exception, Guid delivery, string channel);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Delivery {Delivery} by {Channel} took longer than its lease; another node has it now, and it may be sent twice")]
    private partial void LogLost(Guid delivery, string channel);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Delivery {Delivery} by {Channel} of app {App} is dead: {Error}")]
    private partial void LogDead(Guid delivery, string channel, string app, string error);
}
