using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>
/// Keeps what answers "was it pushed, was it acknowledged?": an interval a session and stream, saved every few seconds and when a subscription ends, not a
/// row a push. What a node had not saved when it was killed is missing: evidence may say too little, never too much.
/// </summary>
internal sealed partial class EvidenceLog(EventStore store, TimeProvider time, ILogger<EvidenceLog> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(3);

    /// <summary>Few, with a pause after each as long as it took: publishes share the database, and should not wait behind a heap of evidence.</summary>
    private const int RowsAStatement = 200;

    /// <summary>Ended subscriptions that wait to be saved while the store is away; more are forgotten.</summary>
    private const int MostWaiting = 100_000;

    private readonly ConcurrentQueue<(Subscription Subscription, StreamPosition Stream)> _moved = new();
    private readonly ConcurrentQueue<EvidenceInterval> _waiting = new();

    /// <summary>The session has pushed or been acknowledged something in this stream.</summary>
    public void Moved(Subscription subscription, StreamPosition stream)
    {
        if (stream.MarkMoved())
            _moved.Enqueue((subscription, stream));
    }

    public async Task SaveAsync(CancellationToken cancellationToken)
    {
        for (var count = _moved.Count; count > 0 && _moved.TryDequeue(out var moved); count--)
        {
            // Unmarked first: what moves from here on is moved again.
            moved.Stream.UnmarkMoved();
            if (_waiting.Count < MostWaiting)
                _waiting.Enqueue(moved.Subscription.Evidence(moved.Stream));
        }

        while (!_waiting.IsEmpty)
        {
            var batch = new Dictionary<(string Session, string Stream, long From), EvidenceInterval>();
            foreach (var interval in _waiting.Take(RowsAStatement))
                batch[(interval.SessionId, interval.Stream, interval.From)] = interval; // a later one of the same is further
            var taken = Math.Min(RowsAStatement, _waiting.Count);
            var started = time.GetTimestamp();
            await store.SaveEvidenceAsync(batch.Values, time.GetUtcNow(), cancellationToken);
            for (var i = 0; i < taken; i++)
                _waiting.TryDequeue(out _);
            if (!_waiting.IsEmpty)
                await Task.Delay(time.GetElapsedTime(started), time, cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await SaveAsync(CancellationToken.None);
            }
            catch (StoreException e)
            {
                LogPutOff(e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Evidence of pushes is saved later: {Reason}")]
    private partial void LogPutOff(string reason);
}
