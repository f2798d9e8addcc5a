using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Browsers that take web push.</summary>
internal static class PushEndpoints
{
    public static void MapPush(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/push/public-key", GetPublicKey)
            .WithName("GetPushPublicKey").WithSummary("The applicationServerKey for PushManager.subscribe; 404 where there is no web push")
            .Produces<PushPublicKey>().ProducesProblems(404);
        routes.MapPut("/push/subscriptions", PutAsync)
            .WithName("PutPushSubscription").WithSummary("This browser takes web push for the caller: its PushSubscription as JSON, with the app").Accepts<PushSubscriptionRequest>("application/json")
            .WithDescription("Idempotent by app and endpoint. A browser that another user of the app had is that user's no more.")
            .Produces<PushSubscription>().ProducesProblems(400, 403, 404, 413, 422, 503);
        routes.MapDelete("/push/subscriptions", RemoveAsync)
            .WithName("RemovePushSubscription").WithSummary("This browser takes no web push any more").Accepts<PushSubscriptionEnd>("application/json")
            .Produces(StatusCodes.Status204NoContent).ProducesProblems(400, 403, 404, 422, 503);
    }

    private static IResult GetPublicKey(PushSubscriptions subscriptions) =>
        subscriptions.PublicKey is { } key ? TypedResults.Json(new PushPublicKey(key), WireJson.Options) : Fault.NotFound.ToResult();

    private static async Task<IResult> PutAsync(HttpRequest request, ClaimsPrincipal user, PushSubscriptions subscriptions, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<PushSubscriptionRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var stored = await subscriptions.PutAsync(user.GetCaller(), wanted, cancellationToken);
        return stored.ToResult(subscription => TypedResults.Json(subscription, WireJson.Options));
    }

    private static async Task<IResult> RemoveAsync(HttpRequest request, ClaimsPrincipal user, PushSubscriptions subscriptions, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<PushSubscriptionEnd>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        return await subscriptions.RemoveAsync(user.GetCaller(), wanted.App, wanted.Endpoint, cancellationToken) is { } refused ? refused.ToResult() : TypedResults.NoContent();
    }
}

internal sealed record PushPublicKey(string PublicKey);

internal sealed record PushSubscriptionEnd(string? App, string? Endpoint);
