using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>The inbox, durable subscriptions, and notifications without an event.</summary>
internal static class NotificationEndpoints
{
    public static void MapNotifications(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/notifications", ListAsync)
            .WithName("ListNotifications").WithSummary("The caller's notifications, newest first")
            .WithDescription("state: all (but the archived ones), unread, unseen, read or archived. With app the answer has its counts.")
            .Produces<InboxPage>().ProducesProblems(403, 404, 422, 503);
        routes.MapGet("/notifications/counts", CountAsync)
            .WithName("CountNotifications").WithSummary("What a badge shows; rev only grows").Produces<InboxCounts>().ProducesProblems(403, 404, 422, 503);
        MapMark(routes, "seen", InboxMark.Seen);
        MapMark(routes, "read", InboxMark.Read);
        MapMark(routes, "unread", InboxMark.Unread);
        MapMark(routes, "archive", InboxMark.Archived);
        MapMark(routes, "unarchive", InboxMark.Unarchived);
        routes.MapPost("/notifications/read-all", ReadAllAsync)
            .WithName("ReadAllNotifications").WithSummary("Mark as read what is unread, up to a notification").Accepts<ReadAllRequest>("application/json")
            .WithDescription("The answer has the counts of each app. What came after 'through' stays unread.").ProducesProblems(400, 403, 404, 422, 503);
        routes.MapPost("/notifications", SendAsync)
            .WithName("SendNotifications").WithSummary("Notify up to 1,000 users without an event").Accepts<DirectNotificationRequest>("application/json")
            .WithDescription("All or nothing, and idempotent by id.")
            .Produces<DirectNotificationReceipt>(StatusCodes.Status201Created).Produces<DirectNotificationReceipt>().ProducesProblems(400, 403, 404, 409, 413, 422, 503);
        routes.MapDelete("/notifications/{id}", RecallAsync)
            .WithName("RecallNotification").WithSummary("Take a notification back; with app, all that came of a request, or the request while it is scheduled")
            .WithDescription("What is not sent is cancelled, the inbox forgets it, web push and webhooks are sent what replaces it. The answer says what could not be recalled.")
            .Produces<Recall>().ProducesProblems(403, 404, 503);
        routes.MapGet("/notifications/{id}/deliveries", DeliveriesAsync)
            .WithName("NotificationDeliveries").WithSummary("What became of a notification, channel by channel").ProducesProblems(403, 404, 503);

        routes.MapGet("/preferences", PreferencesAsync)
            .WithName("GetPreferences").WithSummary("What the user wants to be told, where and when: a matrix ready to render").Produces<PreferenceMatrix>().ProducesProblems(403, 404, 422, 503);
        routes.MapPut("/preferences", PutPreferencesAsync)
            .WithName("PutPreferences").WithSummary("Replace them; a type or channel that is not named is wanted").Accepts<PreferenceMatrix>("application/json")
            .Produces<PreferenceMatrix>().ProducesProblems(400, 403, 404, 422, 503);

        routes.MapGet("/subscriptions", ListSubscriptionsAsync)
            .WithName("ListSubscriptions").WithSummary("Durable subscriptions; publishers may name a userId").ProducesProblems(403, 404, 422, 503);
        routes.MapPost("/subscriptions", SubscribeAsync)
            .WithName("AddSubscription").WithSummary("Notify me about events, connected or not").Accepts<EventSubscriptionRequest>("application/json")
            .WithDescription("Events that are published after the answer are routed to it, on other nodes some two seconds later.")
            .Produces<EventSubscription>(StatusCodes.Status201Created).ProducesProblems(400, 403, 404, 422, 503);
        routes.MapDelete("/subscriptions/{id}", UnsubscribeAsync)
            .WithName("RemoveSubscription").WithSummary("No longer notify about them").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);
    }

    private static void MapMark(IEndpointRouteBuilder routes, string verb, InboxMark mark) => routes
        .MapPost($"/notifications/{{id}}/{verb}", async (string id, ClaimsPrincipal user, Inbox inbox, CancellationToken cancellationToken) =>
            Guid.TryParse(id, out var notification)
                ? (await inbox.MarkAsync(user.GetCaller(), notification, mark, cancellationToken)).ToResult(marked => TypedResults.Json(marked, WireJson.Options))
                : Fault.NotFound.ToResult())
        .WithName($"MarkNotification{mark}").WithSummary($"Mark a notification: {verb}").Produces<Notification>().ProducesProblems(403, 404, 503);

    private static async Task<IResult> ListAsync(
        ClaimsPrincipal user, Inbox inbox, CancellationToken cancellationToken, string? app = null, string? state = null, string? type = null, string? limit = null, string? after = null)
    {
        if (!EventEndpoints.TryReadNumber(limit, fallback: 50, out var count))
            return Fault.Invalid("/limit", "Must be a number.").ToResult();
        var page = await inbox.ListAsync(user.GetCaller(), new InboxQuery(app) { State = state ?? "all", Type = type, Limit = count, After = after }, cancellationToken);
        return page.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }

    private static async Task<IResult> CountAsync(ClaimsPrincipal user, Inbox inbox, CancellationToken cancellationToken, string? app = null) =>
        (await inbox.CountAsync(user.GetCaller(), app, cancellationToken)).ToResult(counts => TypedResults.Json(counts, WireJson.Options));

    private static async Task<IResult> ReadAllAsync(HttpRequest request, ClaimsPrincipal user, Inbox inbox, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<ReadAllRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var counts = await inbox.ReadAllAsync(user.GetCaller(), wanted.App, wanted.Through, cancellationToken);
        return counts.ToResult(apps => TypedResults.Json(new { counts = apps }, WireJson.Options));
    }

    private static async Task<IResult> SendAsync(HttpRequest request, ClaimsPrincipal user, DirectNotifications notifications, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<DirectNotificationRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var sent = await notifications.SendAsync(user.GetCaller(), wanted, cancellationToken);
        return sent.ToResult(receipt => TypedResults.Json(receipt, WireJson.Options, statusCode: receipt.Duplicate ? StatusCodes.Status200OK : StatusCodes.Status201Created));
    }

    private static async Task<IResult> DeliveriesAsync(string id, ClaimsPrincipal user, DeliveryRecords records, CancellationToken cancellationToken)
    {
        if (!Guid.TryParse(id, out var notification))
            return Fault.NotFound.ToResult();
        var deliveries = await records.FindAsync(user.GetCaller(), notification, cancellationToken);
        return deliveries.ToResult(items => TypedResults.Json(new { items, next = (string?)null }, WireJson.Options));
    }

    private static async Task<IResult> RecallAsync(string id, ClaimsPrincipal user, Recalls recalls, CancellationToken cancellationToken, string? app = null)
    {
        if (app is null && !Guid.TryParse(id, out _))
            return Fault.NotFound.ToResult();
        var recalled = app is null
            ? await recalls.RecallAsync(user.GetCaller(), Guid.Parse(id), cancellationToken)
            : await recalls.RecallAsync(user.GetCaller(), app, id, cancellationToken);
        return recalled.ToResult(recall => TypedResults.Json(recall, WireJson.Options));
    }

    private static async Task<IResult> PreferencesAsync(ClaimsPrincipal user, Preferences preferences, CancellationToken cancellationToken, string? app = null) =>
        (await preferences.FindAsync(user.GetCaller(), app, cancellationToken)).ToResult(matrix => TypedResults.Json(matrix, WireJson.Options));

    private static async Task<IResult> PutPreferencesAsync(HttpRequest request, ClaimsPrincipal user, Preferences preferences, CancellationToken cancellationToken, string? app = null)
    {
        var body = await JsonBody.ReadAsync<PreferenceMatrix>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        return (await preferences.PutAsync(user.GetCaller(), app, wanted, cancellationToken)).ToResult(matrix => TypedResults.Json(matrix, WireJson.Options));
    }

    private static async Task<IResult> ListSubscriptionsAsync(
        ClaimsPrincipal user, EventSubscriptions subscriptions, CancellationToken cancellationToken, string? app = null, string? userId = null)
    {
        var found = await subscriptions.ListAsync(user.GetCaller(), app, userId, cancellationToken);
        return found.ToResult(items => TypedResults.Json(new { items, next = (string?)null }, WireJson.Options));
    }

    private static async Task<IResult> SubscribeAsync(HttpRequest request, ClaimsPrincipal user, EventSubscriptions subscriptions, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<EventSubscriptionRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var added = await subscriptions.AddAsync(user.GetCaller(), wanted, cancellationToken);
        return added.ToResult(subscription => TypedResults.Json(subscription, WireJson.Options, statusCode: StatusCodes.Status201Created));
    }

    private static async Task<IResult> UnsubscribeAsync(string id, ClaimsPrincipal user, EventSubscriptions subscriptions, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var subscription) && await subscriptions.RemoveAsync(user.GetCaller(), subscription, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();
}

internal sealed record ReadAllRequest(string? App, Guid? Through);
