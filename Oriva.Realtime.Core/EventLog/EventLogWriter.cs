using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>
/// The only code of a node that appends: it takes what is waiting, appends it with one commit, and answers. (Group commit: DeWitt et al.,
/// "Implementation techniques for main memory database systems", 1984.)
/// </summary>
/// <remarks>
/// A group goes through these steps, and a crash after any of them loses nothing that was answered:
/// <list type="number">
/// <item>Take requests, one from each app in turn.</item>
/// <item>Look up the receipts of ids that callers gave: repeats are answered from them, reused ids refused.</item>
/// <item>Append the rest in one transaction. Crash before its commit: nothing stored, nothing answered. After it: stored, and a repeat finds the receipt.</item>
/// <item>Tell the feed, then answer. Crash between: sessions find the events by the poll of heads.</item>
/// </list>
/// When the answer to step 3 is lost, the group goes through step 2 again, now with all its ids, until the store says what happened.
/// Where the store takes more than one append of a node at once (<see cref="EventStore.ConcurrentAppends"/>), a second group goes through the steps beside the
/// first: as another node's would, it waits for the first's locks, so positions stay without a gap, and for its receipts, so an id is stored once.
/// </remarks>
internal sealed partial class EventLogWriter(
    EventStore store, StreamFeed feed, RedisFeed others, NotificationInterest interest, RealtimeMetrics metrics, TimeProvider time, IOptions<EventLogOptions> options, ILogger<EventLogWriter> logger)
    : BackgroundService
{
    private static readonly TimeSpan s_resolvePause = TimeSpan.FromMilliseconds(200);

    /// <summary>How often a group may find an id taken before that is a fault of the store and not another writer.</summary>
    private const int MostCollisions = 20;

    private readonly AppendQueue _queue = new(options.Value, store.ConcurrentAppends);

    /// <summary>Set when this node has appended events that are to be routed.</summary>
    public WakeSignal RoutingQueued { get; } = new();

    /// <summary>Appends all events of the request or none. Answers when they are durable; the answer is never an exception.</summary>
    public Task<Outcome<IReadOnlyList<Receipt>>> AppendAsync(AppendRequest request)
    {
        if (!_queue.TryEnqueue(request))
        {
            metrics.QueueRefused(request.App);
            request.Complete(Unavailable(request, "This app has too many events waiting on this node, or the node is stopping."));
        }

        return request.Completion;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Stopping closes the queue; what was accepted before is still appended and answered.
        await using var closing = stoppingToken.Register(_queue.Close);
        while (await _queue.TakeAsync() is { Count: > 0 } group)
            _ = AnswerAsync(group);
    }

    private async Task AnswerAsync(List<AppendRequest> group)
    {
        try
        {
            await WriteAsync(group);
        }
        catch (Exception e)
        {
            // A bug must cost one group, not the node's writer.
            LogGroupFailed(e, group.Count);
            Refuse(group, "The append failed unexpectedly.");
        }
        finally
        {
            _queue.Done();
        }
    }

    private async Task WriteAsync(List<AppendRequest> group)
    {
        var deadline = DateTimeOffset.MaxValue;
        var collisions = 0;
        while (true)
        {
            try
            {
                (group, var known) = await SettleKnownAsync(group, doubtAll: collisions > 0);
                await AppendFreshAsync(group, known);
                return;
            }
            catch (StoreException e) when (e.Failure == StoreFailure.ReceiptExists && collisions < MostCollisions)
            {
                // Another group or node stored one of the ids between steps 2 and 3. Looking again, now for all of them, finds it.
                collisions++;
                LogReceiptExists(group.Count);
            }
            catch (StoreException e) when (e.Failure == StoreFailure.RowRefused)
            {
                await IsolateAsync(group, e);
                return;
            }
            catch (StoreException e)
            {
                if (e.Failure == StoreFailure.OutcomeUnknown)
                {
                    // From when the first answer was lost, which the append may have taken long to find out.
                    if (deadline == DateTimeOffset.MaxValue)
                        deadline = time.GetUtcNow() + options.Value.ResolveTimeout;
                    group.ForEach(request => request.OutcomeUnknown = true);
                }

                // Only what may be stored already is worth waiting for. The rest is refused at once and can be repeated.
                if (!group.Exists(request => request.OutcomeUnknown) || time.GetUtcNow() >= deadline)
                {
                    LogUnavailable(e, group.Count);
                    Refuse(group, "The log cannot be written to at the moment.");
                    return;
                }

                await Task.Delay(s_resolvePause, time);
            }
        }
    }

    /// <summary>Step 2. Answers repeats, refuses reused ids, and returns what is left to append, no id twice.</summary>
    private async Task<(List<AppendRequest> Fresh, IReadOnlyDictionary<EventKey, StoredReceipt> Known)> SettleKnownAsync(List<AppendRequest> group, bool doubtAll)
    {
        var doubtful = group.SelectMany(request => request.Events.Where(e => doubtAll || !e.IdIsFresh || request.OutcomeUnknown).Select(e => e.Key)).ToHashSet();
        if (doubtful.Count == 0)
            return (group, s_noReceipts);
        var known = await store.FindReceiptsAsync(doubtful, CancellationToken.None);

        var fresh = new List<AppendRequest>(group.Count);
        var inGroup = new HashSet<EventKey>();
        foreach (var request in group)
        {
            var reused = request.Events.FirstOrDefault(e => known.TryGetValue(e.Key, out var receipt) && !receipt.ContentHash.AsSpan().SequenceEqual(e.ContentHash));
            if (reused is not null)
            {
                request.Complete(new Fault(FaultCodes.IdReused, $"The id '{reused.Id}' was published before with other content.") { EventIds = [reused.Id] });
            }
            else if (request.OutboxId is null && request.Events.All(e => known.ContainsKey(e.Key)))
            {
                // After a lost answer the receipts are the request's own. Its streams are announced again: nobody may have heard of them.
                if (request.OutcomeUnknown)
                    Announce([.. request.Events.Select(e => known[e.Key]).GroupBy(receipt => receipt.Stream).Select(stream => new StreamAdvance(stream.Key, stream.Max(receipt => receipt.Position)))]);
                request.Complete(request.Events.Select(e => ToReceipt(e, known[e.Key], duplicate: !request.OutcomeUnknown)).ToList());
            }
            else if (request.Events.Any(e => inGroup.Contains(e.Key)))
            {
                // The same id twice in one group: the second waits for its turn and finds the first's receipt.
                _ = AppendAsync(request);
            }
            else
            {
                inGroup.UnionWith(request.Events.Select(e => e.Key));
                fresh.Add(request);
            }
        }

        return (fresh, known);
    }

    /// <summary>Steps 3 and 4.</summary>
    private async Task AppendFreshAsync(List<AppendRequest> requests, IReadOnlyDictionary<EventKey, StoredReceipt> known)
    {
        if (requests.Count == 0)
            return;

        var group = AppendPlan.Build(requests, known, interest, StoreTime.Truncate(time.GetUtcNow()));
        var started = time.GetTimestamp();
        var heads = await store.AppendAsync(group);
        metrics.Appended(group.Rows.Count, time.GetElapsedTime(started));

        Announce(Advances(group, heads));
        if (group.Rows.Any(row => row.Routing is not null))
            RoutingQueued.Set();

        var next = 0;
        foreach (var request in requests)
        {
            var receipts = new List<Receipt>(request.Events.Count);
            foreach (var e in request.Events)
            {
                if (known.TryGetValue(e.Key, out var stored))
                {
                    receipts.Add(ToReceipt(e, stored, duplicate: true));
                    continue;
                }

                var row = group.Rows[next];
                var head = heads[row.Stream.Text];
                receipts.Add(new Receipt(e.Id, row.Stream.Text, head.Position + row.Offset, head.RecordedAt));
                next += 1 + e.CopyTo.Count;
            }

            request.Complete(receipts);
        }
    }

    private void Announce(IReadOnlyList<StreamAdvance> advances)
    {
        feed.Announce(advances);
        others.Publish(advances);
    }

    /// <summary>With the appended events of streams that somebody follows, here or perhaps elsewhere, so that nobody has to read back what was just written.</summary>
    private List<StreamAdvance> Advances(AppendGroup group, IReadOnlyDictionary<string, StreamHead> heads)
    {
        var (followed, elsewhere) = (new Dictionary<StreamGrowth, List<StoredEvent>>(), others.IsOpen);
        foreach (var stream in group.Streams)
        {
            if (elsewhere || feed.IsActive(stream.Stream.Text))
                followed[stream] = new List<StoredEvent>(stream.Count);
        }

        if (followed.Count > 0)
        {
            foreach (var row in group.Rows)
            {
                if (followed.TryGetValue(row.Growth, out var events))
                    events.Add(row.ToStored(heads[row.Stream.Text]));
            }
        }

        return [.. group.Streams.Select(stream => new StreamAdvance(stream.Stream.Text, heads[stream.Stream.Text].Position, followed.GetValueOrDefault(stream)))];
    }

    /// <summary>Halves a group that the store refuses until the bad request stands alone.</summary>
    private async Task IsolateAsync(List<AppendRequest> group, StoreException refusal)
    {
        if (group is [var bad])
        {
            LogRowRefused(refusal, bad.App);
            metrics.RowRefused(bad.App);
            bad.Complete(new Fault(FaultCodes.Invalid, "The store cannot take this event: " + refusal.Message) { EventIds = bad.EventIds });
            return;
        }

        await WriteAsync(group[..(group.Count / 2)]);
        await WriteAsync(group[(group.Count / 2)..]);
    }

    private static void Refuse(List<AppendRequest> group, string reason) => group.ForEach(request => request.Complete(Unavailable(request, reason)));

    /// <summary>The ids travel along, so that the caller's repeat is recognised if the event was stored after all.</summary>
    private static Fault Unavailable(AppendRequest request, string reason) =>
        Fault.Unavailable(reason + " Repeat with the same ids.") with { EventIds = request.EventIds };

    private static Receipt ToReceipt(NewEvent e, StoredReceipt stored, bool duplicate) =>
        new(e.Id, stored.Stream, stored.Position, stored.RecordedAt, duplicate);

    private static readonly IReadOnlyDictionary<EventKey, StoredReceipt> s_noReceipts = new Dictionary<EventKey, StoredReceipt>();

    [LoggerMessage(Level = LogLevel.Error, Message = "A group of {Requests} publishes failed")]
    private partial void LogGroupFailed(Exception exception, int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The log is unavailable; {Requests} publishes were refused with 503")]
    private partial void LogUnavailable(Exception exception, int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store refused a row of app {App}; its publish was answered 422, the others of its group go on")]
    private partial void LogRowRefused(Exception exception, string app);

    [LoggerMessage(Level = LogLevel.Information, Message = "An event id of a group of {Requests} publishes was stored meanwhile, by another group or node; looking again")]
    private partial void LogReceiptExists(int requests);
}
