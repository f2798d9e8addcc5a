using System.Data.Common;
using System.Runtime.InteropServices;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// The statements of the log that differ between stores or must be fast. Every store gives the same guarantees; one conformance suite holds them to it.
/// </summary>
/// <remarks>Outages are thrown as <see cref="StoreException"/>.</remarks>
internal abstract class EventStore
{
    /// <summary>Appends of one node that may be under way at once: with two, one is prepared, and waits for its locks, while the other reaches the disk.</summary>
    public abstract int ConcurrentAppends { get; }

    public abstract Task<string> ReadEpochAsync(CancellationToken cancellationToken);

    public abstract Task<IReadOnlyDictionary<EventKey, StoredReceipt>> FindReceiptsAsync(IReadOnlyCollection<EventKey> keys, CancellationToken cancellationToken);

    /// <summary>
    /// Appends all rows in one transaction: heads are locked in the order of <see cref="AppendGroup.Streams"/>, positions follow the heads without a gap,
    /// <c>recorded_at</c> never decreases within a stream. Durable when it returns.
    /// </summary>
    /// <returns>The new heads, by stream.</returns>
    /// <exception cref="StoreException">Nothing was appended, unless its failure is <see cref="StoreFailure.OutcomeUnknown"/>.</exception>
    public abstract Task<IReadOnlyDictionary<string, StreamHead>> AppendAsync(AppendGroup group);

    /// <summary>Events after a position in order, behind both walls.</summary>
    /// <param name="since">Lower bound of their <c>recorded_at</c>, so that older partitions are not touched; may be the minimum.</param>
    public abstract Task<IReadOnlyList<StoredEvent>> ReadAsync(
        string stream, long after, DateTimeOffset since, ReadLimit limit, ReadScope scope, CancellationToken cancellationToken);

    /// <summary>Heads of those streams that have one; a stream without events has none.</summary>
    public abstract Task<IReadOnlyDictionary<string, StreamHead>> ReadHeadsAsync(IReadOnlyCollection<string> streams, CancellationToken cancellationToken);

    /// <summary>The position before the oldest kept event that was recorded at <paramref name="from"/> or later; null when there is none.</summary>
    public abstract Task<long?> FindPositionBeforeAsync(string stream, DateTimeOffset from, CancellationToken cancellationToken);

    public abstract Task<IReadOnlyList<OutboxEntry>> ClaimOutboxAsync(int limit, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Keeps an entry that can never be appended, with the reason, out of the claims.</summary>
    public abstract Task RefuseOutboxAsync(Guid id, string reason, CancellationToken cancellationToken);

    /// <summary>Makes room for events of these days.</summary>
    public abstract Task PrepareDaysAsync(DateOnly from, DateOnly through, CancellationToken cancellationToken);

    /// <summary>Drops a bounded number of the events recorded before <paramref name="cutoff"/>, of each stream the oldest first.</summary>
    /// <returns>Whether there may be more. False also when another node is at it or the table is busy; the next run makes up for that.</returns>
    public abstract Task<bool> DropEventsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken);

    /// <summary>Deletes a bounded number of the receipts recorded before <paramref name="cutoff"/>, and none while an event from before it may stand.</summary>
    public abstract Task<bool> DropReceiptsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken);

    /// <summary>
    /// Adds what connections were pushed and acknowledged; of an interval that is known already, the further positions stand. In the same transaction
    /// notifications that lie in them move on: <c>sent</c> when they were pushed to any session of their user, <c>delivered</c> when any acknowledged them.
    /// </summary>
    public abstract Task SaveEvidenceAsync(IReadOnlyCollection<EvidenceInterval> intervals, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Deletes a bounded number of intervals that nothing was added to since <paramref name="cutoff"/>.</summary>
    public abstract Task<bool> DropEvidenceBeforeAsync(DateTimeOffset cutoff, CancellationToken cancellationToken);

    /// <summary>Adds those to their app's directory who are not in it yet.</summary>
    /// <returns>Whether each is a member: false for who has left.</returns>
    public abstract Task<IReadOnlyDictionary<Entrant, bool>> EnterAsync(IReadOnlyCollection<Entrant> entrants, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Refuses early, with the reason, what would break the promise later; for example a database that does not wait for its disk.</summary>
    public abstract Task CheckAsync(CancellationToken cancellationToken);

    /// <summary>A row of <see cref="ReadAsync"/>, whose columns stand in one order in all stores.</summary>
    protected static StoredEvent ReadEvent(DbDataReader row, string stream, Func<DbDataReader, int, DateTimeOffset> readTime) => new()
    {
        Stream = stream,
        Position = row.GetInt64(0),
        Id = row.GetString(1),
        Source = row.GetString(2),
        App = row.GetString(3),
        Type = row.GetString(4),
        UserId = row.IsDBNull(5) ? null : row.GetString(5),
        Topic = row.IsDBNull(6) ? null : row.GetString(6),
        Actor = row.GetString(7),
        Time = readTime(row, 8),
        RecordedAt = readTime(row, 9),
        Data = row.GetString(10),
        Metadata = row.IsDBNull(11) ? null : row.GetString(11),
    };
}

/// <summary>How much to read at once.</summary>
/// <param name="Bytes">Of memory: what is read may exceed it by one event, so that there always is one.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ReadLimit(int Events, int Bytes = int.MaxValue);

/// <summary>A user who comes to an app with a token, and what the token says.</summary>
internal sealed record Entrant(string App, string UserId, string? Email, string? Locale);

internal sealed record StreamHead(long Position, DateTimeOffset RecordedAt);

internal sealed record StoredReceipt(string Stream, long Position, byte[] ContentHash, int Hops, DateTimeOffset RecordedAt);

internal sealed record OutboxEntry(Guid Id, string App, string Event);

/// <param name="Streams">Each stream once, in ordinal order: the order in which every node locks heads.</param>
internal sealed record AppendGroup(
    IReadOnlyList<AppendRow> Rows, IReadOnlyList<StreamGrowth> Streams, DateTimeOffset Now, IReadOnlyList<Guid> OutboxIds);

/// <param name="Ordinal">Its place among the group's rows of its stream, from 1.</param>
/// <param name="IsSource">The event itself, which gets the receipt; false for a copy in another app's stream.</param>
/// <param name="Routing">The row concerns notifications; null: it does not.</param>
internal sealed record AppendRow(NewEvent Event, StreamGrowth Growth, int Ordinal, bool IsSource, Routing? Routing)
{
    public StreamName Stream => Growth.Stream;

    /// <summary>Its position is the stream's new head plus this; 0 for the last of the group in its stream.</summary>
    public int Offset => Ordinal - Growth.Count;

    /// <summary>The event as it stands in the log once its stream has this head.</summary>
    public StoredEvent ToStored(StreamHead head) => new()
    {
        Id = Event.Id,
        Source = Event.Source,
        Type = Event.Type,
        Data = Event.Data,
        UserId = Event.UserId,
        Topic = Event.Topic,
        Time = Event.Time,
        Metadata = Event.Metadata,
        Actor = Event.Actor,
        App = Stream.App,
        Stream = Stream.Text,
        Position = head.Position + Offset,
        RecordedAt = head.RecordedAt,
    };
}

/// <summary>An entry of the routing queue.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Routing(Guid Id, long ManifestVersion);

/// <summary>A stream and by how many events a group lets it grow.</summary>
internal sealed class StreamGrowth(StreamName stream)
{
    public StreamName Stream { get; } = stream;

    public int Count { get; set; }
}

/// <summary>One session's way through one stream: pushed after <paramref name="From"/> and up to <paramref name="Pushed"/>, acknowledged up to <paramref name="Acked"/>.</summary>
/// <param name="Notifies">Notifications to this user are part of what was pushed.</param>
/// <param name="Resumed">The client came with a cursor, and so says that it has handled what lies before <paramref name="From"/>.</param>
/// <param name="OpenedAt">When the subscription was made, which is before its first save; the default: with the save.</param>
/// <param name="Interests">JSON, which events of the stream it takes; null: all.</param>
internal readonly record struct EvidenceInterval(
    string SessionId, string UserId, string App, string Stream, long From, long Pushed, long Acked, bool Notifies = false, bool Resumed = false,
    DateTimeOffset OpenedAt = default, string? Interests = null);

internal enum StoreFailure
{
    /// <summary>Not reached, or it refused for lack of something that comes back: nothing happened.</summary>
    Unavailable,

    /// <summary>The answer was lost: it may have happened.</summary>
    OutcomeUnknown,

    /// <summary>Another group or node stored an event with one of the ids meanwhile; nothing happened.</summary>
    ReceiptExists,

    /// <summary>A row that the store can never take; nothing happened.</summary>
    RowRefused,
}

internal sealed class StoreException(StoreFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public StoreFailure Failure { get; } = failure;
}
