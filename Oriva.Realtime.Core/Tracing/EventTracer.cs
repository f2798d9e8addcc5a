using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>
/// Says what became of an event, from what the store keeps: the log and its receipts, manifests of that time, evidence of sessions, notifications with their
/// deliveries. It only reads, and nothing has to run for it.
/// </summary>
/// <remarks>For admins: it sees every app and every user.</remarks>
public sealed class EventTracer
{
    /// <summary>A copy is appended with its event; its stream's clock may be ahead by what the nodes' clocks differ.</summary>
    private static readonly TimeSpan s_clocks = TimeSpan.FromMinutes(5);

    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;

    internal EventTracer(RealtimeDatabase database, TimeProvider time)
    {
        _database = database;
        _time = time;
    }

    /// <param name="userId">Null: of nobody in particular.</param>
    public async Task<Outcome<EventTrace>> TraceAsync(string source, string id, string? userId, CancellationToken cancellationToken)
    {
        if (userId is not null && !Names.IsId(userId))
            return Fault.Invalid("/userId", "Is not a user id.");
        await using var context = _database.ForService();
        var receipt = await context.PublishReceipts.AsNoTracking().FirstOrDefaultAsync(row => row.App == source && row.EventId == id, cancellationToken);
        if (receipt is null)
            return Fault.NotFound;
        var kept = await context.Events.AsNoTracking()
            .FirstOrDefaultAsync(row => row.Stream == receipt.Stream && row.Position == receipt.Position && row.RecordedAt == receipt.RecordedAt, cancellationToken);
        var e = kept is null ? OfReceipt(receipt)
            : new TracedEvent(id, source, kept.Type, kept.UserId, kept.Topic, kept.Actor, kept.Time, kept.RecordedAt, Kept: true);

        var manifests = await ManifestHistory.ReadAsync(context, e.RecordedAt, cancellationToken);
        var places = new List<Place> { new(source, receipt.Stream, receipt.Position, receipt.RecordedAt, kept is null ? null : EventHistory.ToEvent(kept)) };
        var sharing = new Sharing(manifests, e);
        if (kept is not null)
            places.AddRange(await FindCopiesAsync(context, kept, manifests.Apps, cancellationToken));
        var notShared = manifests.Apps.Where(app => places.TrueForAll(place => place.App != app)).Concat(sharing.UnknownApps)
            .Where(sharing.Concerns).Select(app => new NotShared(app, sharing.WhyNot(app).Reason)).ToList();

        var apps = new List<TracedApp>();
        foreach (var place in places)
        {
            var rules = e.Type is null ? [] : manifests.Find(place.App)?.RulesOn(e.Type) ?? [];
            var routing = await FindRoutingAsync(context, place, e, rules, cancellationToken);
            apps.Add(new TracedApp(place.App, place.Stream, place.Position, place.RecordedAt, manifests.VersionOf(place.App), [.. rules.Select(rule => OfNobody(rule, e))], routing));
        }

        if (userId is null)
            return new EventTrace(e, apps, notShared, null, await CountAsync(context, source, id, apps, cancellationToken));

        var tracer = new UserTracer(context, e, manifests, userId, _time.GetUtcNow());
        for (var i = 0; i < places.Count; i++)
            apps[i] = apps[i] with { Rules = await tracer.TraceAsync(places[i], apps[i].Routing, cancellationToken) };
        foreach (var other in notShared)
            await tracer.AddNotSharedAsync(other.App, sharing.WhyNot(other.App), cancellationToken);
        return new EventTrace(e, apps, notShared, tracer.Conclude(), null);
    }

    /// <summary>All that is known of an event that retention has dropped. Its audience is in its stream's name.</summary>
    private static TracedEvent OfReceipt(PublishReceiptRow receipt)
    {
        var audience = receipt.Stream.Split('/');
        return new TracedEvent(
            receipt.EventId, receipt.App, null, audience is [_, "users", var user] ? user : null, audience is [_, "topics", var topic] ? topic : null, null, null, receipt.RecordedAt, Kept: false);
    }

    private static async Task<List<Place>> FindCopiesAsync(RealtimeDbContext context, EventRow e, IEnumerable<string> apps, CancellationToken cancellationToken)
    {
        var others = apps.Where(app => app != e.Source).ToList();
        var streams = others.ConvertAll(app => StreamName.Of(app, e.UserId, e.Topic).Text);
        var (from, to) = (e.RecordedAt - s_clocks, e.RecordedAt + s_clocks);
        var rows = await context.Events.AsNoTracking()
            .Where(row => others.Contains(row.App) && streams.Contains(row.Stream) && row.RecordedAt >= from && row.RecordedAt <= to && row.Id == e.Id && row.Source == e.Source)
            .OrderBy(row => row.App).ToListAsync(cancellationToken);
        return rows.ConvertAll(row => new Place(row.App, row.Stream, row.Position, row.RecordedAt, EventHistory.ToEvent(row)));
    }

    private static async Task<string> FindRoutingAsync(
        RealtimeDbContext context, Place place, TracedEvent e, IReadOnlyList<NotificationRule> rules, CancellationToken cancellationToken)
    {
        var queued = await context.RoutingQueue.AsNoTracking().Where(row => row.App == place.App && row.Source == e.Source && row.EventId == e.Id)
            .Select(row => new { row.FailedAt }).FirstOrDefaultAsync(cancellationToken);
        if (queued is not null)
            return queued.FailedAt is null ? RoutingState.Waiting : RoutingState.Dead;
        if (await context.Notifications.AnyAsync(row => row.App == place.App && row.Source == e.Source && row.EventId == e.Id, cancellationToken))
            return RoutingState.Done;
        if (e.Type is null || BuiltInTypes.IsReserved(e.Type))
            return RoutingState.None;
        var patterns = NotificationInterest.PatternsOf(e.Type);
        return rules.Count > 0 || await context.SubscribedTypes.AnyAsync(row => row.App == place.App && patterns.Contains(row.Type), cancellationToken)
            ? RoutingState.Done
            : RoutingState.None;
    }

    private static TracedRule OfNobody(NotificationRule rule, TracedEvent e) => rule.AudienceFor(e.UserId) switch
    {
        NotificationRule.ToUser when e.UserId is null => new TracedRule(rule.Name, Matched: false, TraceReasons.NoUser),
        NotificationRule.ToUser => new TracedRule(rule.Name, Matched: true, TraceReasons.ToUser),
        NotificationRule.ToMembers => new TracedRule(rule.Name, Matched: true, TraceReasons.ToMembers),
        _ => new TracedRule(rule.Name, Matched: true, TraceReasons.ToFollowers),
    };

    private static async Task<IReadOnlyDictionary<string, int>> CountAsync(
        RealtimeDbContext context, string source, string id, List<TracedApp> apps, CancellationToken cancellationToken)
    {
        var names = apps.ConvertAll(app => app.App);
        // The furthest that any channel has come, as a notification's own status has it.
        var counts = await context.Notifications.AsNoTracking().Where(row => names.Contains(row.App) && row.Source == source && row.EventId == id)
            .Select(row => context.Deliveries.Where(delivery => delivery.NotificationId == row.Id).Min(delivery => (int?)(
                delivery.Status == DeliveryStatus.Delivered ? 0 : delivery.Status == DeliveryStatus.Sent ? 1 : delivery.Status == DeliveryStatus.Pending ? 2
                : delivery.Status == DeliveryStatus.Failed ? 3 : delivery.Status == DeliveryStatus.Dead ? 4 : delivery.Status == DeliveryStatus.Suppressed ? 5 : 6)) ?? 2)
            .GroupBy(rank => rank).Select(group => new { group.Key, Count = group.Count() }).ToListAsync(cancellationToken);
        return counts.OrderBy(count => count.Key).ToDictionary(count => Notifications.Notification.FurthestFirst[count.Key], count => count.Count);
    }
}

/// <summary>Where the event stands in one app.</summary>
/// <param name="Event">Null: retention has dropped it.</param>
internal sealed record Place(string App, string Stream, long Position, DateTimeOffset RecordedAt, StoredEvent? Event);

/// <summary>Which apps might have had a copy of an event, and why one has none.</summary>
internal sealed class Sharing(ManifestHistory manifests, TracedEvent e)
{
    private readonly IReadOnlySet<string> _sharedWith =
        (e.Type is null ? null : manifests.Find(e.Source)?.Events.GetValueOrDefault(e.Type)?.SharedWith) ?? (IReadOnlySet<string>)new HashSet<string>();

    /// <summary>Apps that the source shares with, and that there are not.</summary>
    public IEnumerable<string> UnknownApps => _sharedWith.Where(app => manifests.VersionOf(app) is null).Order(StringComparer.Ordinal);

    public bool Concerns(string app) => e.Type is not null && (_sharedWith.Contains(app) || Consumes(app));

    public (string Reason, string[] Missing) WhyNot(string app)
    {
        var missing = new List<string>();
        var reason = TraceReasons.NotKnownYet;
        if (e.Topic is not null && manifests.Find(app)?.DeclaresTopic(e.Topic) != true)
            Add(TraceReasons.TopicNotDeclared, $"the app '{app}' would have to declare the topic '{e.Topic}'");
        if (!Consumes(app))
            Add(TraceReasons.NotConsumed, $"the app '{app}' would have to consume '{e.Type}' of '{e.Source}'");
        if (!_sharedWith.Contains(app))
            Add(TraceReasons.NotShared, $"the app '{e.Source}' would have to share '{e.Type}' with '{app}'");
        if (manifests.VersionOf(app) is null)
            Add(TraceReasons.UnknownApp, $"there would have to be an app '{app}'");
        if (missing.Count == 0)
            missing.Add($"the node that took the event would have to know the manifests of '{e.Source}' and '{app}', which takes a node about two seconds");
        return (reason, [.. missing]);

        // The last that is said counts: it comes first.
        void Add(string why, string what)
        {
            reason = why;
            missing.Insert(0, what);
        }
    }

    private bool Consumes(string app) => manifests.Find(app)?.ConsumesFrom(e.Source, e.Type!) == true;
}
