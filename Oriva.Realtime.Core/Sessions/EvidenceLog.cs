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

    /// <summary>
    /// Few, and not many a second: publishes share the database, and should not wait behind a heap of evidence. Where more streams than that move, each is
    /// saved less often, and further.
    /// </summary>
    private const int RowsAStatement = 200;

    private static readonly TimeSpan s_betweenStatements = TimeSpan.FromMilliseconds(200);

    /// <summary>Streams that wait to be saved while the store is away; more are forgotten.</summary>
    private const int MostWaiting = 100_000;

    /// <summary>Users' own streams come first: whether a notification was acknowledged decides what else is sent.</summary>
    private readonly ConcurrentQueue<(Subscription Subscription, StreamPosition Stream)> _ofUsers = new();
    private readonly ConcurrentQueue<(Subscription Subscription, StreamPosition Stream)> _ofOthers = new();

    /// <summary>The session has pushed or been acknowledged something in this stream.</summary>
    public void Moved(Subscription subscription, StreamPosition stream)
    {
        if (stream.MarkMoved())
            (stream.Stream.Name.UserId is null ? _ofOthers : _ofUsers).Enqueue((subscription, stream));
    }

    /// <summary>Saves what has moved until now.</summary>
    /// <param name="hurrying">Ends the pauses.</param>
    public async Task SaveAsync(CancellationToken hurrying)
    {
        for (var left = _ofUsers.Count + _ofOthers.Count; left > 0; left -= RowsAStatement)
        {
            await SaveSomeAsync(Math.Min(left, RowsAStatement));
            if (left > RowsAStatement)
                await Task.Delay(s_betweenStatements, time, hurrying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await SaveAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                LogPutOff(e.Message);
                Forget(_ofUsers.Count + _ofOthers.Count - MostWaiting);
            }
        }
    }

    private async Task SaveSomeAsync(int count)
    {
        var taken = new List<(Subscription Subscription, StreamPosition Stream)>(count);
        var intervals = new Dictionary<(string Session, string Stream, long From), EvidenceInterval>(count);
        while (taken.Count < count && (_ofUsers.TryDequeue(out var moved) || _ofOthers.TryDequeue(out moved)))
        {
            taken.Add(moved);
            // Unmarked first: what moves from here on is moved again.
            moved.Stream.UnmarkMoved();
            var interval = moved.Subscription.Evidence(moved.Stream);
            intervals[(interval.SessionId, interval.Stream, interval.From)] = interval; // a later one of the same is further
        }

        try
        {
            await store.SaveEvidenceAsync(intervals.Values, time.GetUtcNow(), CancellationToken.None);
        }
        catch (StoreException)
        {
            foreach (var (subscription, stream) in taken)
                Moved(subscription, stream);
            throw;
        }
    }

    /// <summary>The oldest, those of users last; a stream that moves on is here again.</summary>
    private void Forget(int count)
    {
        for (; count > 0 && (_ofOthers.TryDequeue(out var moved) || _ofUsers.TryDequeue(out moved)); count--)
            moved.Stream.UnmarkMoved();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Evidence of pushes is saved later: {Reason}")]
    private partial void LogPutOff(string reason);
}
