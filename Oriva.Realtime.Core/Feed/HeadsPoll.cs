using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Feed;

/// <summary>Asks the store for the heads of the streams that have sessions here, one query a second: what bounds the delay when a hint is lost.</summary>
internal sealed partial class HeadsPoll(EventStore store, StreamFeed feed, TimeProvider time, ILogger<HeadsPoll> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        feed.TrimTails();
        var streams = feed.Streams;
        if (streams.Count == 0)
            return;
        var heads = await store.ReadHeadsAsync(streams, cancellationToken);
        feed.Announce(heads.Select(head => new StreamAdvance(head.Key, head.Value.Position)));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var answering = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunOnceAsync(stoppingToken);
                if (!answering)
                    LogAnswersAgain();
                answering = true;
            }
            catch (StoreException e)
            {
                if (answering)
                    LogUnavailable(e.Message);
                answering = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }

            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The heads of streams cannot be read; sessions wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The heads of streams can be read again")]
    private partial void LogAnswersAgain();
}
