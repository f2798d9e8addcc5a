using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>Sends what is due in the delivery queue, on every node. Each delivery is one node's at a time, by a lease.</summary>
/// <remarks>
/// <list type="number">
/// <item>Claim what is due, not paused and nobody's, each app's oldest first.</item>
/// <item>Ask the destination's circuit. Open: the claim is given back until it may close, and no attempt is spent.</item>
/// <item>Send. A crash from here to the end of step 4 repeats this one delivery when the lease has lapsed, and no other.</item>
/// <item>Record the attempt and what follows, in one transaction, if the claim still holds.</item>
/// </list>
/// </remarks>
internal sealed partial class DeliveryWorker(
    NotificationStore store, ChannelRegistry channels, DestinationCircuits circuits, RealtimeMetrics metrics, TimeProvider time,
    IOptions<DeliveryOptions> options, ILogger<DeliveryWorker> logger) : BackgroundService
{
    private const string Failed = "failed";

    private static readonly TimeSpan s_outagePause = TimeSpan.FromSeconds(1);

    private readonly WakeSignal _announced = new();

    /// <summary>There may be something due.</summary>
    public void Announce() => _announced.Set();

    /// <summary>Sends what is due now, once.</summary>
    /// <returns>How many deliveries were claimed.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        if (channels.Names.Count == 0)
            return 0;
        // No more than can be sent at once: what waits here would only use up its lease.
        var concurrency = options.Value.Concurrency;
        var claimed = await store.ClaimDeliveriesAsync(channels.Names, 4 * concurrency, concurrency, options.Value.Lease, time.GetUtcNow());
        await Parallel.ForEachAsync(claimed, new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = cancellationToken }, DeliverAsync);
        return claimed.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var answering = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var sent = await RunOnceAsync(stoppingToken);
                answering = true;
                if (sent == 0)
                    await _announced.WaitAsync(options.Value.Poll, time, stoppingToken);
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
                await Task.Delay(s_outagePause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async ValueTask DeliverAsync(DeliveryWork work, CancellationToken stopping)
    {
        var channel = channels.Get(work.Channel);
        var started = time.GetUtcNow();
        var sending = await circuits.TrySendAsync(channel, work, send => SendAsync(channel, work, send), stopping);
        if (sending.HeldUntil is not null)
            metrics.DeliveryHeld(work.Channel);
        if (sending.Result is not { } result)
        {
            await store.PostponeAsync(work, sending.HeldUntil!.Value);
            return;
        }

        var ended = time.GetUtcNow();
        var attempt = sending.HeldUntil is { } until
            ? new DeliveryAttempt(started, ended, DeliveryStatus.Failed, Failed, result.Error, until, IsSpent: false)
            : Judge(work, result, started, ended);
        metrics.DeliveryAttempted(work.Channel, attempt.Outcome, attempt.EndedAt - attempt.StartedAt);
        if (!await store.RecordAttemptAsync(work, attempt))
            LogLost(work.Id, work.Channel);
        else if (attempt.Status == DeliveryStatus.Dead)
            LogDead(work.Id, work.Channel, work.App, attempt.Error!);
    }

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
        if (result.IsSuccess)
        {
            var status = result.IsDelivered ? DeliveryStatus.Delivered : DeliveryStatus.Sent;
            return new DeliveryAttempt(started, ended, status, status, null, null);
        }

        var outcome = result.IsPermanent ? "refused" : Failed;
        var delay = result.IsPermanent ? null : RetryDelay.After(work.Attempts + 1, options.Value.DelaysOf(work.Channel), options.Value.JitterPercent, Random.Shared, result.RetryAfter);
        return delay is { } wait
            ? new DeliveryAttempt(started, ended, DeliveryStatus.Failed, outcome, result.Error, ended + wait)
            : new DeliveryAttempt(started, ended, DeliveryStatus.Dead, outcome, result.Error, null);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The delivery queue cannot be read or written; deliveries wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Delivering failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Delivery {Delivery} by {Channel} took longer than its lease; another node has it now, and it may be sent twice")]
    private partial void LogLost(Guid delivery, string channel);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Delivery {Delivery} by {Channel} of app {App} is dead: {Error}")]
    private partial void LogDead(Guid delivery, string channel, string app, string error);
}
