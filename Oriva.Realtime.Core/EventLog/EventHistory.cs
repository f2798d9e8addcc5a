using System.Buffers.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>What to search for in an app's history.</summary>
public sealed record HistoryQuery(string App)
{
    public const int MaxLimit = 500;

    public string? Type { get; init; }

    public string? UserId { get; init; }

    public string? Topic { get; init; }

    public string? Source { get; init; }

    public DateTimeOffset? From { get; init; }

    public DateTimeOffset? To { get; init; }

    public bool Ascending { get; init; }

    public int Limit { get; init; } = 50;

    /// <summary>The <see cref="HistoryPage.Next"/> of the page before.</summary>
    public string? After { get; init; }
}

/// <param name="Next">Null at the end.</param>
public sealed record HistoryPage(IReadOnlyList<StoredEvent> Items, string? Next);

/// <summary>
/// Searches what the log keeps, in the order of recording. For searching, not for tailing: events of another node may be recorded a moment earlier than
/// the last page's end.
/// </summary>
/// <remarks>Pages by keyset (time, stream, position), so that a page costs the same however deep it is and no event is shown twice.</remarks>
public sealed class EventHistory
{
    private readonly RealtimeDatabase _database;

    internal EventHistory(RealtimeDatabase database) => _database = database;

    public async Task<Outcome<HistoryPage>> SearchAsync(ReadScope scope, HistoryQuery query, CancellationToken cancellationToken)
    {
        if (query.Limit is < 1 or > HistoryQuery.MaxLimit)
            return Fault.Invalid("/limit", $"Must be 1 to {HistoryQuery.MaxLimit}.");
        var after = query.After is null ? null : Keyset.Parse(query.After);
        if (query.After is not null && after is null)
            return Fault.Invalid("/after", "Must be the 'next' of an earlier answer.");
        if (query.Type is not null && !Pattern.TryParseType(query.Type, out _))
            return Fault.Invalid("/type", "Must be a type, a prefix and '.*', or '*'.");

        if (query.UserId is not null && !Names.IsId(query.UserId))
            return Fault.Invalid("/userId", "Is not a user id.");
        if (query.Topic is not null && !Names.IsTopic(query.Topic))
            return Fault.Invalid("/topic", "Is not a topic.");
        if (query.Source is not null && !Names.IsApp(query.Source))
            return Fault.Invalid("/source", "Is not an app id.");

        var rows = await _database.ReadAsync(scope, context => Page(context.Events.AsNoTracking(), query, after).ToListAsync(cancellationToken), cancellationToken);
        var items = rows.Take(query.Limit).Select(ToEvent).ToList();
        return new HistoryPage(items, rows.Count > query.Limit ? Keyset.Of(rows[query.Limit - 1]).ToText() : null);
    }

#pragma warning disable CA1309, CA1310 // Compared by the database, in its ordinal collation
    private static IQueryable<EventRow> Page(IQueryable<EventRow> events, HistoryQuery query, Keyset? after)
    {
        events = events.Where(e => e.App == query.App);
        if (query.Type is { } type && type != "*")
        {
            var prefix = type.TrimEnd('*');
            events = type.EndsWith('*') ? events.Where(e => e.Type.StartsWith(prefix)) : events.Where(e => e.Type == type);
        }

        // An audience is a stream, so these two are found by the primary key.
        if (query.UserId is { } userId)
            events = events.Where(e => e.Stream == StreamName.OfUser(query.App, userId).Text);
        if (query.Topic is { } topic)
            events = events.Where(e => e.Stream == StreamName.OfTopic(query.App, topic).Text);
        if (query.Source is { } source)
            events = events.Where(e => e.Source == source);
        if (query.From is { } from)
            events = events.Where(e => e.RecordedAt >= from.ToUniversalTime());
        if (query.To is { } to)
            events = events.Where(e => e.RecordedAt < to.ToUniversalTime());

        // Within a stream, time never goes back: the order of positions is the order of recording, and the key has it.
        if (query.UserId is not null || query.Topic is not null)
        {
            var reached = after?.Position ?? (query.Ascending ? 0 : long.MaxValue);
            events = query.Ascending
                ? events.Where(e => e.Position > reached).OrderBy(e => e.Position)
                : events.Where(e => e.Position < reached).OrderByDescending(e => e.Position);
            return events.Take(query.Limit + 1);
        }

        if (query.Ascending)
        {
            if (after is not null)
            {
                events = events.Where(e => e.RecordedAt >= after.RecordedAt && (e.RecordedAt > after.RecordedAt
                    || string.Compare(e.Stream, after.Stream) > 0 || (e.Stream == after.Stream && e.Position > after.Position)));
            }

            return events.OrderBy(e => e.RecordedAt).ThenBy(e => e.Stream).ThenBy(e => e.Position).Take(query.Limit + 1);
        }

        if (after is not null)
        {
            events = events.Where(e => e.RecordedAt <= after.RecordedAt && (e.RecordedAt < after.RecordedAt
                || string.Compare(e.Stream, after.Stream) < 0 || (e.Stream == after.Stream && e.Position < after.Position)));
        }

        return events.OrderByDescending(e => e.RecordedAt).ThenByDescending(e => e.Stream).ThenByDescending(e => e.Position).Take(query.Limit + 1);
    }

#pragma warning restore CA1309, CA1310

    internal static StoredEvent ToEvent(EventRow row) => new()
    {
        Id = row.Id,
        Source = row.Source,
        Type = row.Type,
        Data = row.Data,
        UserId = row.UserId,
        Topic = row.Topic,
        Time = row.Time,
        Metadata = row.Metadata,
        Actor = row.Actor,
        App = row.App,
        Stream = row.Stream,
        Position = row.Position,
        RecordedAt = row.RecordedAt,
    };

    private sealed record Keyset(DateTimeOffset RecordedAt, string Stream, long Position)
    {
        public static Keyset Of(EventRow row) => new(row.RecordedAt, row.Stream, row.Position);

        public string ToText() => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(this));

        public static Keyset? Parse(string text)
        {
            try
            {
                return JsonSerializer.Deserialize<Keyset>(Base64Url.DecodeFromChars(text)) is { Stream: not null } keyset && JsonText.IsStorable(keyset.Stream)
                    ? keyset with { RecordedAt = StoreTime.Truncate(keyset.RecordedAt) }
                    : null;
            }
            catch (Exception e) when (e is FormatException or JsonException)
            {
                return null;
            }
        }
    }
}
