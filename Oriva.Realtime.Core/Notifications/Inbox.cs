using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>What to show of an inbox.</summary>
/// <param name="App">Null: of all apps that the token names.</param>
public sealed record InboxQuery(string? App)
{
    public const int MaxLimit = 200;

    public static readonly string[] States = ["all", "unread", "unseen", "read", "archived"];

    /// <summary><c>all</c> is all but the archived ones.</summary>
    public string State { get; init; } = "all";

    /// <summary>A type pattern.</summary>
    public string? Type { get; init; }

    public int Limit { get; init; } = 50;

    /// <summary>The <see cref="InboxPage.Next"/> of the page before.</summary>
    public string? After { get; init; }
}

/// <param name="Next">Null at the end.</param>
/// <param name="Counts">Null when the query names no app.</param>
public sealed record InboxPage(IReadOnlyList<Notification> Items, string? Next, InboxCounts? Counts);

/// <summary>A user's notifications: kept, counted, marked. Every change is an event in the user's stream, with the counts after it.</summary>
public sealed class Inbox
{
    /// <summary>Notifications that one call may mark.</summary>
    public const int MostMarked = 500;

    private readonly RealtimeDatabase _database;
    private readonly NotificationStore _store;
    private readonly NotificationEvents _events;
    private readonly AccessPolicy _access;
    private readonly TimeProvider _time;

    internal Inbox(RealtimeDatabase database, NotificationStore store, NotificationEvents events, AccessPolicy access, TimeProvider time)
    {
        _database = database;
        _store = store;
        _events = events;
        _access = access;
        _time = time;
    }

    /// <summary>Newest first.</summary>
    public async Task<Outcome<InboxPage>> ListAsync(Caller caller, InboxQuery query, CancellationToken cancellationToken)
    {
        if (query.Limit is < 1 or > InboxQuery.MaxLimit)
            return Fault.Invalid("/limit", $"Must be 1 to {InboxQuery.MaxLimit}.");
        if (!InboxQuery.States.Contains(query.State))
            return Fault.Invalid("/state", "Must be one of " + string.Join(", ", InboxQuery.States) + ".");
        if (query.Type is not null && !Pattern.TryParseType(query.Type, out _))
            return Fault.Invalid("/type", "Must be a type, a prefix and '.*', or '*'.");
        if (query.After is not null && !Guid.TryParse(query.After, out _))
            return Fault.Invalid("/after", "Must be the 'next' of an earlier answer.");
        var apps = await AppsOfAsync(caller, query.App, cancellationToken);
        if (apps.Value is not { } names)
            return apps.Fault!;

        return await _database.ReadAsync(ScopeOf(caller, names), async context =>
        {
            var rows = await Filter(context.Notifications.AsNoTracking().Where(row => row.UserId == caller.Sub && names.Contains(row.App) && row.InInbox), query)
                .OrderByDescending(row => row.Id).Take(query.Limit + 1).ToListAsync(cancellationToken);
            var page = rows.Take(query.Limit).ToList();
            var items = await WithStatusAsync(context, page, cancellationToken);
            var counts = query.App is null ? null : await CountAsync(context, caller.Sub, query.App, cancellationToken);
            return new InboxPage(items, rows.Count > query.Limit ? page[^1].Id.ToString() : null, counts);
        }, cancellationToken);
    }

    public async Task<Outcome<InboxCounts>> CountAsync(Caller caller, string? app, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        return await _database.ReadAsync(ScopeOf(caller, [app!]), context => CountAsync(context, caller.Sub, app!, cancellationToken), cancellationToken);
    }

    /// <summary>Marks one and answers it.</summary>
    public async Task<Outcome<Notification>> MarkAsync(Caller caller, Guid id, InboxMark mark, CancellationToken cancellationToken)
    {
        var marked = await MarkAsync(caller, [id], mark, cancellationToken);
        if (marked.Fault is { } fault)
            return fault;
        return await _database.ReadAsync(ScopeOf(caller, [marked.Value.App]), async context =>
        {
            var row = await context.Notifications.AsNoTracking().SingleAsync(stored => stored.Id == id, cancellationToken);
            return (await WithStatusAsync(context, [row], cancellationToken))[0];
        }, cancellationToken);
    }

    /// <summary>Marks some of one app.</summary>
    /// <returns>The app and its counts afterwards. Not found: one of them is not the caller's, and none is marked.</returns>
    public async Task<Outcome<(string App, InboxCounts Counts)>> MarkAsync(Caller caller, IReadOnlyCollection<Guid> ids, InboxMark mark, CancellationToken cancellationToken)
    {
        if (ids.Count is 0 or > MostMarked)
            return Fault.Invalid("/ids", $"Must be 1 to {MostMarked} ids.");
        var apps = caller.Apps.ToList();
        var found = await _database.ReadAsync(
            ScopeOf(caller, apps),
            context => context.Notifications.AsNoTracking().Where(row => ids.Contains(row.Id) && row.UserId == caller.Sub && row.InInbox)
                .Select(row => new { row.Id, row.App }).ToListAsync(cancellationToken),
            cancellationToken);
        if (found.Count < ids.Distinct().Count())
            return Fault.NotFound;
        if (found.Select(row => row.App).Distinct().Count() > 1)
            return Fault.Invalid("/ids", "All must be of one app.");
        var app = found[0].App;
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        var marked = await _store.MarkAsync(
            app, caller.Sub, ids, through: null, mark, StoreTime.Truncate(_time.GetUtcNow()),
            (changed, counts) => _events.OfMarked(app, caller.Sub, caller.Sub, mark, changed, through: null, counts));
        _events.Announce();
        return (app, marked.Counts);
    }

    /// <summary>Marks as read what is unread, up to a notification when one is named: what came later than the caller has seen stays unread.</summary>
    /// <param name="app">Null: in all apps that the token names.</param>
    public async Task<Outcome<IReadOnlyDictionary<string, InboxCounts>>> ReadAllAsync(Caller caller, string? app, Guid? through, CancellationToken cancellationToken)
    {
        var apps = await AppsOfAsync(caller, app, cancellationToken);
        if (apps.Value is not { } names)
            return apps.Fault!;
        var counts = new Dictionary<string, InboxCounts>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            var marked = await _store.MarkAsync(
                name, caller.Sub, ids: null, through, InboxMark.Read, StoreTime.Truncate(_time.GetUtcNow()),
                (_, after) => _events.OfMarked(name, caller.Sub, caller.Sub, InboxMark.Read, ids: null, through, after));
            counts[name] = marked.Counts;
        }

        _events.Announce();
        return counts;
    }

    internal static async Task<List<Notification>> WithStatusAsync(RealtimeDbContext context, List<NotificationRow> rows, CancellationToken cancellationToken)
    {
        var ids = rows.ConvertAll(row => row.Id);
        var statuses = (await context.Deliveries.AsNoTracking().Where(delivery => ids.Contains(delivery.NotificationId))
            .Select(delivery => new { delivery.NotificationId, delivery.Status }).ToListAsync(cancellationToken)).ToLookup(delivery => delivery.NotificationId, delivery => delivery.Status);
        return rows.ConvertAll(row => Notification.Of(row, statuses[row.Id]));
    }

    private static IQueryable<NotificationRow> Filter(IQueryable<NotificationRow> rows, InboxQuery query)
    {
        rows = query.State switch
        {
            "unread" => rows.Where(row => row.ReadAt == null && row.ArchivedAt == null),
            "unseen" => rows.Where(row => row.SeenAt == null && row.ArchivedAt == null),
            "read" => rows.Where(row => row.ReadAt != null && row.ArchivedAt == null),
            "archived" => rows.Where(row => row.ArchivedAt != null),
            _ => rows.Where(row => row.ArchivedAt == null),
        };
#pragma warning disable CA1310 // Compared by the database, in its ordinal collation
        if (query.Type is { } type && type != "*")
        {
            var prefix = type.TrimEnd('*');
            rows = type.EndsWith('*') ? rows.Where(row => row.Type!.StartsWith(prefix)) : rows.Where(row => row.Type == type);
        }
#pragma warning restore CA1310

        return query.After is null ? rows : BeforeId(rows, Guid.Parse(query.After));
    }

    private static IQueryable<NotificationRow> BeforeId(IQueryable<NotificationRow> rows, Guid id) => rows.Where(row => row.Id.CompareTo(id) < 0);

    private static async Task<InboxCounts> CountAsync(RealtimeDbContext context, string user, string app, CancellationToken cancellationToken)
    {
        var row = await context.InboxCounts.AsNoTracking().FirstOrDefaultAsync(counts => counts.App == app && counts.UserId == user, cancellationToken);
        return row is null ? new InboxCounts(0, 0, 0, 0) : new InboxCounts(row.Total, row.Unread, row.Unseen, row.Rev);
    }

    private async ValueTask<Outcome<IReadOnlyList<string>>> AppsOfAsync(Caller caller, string? app, CancellationToken cancellationToken)
    {
        if (app is not null)
            return await _access.EnterAsync(caller, app, cancellationToken) is { } refused ? refused : new[] { app };
        var entered = new List<string>();
        foreach (var name in caller.Apps)
        {
            // Of an app that the token names and the service does not know, or that the user has left, there is nothing to show.
            if (await _access.EnterAsync(caller, name, cancellationToken) is null)
                entered.Add(name);
        }

        return entered;
    }

    /// <summary>Its own alone, whatever the caller's roles.</summary>
    private static ReadScope ScopeOf(Caller caller, IReadOnlyList<string> apps) => new(caller.Sub, apps, [], Whole: false);
}
