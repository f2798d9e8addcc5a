using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Feed;

/// <summary>Counts its wake-ups.</summary>
internal sealed class CountingListener : StreamListener
{
    private readonly TaskCompletionSource _woken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _wakes;

    public int Wakes => Volatile.Read(ref _wakes);

    /// <summary>Ends with the first wake-up.</summary>
    public Task Woken => _woken.Task;

    /// <summary>What the listener does when woken, besides counting.</summary>
    public Action? OnWake { get; set; }

    public override void Wake()
    {
        Interlocked.Increment(ref _wakes);
        OnWake?.Invoke();
        _woken.TrySetResult();
    }
}

/// <summary>A log of one stream in memory, which can be read and nothing else; it counts how often that happens.</summary>
internal sealed class ReadableLog(IReadOnlyList<StoredEvent> events) : EventStore
{
    private int _reads;

    public int Reads => Volatile.Read(ref _reads);

    /// <summary>Reads end when this does.</summary>
    public Task Answers { get; set; } = Task.CompletedTask;

    public override int ConcurrentAppends => 1;

    public ReadScope? LastScope { get; private set; }

    public override async Task<IReadOnlyList<StoredEvent>> ReadAsync(
        string stream, long after, DateTimeOffset since, ReadLimit limit, ReadScope scope, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        LastScope = scope;
        await Answers;
        return [.. events.Where(e => e.Stream == stream && e.Position > after && e.RecordedAt >= since).OrderBy(e => e.Position).Take(limit.Events)];
    }

    public override Task<IReadOnlyDictionary<string, StreamHead>> ReadHeadsAsync(IReadOnlyCollection<string> streams, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        IReadOnlyDictionary<string, StreamHead> heads = events.Where(e => streams.Contains(e.Stream)).GroupBy(e => e.Stream)
            .ToDictionary(stream => stream.Key, stream => new StreamHead(stream.Max(e => e.Position), stream.Max(e => e.RecordedAt)));
        return Task.FromResult(heads);
    }

    public override Task<IReadOnlyDictionary<Entrant, bool>> EnterAsync(IReadOnlyCollection<Entrant> entrants, DateTimeOffset now, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public override Task<string> ReadEpochAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task<IReadOnlyDictionary<EventKey, StoredReceipt>> FindReceiptsAsync(IReadOnlyCollection<EventKey> keys, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public override Task<IReadOnlyDictionary<string, StreamHead>> AppendAsync(AppendGroup group) => throw new NotSupportedException();

    public override Task<long?> FindPositionBeforeAsync(string stream, DateTimeOffset from, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task<IReadOnlyList<OutboxEntry>> ClaimOutboxAsync(int limit, TimeSpan lease, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task RefuseOutboxAsync(Guid id, string reason, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task PrepareDaysAsync(DateOnly from, DateOnly through, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task<bool> DropEventsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task<bool> DropReceiptsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task SaveEvidenceAsync(IReadOnlyCollection<EvidenceInterval> intervals, DateTimeOffset now, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public override Task<bool> DropEvidenceBeforeAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override Task CheckAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
