using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>Deletes notifications that are over age, with their deliveries and attempts. Nodes may do it at the same time: whoever comes second finds nothing.</summary>
internal sealed partial class NotificationRetention(
    NotificationStore store, NotificationEvents events, TimeProvider time, IOptions<RetentionOptions> options, ILogger<NotificationRetention> logger) : BackgroundService
{
    private const int DroppedAtOnce = 500;

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = StoreTime.Truncate(time.GetUtcNow());
        var cutoff = now.AddDays(-options.Value.NotificationDays);
        while (await store.DropBeforeAsync(cutoff, DroppedAtOnce, now, events.OfDropped))
        {
            events.Announce();
            cancellationToken.ThrowIfCancellationRequested();
        }

        events.Announce();
        while (await store.DropLeftoversAsync(cutoff, DroppedAtOnce * 10, now))
            cancellationToken.ThrowIfCancellationRequested();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                if (StoreOutage.Is(e))
                    LogPutOff(e.Message);
                else
                    LogFailed(e);
            }

            await Task.Delay(options.Value.Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Deleting old notifications failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Deleting old notifications is put off to the next run: {Reason}")]
    private partial void LogPutOff(string reason);
}
