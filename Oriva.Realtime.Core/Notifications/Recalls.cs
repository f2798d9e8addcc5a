using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>What became of notifications that were taken back.</summary>
/// <param name="Scheduled">The request had not been sent: nobody was notified.</param>
public sealed record Recall(bool Scheduled, IReadOnlyList<RecalledNotification> Notifications);

public sealed record RecalledNotification(Guid Id, string UserId, IReadOnlyList<RecalledDelivery> Deliveries);

/// <summary>Takes notifications back: a back end's, of its app.</summary>
public sealed class Recalls
{
    /// <summary>They can send something that replaces what was sent before: web push by its topic, a back end by a message.</summary>
    private static readonly string[] s_replacing = [ChannelNames.Push, ChannelNames.Webhook];

    private readonly RealtimeDatabase _database;
    private readonly NotificationStore _store;
    private readonly NotificationEvents _events;
    private readonly DeliveryWorker _deliveries;
    private readonly AccessPolicy _access;
    private readonly TimeProvider _time;

    internal Recalls(RealtimeDatabase database, NotificationStore store, NotificationEvents events, DeliveryWorker deliveries, AccessPolicy access, TimeProvider time)
    {
        _database = database;
        _store = store;
        _events = events;
        _deliveries = deliveries;
        _access = access;
        _time = time;
    }

    /// <summary>One notification. What is not sent is cancelled, the inbox forgets it, and the answer says what could not be recalled. Repeating it recalls nothing more.</summary>
    public async Task<Outcome<Recall>> RecallAsync(Caller caller, Guid id, CancellationToken cancellationToken)
    {
        if (!caller.IsPublisher)
            return NotForUsers;
        await using var context = _database.ForService();
        var found = await context.Notifications.AsNoTracking().Where(row => row.Id == id).Select(row => new { row.App, row.UserId }).FirstOrDefaultAsync(cancellationToken);
        if (found is null || !caller.Holds(found.App))
            return Fault.NotFound;
        return new Recall(Scheduled: false, await RecallAsync(caller, found.App, [(id, found.UserId)]));
    }

    /// <summary>All that came of a request, or the request itself while it is scheduled.</summary>
    public async Task<Outcome<Recall>> RecallAsync(Caller caller, string app, string requestId, CancellationToken cancellationToken)
    {
        if (!caller.IsPublisher)
            return NotForUsers;
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        if (await _store.RecallScheduledAsync(app, requestId, StoreTime.Truncate(_time.GetUtcNow())))
            return new Recall(Scheduled: true, []);
        await using var context = _database.ForService();
        if (!await context.NotificationRequests.AnyAsync(row => row.App == app && row.Id == requestId, cancellationToken))
            return Fault.NotFound;
        var notifications = await context.Notifications.AsNoTracking().Where(row => row.App == app && row.Source == "" && row.EventId == requestId && row.Rule == "")
            .OrderBy(row => row.UserId).Select(row => new { row.Id, row.UserId }).ToListAsync(cancellationToken);
        return new Recall(Scheduled: false, await RecallAsync(caller, app, notifications.ConvertAll(row => (row.Id, row.UserId))));
    }

    private static Fault NotForUsers => new(FaultCodes.UserForbidden, "Notifications are for publishers to recall; a user archives them.");

    /// <summary>Each in a transaction of its own: a crash in between leaves the rest to a repeat.</summary>
    private async Task<List<RecalledNotification>> RecallAsync(Caller caller, string app, IReadOnlyList<(Guid Id, string UserId)> notifications)
    {
        var recalled = new List<RecalledNotification>();
        foreach (var (id, userId) in notifications)
        {
            var deliveries = await _store.RecallAsync(
                id, app, userId, s_replacing, StoreTime.Truncate(_time.GetUtcNow()), counts => _events.OfRecalled(app, userId, caller.Sub, id, counts));
            if (deliveries is not null)
                recalled.Add(new RecalledNotification(id, userId, [.. deliveries.Where(delivery => delivery.Outcome != RecallOutcome.None)]));
        }

        _events.Announce();
        _deliveries.Announce();
        return recalled;
    }
}
