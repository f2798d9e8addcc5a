using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>
/// What happens to a user's notifications, as events in the user's stream: so every tab and device follows by the log, and after any gap by its replay.
/// Each carries the counts after it, so that a badge needs no request.
/// </summary>
/// <remarks>Two changes at once may be appended in either order: of two counts, those with the higher <c>rev</c> are the later.</remarks>
internal sealed class NotificationEvents(Outbox outbox, TimeProvider time)
{
    /// <summary>Its event has the notification's id: so it is found in the log, and appended once.</summary>
    /// <returns>Null: it is for channels outside the service alone, or for none.</returns>
    public OutboxRow? OfCreated(NewNotification notification, InboxCounts counts, DateTimeOffset createdAt) =>
        notification.InInbox || notification.Deliveries.Any(delivery => delivery is { Channel: ChannelNames.Websocket, Status: not DeliveryStatus.Suppressed })
            ? Row(BuiltInTypes.NotificationCreated, notification.App, notification.UserId, Caller.Service.Sub, notification.Id.ToString(), new { notification = Notification.Of(notification, createdAt), counts })
            : null;

    /// <param name="ids">Those that changed; null: all that were unread up to <paramref name="through"/>.</param>
    public OutboxRow OfMarked(string app, string userId, string actor, InboxMark mark, IReadOnlyList<Guid>? ids, Guid? through, InboxCounts counts) => Row(
        mark == InboxMark.Read ? BuiltInTypes.NotificationRead : BuiltInTypes.NotificationUpdated, app, userId, actor, Guid.CreateVersion7(time.GetUtcNow()).ToString(), new { ids, state = mark.ToString().ToLowerInvariant(), through, counts });

    /// <summary>Taken back by who sent it; it is gone from the inbox.</summary>
    public OutboxRow OfRecalled(string app, string userId, string actor, Guid id, InboxCounts counts) => Row(
        BuiltInTypes.NotificationUpdated, app, userId, actor, Guid.CreateVersion7(time.GetUtcNow()).ToString(), new { ids = new[] { id }, state = NotificationStore.Recalled, counts });

    /// <summary>Deleted because of their age.</summary>
    public OutboxRow OfDropped(string app, string userId, IReadOnlyList<Guid> ids, InboxCounts counts) => Row(
        BuiltInTypes.NotificationUpdated, app, userId, Caller.Service.Sub, Guid.CreateVersion7(time.GetUtcNow()).ToString(), new { ids, state = "deleted", counts });

    public void Announce() => outbox.Announce();

    private OutboxRow Row(string type, string app, string userId, string actor, string id, object content)
    {
        var data = JsonSerializer.SerializeToElement(content, WireJson.Options);
        return outbox.ToRow(new NewEvent
        {
            Id = id,
            Source = app,
            Type = type,
            UserId = userId,
            Actor = actor,
            Time = StoreTime.Truncate(time.GetUtcNow()),
            Data = data.GetRawText(),
            ContentHash = ContentHash.Of(type, userId, topic: null, data),
        });
    }
}
