using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Feed;

/// <summary>
/// Asks the store for the heads of the streams that have sessions here, one query a second: what bounds the delay when a hint is lost. Streams of which
/// something is known to be missing are asked for sooner.
/// </summary>
internal sealed partial class HeadsPoll(EventStore store, StreamFeed feed, TimeProvider time, ILogger<HeadsPoll> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>What is missing is mostly on its way: two nodes' messages have overtaken each other.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(20);

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        feed.TrimTails();
        await AskAsync(feed.Streams, cancellationToken);
    }

    private async Task AskAsync(IReadOnlyCollection<string> streams, CancellationToken cancellationToken)
    {
        if (streams.Count == 0)
            return;
        var heads = await store.ReadHeadsAsync(streams, cancellationToken);
        feed.Announce(heads.Select(head => new StreamAdvance(head.Key, head.Value.Position)));
    }

    /// <summary>Until the next poll is due; meanwhile it asks for streams that have a gap.</summary>
    private async Task PauseAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (s_interval - time.GetElapsedTime(started) is { Ticks: > 0 } left && !cancellationToken.IsCancellationRequested)
        {
            await feed.GapSeen.WaitAsync(left, time, cancellationToken);
            if (time.GetElapsedTime(started) >= s_interval || cancellationToken.IsCancellationRequested)
                return;
            await Task.Delay(s_patience, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await AskAsync(feed.TakeGaps(), cancellationToken);
        }
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
                await PauseAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                if (answering)
                    LogUnavailable(e.Message);
                answering = false;
                await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The heads of streams cannot be read; sessions wait: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The heads of streams can be read again")]
    private partial void LogAnswersAgain();
}
