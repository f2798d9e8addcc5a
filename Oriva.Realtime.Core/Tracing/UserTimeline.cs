using System.Text.Json.Serialization;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Tracing;

/// <param name="App">Null: all apps.</param>
/// <param name="From">Null: a day before <paramref name="To"/>.</param>
/// <param name="To">Null: now.</param>
/// <param name="After">The <see cref="TimelinePage.Next"/> of the page before.</param>
public sealed record TimelineQuery(string? App = null, DateTimeOffset? From = null, DateTimeOffset? To = null, int Limit = 50, string? After = null)
{
    public const int MaxLimit = 200;
    public static readonly TimeSpan MaxRange = TimeSpan.FromDays(31);
}

/// <param name="Next">Null at the end.</param>
public sealed record TimelinePage(IReadOnlyList<TimelineItem> Items, string? Next);

/// <summary>One thing in a user's time.</summary>
/// <param name="Kind"><c>event</c>, <c>notification</c>, <c>seen</c>, <c>read</c>, <c>opened</c> (a session began in a stream), <c>closed</c> (the last that is known of it).</param>
public sealed record TimelineItem(DateTimeOffset At, string App, string Kind)
{
    /// <summary>Of an event, what became of it on the user's connections: a step's word of a trace, or <c>acknowledged</c>. Of a notification, its status.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Type { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EventReference? Event { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Seq { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Connection { get; init; }

    /// <summary>Of a session: pushed up to here, and acknowledged.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Pushed { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Acked { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? Notification { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Rule { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Title { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Delivery>? Deliveries { get; init; }
}

/// <summary>What a user was sent, saw and missed, newest first, from what the store keeps. For admins.</summary>
/// <remarks>
/// Several sources, each in its own order, are merged by time. A page goes on by time and how many of that moment were shown, because a commit's events share
/// one time.
/// </remarks>
public sealed class UserTimeline
{
    /// <summary>The newest that are looked at; what lies before them is <c>unknown</c>, as if it was no longer kept.</summary>
    private const int MostIntervals = 5_000;

    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;

    internal UserTimeline(RealtimeDatabase database, TimeProvider time)
    {
        _database = database;
        _time = time;
    }

    public async Task<Outcome<TimelinePage>> ReadAsync(string userId, TimelineQuery query, CancellationToken cancellationToken)
    {
        if (!Names.IsId(userId))
            return Fault.Invalid("/id", "Is not a user id.");
        if (query.App is not null && !Names.IsApp(query.App))
            return Fault.Invalid("/app", "Is not an app id.");
        if (query.Limit is < 1 or > TimelineQuery.MaxLimit)
            return Fault.Invalid("/limit", $"Must be 1 to {TimelineQuery.MaxLimit}.");
        var now = _time.GetUtcNow();
        var to = (query.To ?? now).ToUniversalTime();
        var from = (query.From ?? to.AddDays(-1)).ToUniversalTime();
        if (from > to || to - from > TimelineQuery.MaxRange)
            return Fault.Invalid("/from", $"Must lie before 'to', by {TimelineQuery.MaxRange.Days} days at most.");
        if (!TryParse(query.After, out var until, out var shown))
            return Fault.Invalid("/after", "Must be the 'next' of an earlier answer.");

        await using var context = _database.ForService();
        var window = new Window(context, userId, query.App, from, until is { } reached && reached < to ? reached : to, Take: query.Limit + 1 + shown, cancellationToken);
        var intervals = await IntervalsAsync(window);
        var evidenceSince = intervals.Count == MostIntervals ? intervals[^1].UpdatedAt : DateTimeOffset.MinValue;
        List<TimelineItem>[] sources =
        [
            await EventsAsync(window, intervals, e => e.RecordedAt < evidenceSince ? TraceReasons.EvidenceGone : LiveEvidence.WhyUnknown(e.RecordedAt, now)),
            await NotificationsAsync(window), await MarksAsync(window), Sessions(window, intervals),
        ];
        // Stable, so that of one moment each source keeps its own order, and a page goes on where the one before ended.
        var items = sources.SelectMany(source => source).OrderByDescending(item => item.At).Skip(shown).Take(query.Limit + 1).ToList();
        if (items.Count <= query.Limit)
            return new TimelinePage(items, null);
        items.RemoveAt(query.Limit);
        var last = items[^1].At;
        var ofThatMoment = items.Count(item => item.At == last) + (last == until ? shown : 0);
        return new TimelinePage(items, $"{StoreTime.ToMicroseconds(last)}_{ofThatMoment}");
    }

    private static async Task<List<ConnectionEvidenceRow>> IntervalsAsync(Window window)
    {
        // Also those that began later: they may have replayed what lies in the window.
        var rows = window.Context.ConnectionEvidence.AsNoTracking().Where(row => row.UserId == window.UserId && row.UpdatedAt >= window.From);
        if (window.App is { } app)
            rows = rows.Where(row => row.App == app);
        return await rows.OrderByDescending(row => row.UpdatedAt).ThenBy(row => row.ConnectionId).ThenBy(row => row.Stream).ThenBy(row => row.FromPosition).Take(MostIntervals).ToListAsync(window.Cancel);
    }

    /// <summary>All of the user's own streams, and of other streams what its sessions went through.</summary>
    private static async Task<List<TimelineItem>> EventsAsync(Window window, List<ConnectionEvidenceRow> intervals, Func<StoredEvent, string?> whyUnknown)
    {
        var apps = window.App is { } one ? [one] : await window.Context.AppUsers.AsNoTracking().Where(row => row.UserId == window.UserId).Select(row => row.App).ToListAsync(window.Cancel);
        var own = apps.Union(intervals.Select(interval => interval.App)).Select(app => StreamName.OfUser(app, window.UserId).Text).ToHashSet(StringComparer.Ordinal);
        var byStream = intervals.ToLookup(interval => interval.Stream, StringComparer.Ordinal);

        var items = new List<TimelineItem>();
        foreach (var stream in own.Concat(byStream.Select(group => group.Key)).Distinct().Order(StringComparer.Ordinal))
        {
            IEnumerable<(long From, long Through)> ranges = own.Contains(stream) ? [(0, long.MaxValue)] : RangesOf(byStream[stream]);
            var left = window.Take;
            foreach (var (after, through) in ranges)
            {
                var rows = await window.Context.Events.AsNoTracking()
                    .Where(row => row.Stream == stream && row.Position > after && row.Position <= through && row.RecordedAt >= window.From && row.RecordedAt <= window.Until)
                    .OrderByDescending(row => row.Position).Take(left).ToListAsync(window.Cancel);
                items.AddRange(rows.Select(row => OfEvent(EventHistory.ToEvent(row), byStream[stream], whyUnknown)));
                if ((left -= rows.Count) == 0)
                    break;
            }
        }

        return items;
    }

    /// <summary>What the intervals cover, without what two of them cover, the highest first.</summary>
    private static List<(long From, long Through)> RangesOf(IEnumerable<ConnectionEvidenceRow> intervals)
    {
        var ranges = new List<(long From, long Through)>();
        foreach (var interval in intervals.Where(interval => interval.PushedPosition > interval.FromPosition).OrderByDescending(interval => interval.PushedPosition))
        {
            if (ranges.Count > 0 && ranges[^1].From <= interval.PushedPosition)
                ranges[^1] = (Math.Min(ranges[^1].From, interval.FromPosition), ranges[^1].Through);
            else
                ranges.Add((interval.FromPosition, interval.PushedPosition));
        }

        return ranges;
    }

    private static TimelineItem OfEvent(StoredEvent e, IEnumerable<ConnectionEvidenceRow> intervals, Func<StoredEvent, string?> whyUnknown)
    {
        var statuses = intervals.Where(interval => LiveEvidence.Covers(interval, e)).Select(interval =>
            LiveEvidence.Judge(interval, e) is var judged && judged is TraceSteps.Pushed or TraceSteps.Replayed && interval.AckedPosition >= e.Position ? TraceSteps.Acknowledged : judged);
        return new TimelineItem(e.RecordedAt, e.App, "event")
        {
            Status = statuses.MinBy(status => Verdicts.BestFirst.ToList().IndexOf(status)) ?? (whyUnknown(e) is null ? TraceSteps.Offline : TraceSteps.Unknown),
            Type = e.Type, Event = new EventReference(e.Source, e.Id), Stream = e.Stream, Seq = e.Position,
        };
    }

    private static async Task<List<TimelineItem>> NotificationsAsync(Window window)
    {
        var rows = await Notifications(window).Where(row => row.CreatedAt >= window.From && row.CreatedAt <= window.Until)
            .OrderByDescending(row => row.CreatedAt).ThenByDescending(row => row.Id).Take(window.Take).ToListAsync(window.Cancel);
        var ids = rows.ConvertAll(row => row.Id);
        var all = await window.Context.Deliveries.AsNoTracking().Where(row => ids.Contains(row.NotificationId)).OrderBy(row => row.Channel).ThenBy(row => row.Target).ToListAsync(window.Cancel);
        var deliveries = (await DeliveryRecords.WithHistoryAsync(window.Context, all, (row, history) => (row.NotificationId, Delivery: DeliveryRecords.ToDelivery(row, history)), window.Cancel))
            .ToLookup(row => row.NotificationId, row => row.Delivery);
        return rows.ConvertAll(row => new TimelineItem(row.CreatedAt, row.App, "notification")
        {
            Status = row.RecalledAt is null ? Notification.StatusOf(deliveries[row.Id].Select(delivery => delivery.Status)) : Verdicts.Recalled,
            Type = row.Type, Event = EventReference.Of(row.Source, row.EventId), Notification = row.Id, Rule = row.Rule, Title = row.Title, Deliveries = [.. deliveries[row.Id]],
        });
    }

    private static async Task<List<TimelineItem>> MarksAsync(Window window)
    {
        var seen = await Notifications(window).Where(row => row.SeenAt >= window.From && row.SeenAt <= window.Until)
            .OrderByDescending(row => row.SeenAt).ThenByDescending(row => row.Id).Take(window.Take).ToListAsync(window.Cancel);
        var read = await Notifications(window).Where(row => row.ReadAt >= window.From && row.ReadAt <= window.Until)
            .OrderByDescending(row => row.ReadAt).ThenByDescending(row => row.Id).Take(window.Take).ToListAsync(window.Cancel);
        return [.. seen.Select(row => Mark(row, row.SeenAt!.Value, "seen")), .. read.Select(row => Mark(row, row.ReadAt!.Value, "read"))];

        static TimelineItem Mark(NotificationRow row, DateTimeOffset at, string kind) => new(at, row.App, kind) { Notification = row.Id, Title = row.Title };
    }

    private static List<TimelineItem> Sessions(Window window, List<ConnectionEvidenceRow> intervals)
    {
        return [.. intervals.Where(row => IsInWindow(row.OpenedAt)).Select(row => Session(row, row.OpenedAt, "opened")), .. intervals.Where(row => IsInWindow(row.UpdatedAt)).Select(row => Session(row, row.UpdatedAt, "closed"))];

        bool IsInWindow(DateTimeOffset at) => at >= window.From && at <= window.Until;

        static TimelineItem Session(ConnectionEvidenceRow row, DateTimeOffset at, string kind) => new(at, row.App, kind)
        {
            Connection = row.ConnectionId, Stream = row.Stream, Seq = row.FromPosition, Pushed = row.PushedPosition, Acked = row.AckedPosition,
        };
    }

    private static IQueryable<NotificationRow> Notifications(Window window)
    {
        var rows = window.Context.Notifications.AsNoTracking().Where(row => row.UserId == window.UserId);
        return window.App is { } app ? rows.Where(row => row.App == app) : rows;
    }

    private static bool TryParse(string? after, out DateTimeOffset? until, out int shown)
    {
        (until, shown) = (null, 0);
        if (after is null)
            return true;
        if (!(after.Split('_') is [var time, var count] && long.TryParse(time, out var microseconds) && microseconds is > 0 and < 253_402_300_800_000_000
            && int.TryParse(count, out shown) && shown is > 0 and < 100_000))
            return false;
        until = StoreTime.FromMicroseconds(microseconds);
        return true;
    }

    /// <param name="Until">Inclusive: of its moment the page before may have shown some.</param>
    /// <param name="Take">As many of each source at most.</param>
    private sealed record Window(RealtimeDbContext Context, string UserId, string? App, DateTimeOffset From, DateTimeOffset Until, int Take, CancellationToken Cancel);
}
