using System.Text.Json;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>What a user is told, as the inbox and <c>notification.created</c> have it.</summary>
/// <param name="Type">The event type that it is about; null when there was no event.</param>
/// <param name="Data">The event's data.</param>
/// <param name="Status">The furthest that any of its channels has come.</param>
public sealed record Notification(
    Guid Id, string App, string UserId, string? Type, string Title, string? Body, string? Link, string? Image, JsonElement? Actions, JsonElement Data,
    EventReference? Event, string Status, DateTimeOffset CreatedAt, DateTimeOffset? SeenAt, DateTimeOffset? ReadAt, DateTimeOffset? ArchivedAt)
{
    internal static Notification Of(NotificationRow row, IEnumerable<string> statuses) => new(
        row.Id, row.App, row.UserId, row.Type, row.Title, row.Body, row.Link, row.Image, ToJson(row.Actions), JsonElement.Parse(row.Data),
        EventReference.Of(row.Source, row.EventId), StatusOf(statuses), row.CreatedAt, row.SeenAt, row.ReadAt, row.ArchivedAt);

    internal static Notification Of(NewNotification stored, DateTimeOffset createdAt) => new(
        stored.Id, stored.App, stored.UserId, stored.Type, stored.Title, stored.Body, stored.Link, stored.Image, ToJson(stored.Actions), JsonElement.Parse(stored.Data),
        EventReference.Of(stored.Source, stored.EventId), StatusOf(stored.Deliveries.Select(delivery => delivery.Status)), createdAt, null, null, null);

    /// <summary>What went well in one channel is not undone by another's failure.</summary>
    internal static string StatusOf(IEnumerable<string> statuses)
    {
        var all = statuses.ToHashSet(StringComparer.Ordinal);
        return FurthestFirst.FirstOrDefault(all.Contains, DeliveryStatus.Pending);
    }

    internal static readonly string[] FurthestFirst =
    [
        DeliveryStatus.Delivered, DeliveryStatus.Sent, DeliveryStatus.Pending, DeliveryStatus.Failed, DeliveryStatus.Dead, DeliveryStatus.Suppressed, DeliveryStatus.Cancelled,
    ];

    private static JsonElement? ToJson(string? text) => text is null ? null : JsonElement.Parse(text);
}

/// <summary>An event, by what makes it one.</summary>
public sealed record EventReference(string Source, string Id)
{
    // A notification without an event has no source.
    internal static EventReference? Of(string source, string id) => source.Length == 0 ? null : new EventReference(source, id);
}
