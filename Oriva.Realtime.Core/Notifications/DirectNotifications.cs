using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <param name="Id">Tells a repeat; made when absent.</param>
/// <param name="Type">One of the app's event types, for filters and preferences.</param>
/// <param name="Channels">Absent: the inbox and live.</param>
/// <param name="SendAt">Not before; a year ahead at most. Who is a member then gets it.</param>
/// <param name="ExpiresAt">From then on it is not sent any more, and leaves the inbox.</param>
public sealed record DirectNotificationRequest(
    string? App, IReadOnlyList<string>? UserIds, string? Title, string? Body = null, string? Link = null, string? Image = null,
    IReadOnlyList<DirectAction?>? Actions = null, string? Type = null, IReadOnlyList<string>? Channels = null, string? Id = null,
    DateTimeOffset? SendAt = null, DateTimeOffset? ExpiresAt = null)
{
    public JsonElement Data { get; init; }
}

public sealed record DirectAction(string? Title, string? Link);

/// <param name="Notified">Users who have the notification from this call.</param>
/// <param name="Skipped">Users who are no members of the app.</param>
/// <param name="Duplicate">The same request was answered before, and nothing was made anew.</param>
/// <param name="SendAt">It is scheduled, and nobody is notified yet; null: it was sent.</param>
public sealed record DirectNotificationReceipt(string Id, int Notified, IReadOnlyList<string> Skipped, bool Duplicate, DateTimeOffset? SendAt = null);

/// <summary>Notifications that a back end writes itself, without an event.</summary>
public sealed class DirectNotifications
{
    public const int MostUsers = 1_000;
    private const int MaxTitle = 200;
    private const int MaxBody = 4_000;
    private const int MaxLink = 2_000;
    private const int MostActions = 3;
    private static readonly TimeSpan s_farthest = TimeSpan.FromDays(366);

    private readonly RealtimeDatabase _database;
    private readonly NotificationStore _store;
    private readonly NotificationEvents _events;
    private readonly DeliveryPlanner _planner;
    private readonly DeliveryWorker _deliveries;
    private readonly AccessPolicy _access;
    private readonly AppRegistry _registry;
    private readonly PublishingOptions _limits;
    private readonly TimeProvider _time;

    internal DirectNotifications(
        RealtimeDatabase database, NotificationStore store, NotificationEvents events, DeliveryPlanner planner, DeliveryWorker deliveries, AccessPolicy access,
        AppRegistry registry, PublishingOptions limits, TimeProvider time)
    {
        _database = database;
        _store = store;
        _events = events;
        _planner = planner;
        _deliveries = deliveries;
        _access = access;
        _registry = registry;
        _limits = limits;
        _time = time;
    }

    /// <summary>All in one transaction. A repeat with the same id and content makes nothing; other content under a known id is refused.</summary>
    public async Task<Outcome<DirectNotificationReceipt>> SendAsync(Caller caller, DirectNotificationRequest request, CancellationToken cancellationToken)
    {
        if (!caller.IsPublisher)
            return new Fault(FaultCodes.UserForbidden, "Notifications are for publishers to send.");
        if (await _access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;
        var faults = new FaultList();
        Check(request, _registry.Find(request.App!)!.Manifest, faults);
        if (!faults.IsEmpty)
            return faults.ToFault();

        var app = request.App!;
        var now = StoreTime.Truncate(_time.GetUtcNow());
        var id = request.Id ?? Guid.CreateVersion7(now).ToString();
        (string Request, DateTimeOffset SendAt)? scheduled = request.SendAt > now ? (JsonSerializer.Serialize(request with { Data = DataOf(request) }, WireJson.Options), request.SendAt.Value) : null;
        var notifications = scheduled is null ? await BuildAsync(request, id, now, cancellationToken) : [];
        var sent = await _store.AddRequestedAsync(
            app, id, HashOf(request), scheduled, notifications, now, (notification, counts) => _events.OfCreated(notification, counts, now));
        if (sent is null)
            return new Fault(FaultCodes.IdReused, $"The id '{id}' was used before with other content.") { EventIds = [id] };
        _events.Announce();
        _deliveries.Announce();
        var skipped = scheduled is null ? request.UserIds!.Distinct(StringComparer.Ordinal).Except(notifications.Select(notification => notification.UserId), StringComparer.Ordinal) : [];
        return new DirectNotificationReceipt(id, sent.Added.Count, [.. skipped], sent.IsRepeat, sent.IsScheduled ? request.SendAt : null);
    }

    /// <summary>What was scheduled, when its time has come.</summary>
    /// <returns>Null: it was recalled meanwhile, or another node has it.</returns>
    internal async Task<IReadOnlyList<NewNotification>?> SendScheduledAsync(ScheduledWork work, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var request = JsonSerializer.Deserialize<DirectNotificationRequest>(work.Request, WireJson.Options)!;
        var notifications = request.ExpiresAt <= now ? [] : await BuildAsync(request, work.Id, now, cancellationToken);
        return await _store.SendScheduledAsync(work, notifications, now, (notification, counts) => _events.OfCreated(notification, counts, now));
    }

    /// <summary>For those of its users who are members.</summary>
    private async Task<IReadOnlyList<NewNotification>> BuildAsync(DirectNotificationRequest request, string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var app = request.App!;
        var wanted = request.UserIds!.Distinct(StringComparer.Ordinal).ToList();
        List<string> members;
        await using (var context = _database.ForService())
            members = await context.AppUsers.AsNoTracking().Where(user => user.App == app && user.LeftAt == null && wanted.Contains(user.UserId)).Select(user => user.UserId).ToListAsync(cancellationToken);
        IReadOnlyList<string> channels = request.Channels is { Count: > 0 } named ? [.. named.Distinct(StringComparer.Ordinal)] : RecipientFinder.DefaultChannels;
        var required = _registry.Find(app)?.Manifest.IsRequired(request.Type) == true;
        return await _planner.PlanAsync(app, members.ConvertAll(user => new PlannedNotification(Build(request, id, user, now), channels, required)), now, cancellationToken);
    }

    private void Check(DirectNotificationRequest request, Manifest manifest, FaultList faults)
    {
        if (request.Id is not null && !Names.IsId(request.Id))
            faults.Add(FaultCodes.Invalid, "/id", "An id is 1 to 128 printable characters without space or '/'.");
        if (request.UserIds is not { Count: > 0 })
            faults.Add(FaultCodes.Invalid, "/userIds", "Name one user at least.");
        else if (request.UserIds.Count > MostUsers)
            faults.Add(FaultCodes.TooLarge, "/userIds", $"At most {MostUsers} users in one request.");
        foreach (var (i, _) in (request.UserIds ?? []).Take(MostUsers).Index().Where(user => !Names.IsId(user.Item)))
            faults.Add(FaultCodes.Invalid, $"/userIds/{i}", "Is not a user id.");
        CheckText(request.Title, "/title", MaxTitle, required: true, faults);
        CheckText(request.Body, "/body", MaxBody, required: false, faults);
        CheckLink(request.Link, "/link", required: false, faults);
        CheckLink(request.Image, "/image", required: false, faults);
        if (request.Actions?.Count > MostActions)
            faults.Add(FaultCodes.TooLarge, "/actions", $"At most {MostActions} actions.");
        foreach (var (i, action) in (request.Actions ?? []).Take(MostActions).Index())
        {
            CheckText(action?.Title, $"/actions/{i}/title", MaxTitle, required: true, faults);
            CheckLink(action?.Link, $"/actions/{i}/link", required: true, faults);
        }

        var now = _time.GetUtcNow();
        if (request.SendAt > now + s_farthest)
            faults.Add(FaultCodes.Invalid, "/sendAt", $"At most {s_farthest.Days} days ahead.");
        if (request.ExpiresAt <= (request.SendAt > now ? request.SendAt : now))
            faults.Add(FaultCodes.Invalid, "/expiresAt", "Must be later than now and than sendAt.");
        if (request.Type is not null && !manifest.Declares(request.Type))
            faults.Add(FaultCodes.UnknownType, "/type", $"'{manifest.App}' declares no type '{request.Type}', and it is not built in.");
        foreach (var (i, channel) in (request.Channels ?? []).Index().Where(channel => !ChannelNames.All.Contains(channel.Item)))
            faults.Add(FaultCodes.Invalid, $"/channels/{i}", "Must be one of " + string.Join(", ", ChannelNames.All) + ".");
        if (request.Data.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Object))
            faults.Add(FaultCodes.Invalid, "/data", "Must be a JSON object.");
        else if (request.Data.ValueKind == JsonValueKind.Object && System.Text.Encoding.UTF8.GetByteCount(request.Data.GetRawText()) > _limits.PayloadBytes)
            faults.Add(FaultCodes.TooLarge, "/data", $"At most {_limits.PayloadBytes} bytes.");
        else if (request.Data.ValueKind == JsonValueKind.Object && JsonText.FindUnstorable(request.Data, "/data") is { } unstorable)
            faults.Add(FaultCodes.Invalid, unstorable, "Texts must not contain \\u0000 or half of a surrogate pair.");
    }

    private static void CheckText(string? text, string pointer, int most, bool required, FaultList faults)
    {
        if (required && string.IsNullOrWhiteSpace(text))
            faults.Add(FaultCodes.Invalid, pointer, "Required.");
        else if (text?.Length > most)
            faults.Add(FaultCodes.TooLarge, pointer, $"At most {most} characters.");
        else if (text is not null && !JsonText.IsStorable(text))
            faults.Add(FaultCodes.Invalid, pointer, "Texts must not contain \\u0000 or half of a surrogate pair.");
    }

    private static void CheckLink(string? link, string pointer, bool required, FaultList faults)
    {
        CheckText(link, pointer, MaxLink, required, faults);
        if (!string.IsNullOrWhiteSpace(link) && !NotificationComposer.IsWebLink(link))
            faults.Add(FaultCodes.Invalid, pointer, "Must be a path that begins with '/', or a web address.");
    }

    private static NewNotification Build(DirectNotificationRequest request, string id, string user, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        App = request.App!,
        UserId = user,
        Type = request.Type,
        Rule = "",
        Source = "",
        EventId = id,
        Title = request.Title!,
        Body = request.Body,
        Link = request.Link,
        Image = request.Image,
        Actions = request.Actions is { Count: > 0 } actions ? JsonSerializer.Serialize(actions, WireJson.Options) : null,
        Data = JsonSerializer.Serialize(DataOf(request)),
        ExpiresAt = request.ExpiresAt is { } expiry ? StoreTime.Truncate(expiry) : null,
        Deliveries = [],
    };

    private static JsonElement DataOf(DirectNotificationRequest request) => request.Data.ValueKind == JsonValueKind.Object ? request.Data : JsonElement.Parse("{}");

    private static byte[] HashOf(DirectNotificationRequest request) =>
        ContentHash.Of(request.Type ?? "", userId: null, topic: null, JsonSerializer.SerializeToElement(
            new
            {
                UserIds = request.UserIds!.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal), request.Title, request.Body, request.Link, request.Image, request.Actions, request.Channels, request.SendAt, request.ExpiresAt,
                Data = request.Data.ValueKind == JsonValueKind.Undefined ? null : (JsonElement?)request.Data,
            },
            WireJson.Options));
}
