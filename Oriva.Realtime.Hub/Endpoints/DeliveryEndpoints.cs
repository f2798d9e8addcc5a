using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>What operators do about deliveries: dead letters and pauses.</summary>
internal static class DeliveryEndpoints
{
    public static void MapDeliveries(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/admin/dead-letters", ListAsync)
            .WithName("ListDeadLetters").WithSummary("What failed for good, latest first; channel=routing: events that could not be routed")
            .Produces<DeadLetterPage>().ProducesProblems(403, 422, 503);
        routes.MapGet("/admin/dead-letters/groups", GroupAsync)
            .WithName("GroupDeadLetters").WithSummary("How many failed alike: by app, channel and error").ProducesProblems(403, 503);
        routes.MapPost("/admin/dead-letters/{id}/retry", RetryAsync)
            .WithName("RetryDeadLetter").WithSummary("Queue one again, with all its attempts; its history stays").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);
        routes.MapPost("/admin/dead-letters/retry", RetryManyAsync)
            .WithName("RetryDeadLetters").WithSummary("Queue many again, the oldest first").Accepts<RetryRequest>("application/json").ProducesProblems(400, 403, 422, 503);
        routes.MapDelete("/admin/dead-letters/{id}", DiscardAsync)
            .WithName("DiscardDeadLetter").WithSummary("Give one up").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);

        routes.MapGet("/admin/pauses", ListPausesAsync).WithName("ListPauses").WithSummary("What is held, by whom and why").ProducesProblems(403, 503);
        routes.MapPost("/admin/pauses", PauseAsync)
            .WithName("AddPause").WithSummary("Hold deliveries of an app, a rule, a channel, or what matches all that are named").Accepts<PauseRequest>("application/json")
            .WithDescription("Nothing is lost and no attempt is spent. An app alone holds routing as well.")
            .Produces<Pause>(StatusCodes.Status201Created).ProducesProblems(400, 403, 422, 503);
        routes.MapDelete("/admin/pauses/{id}", ResumeAsync).WithName("RemovePause").WithSummary("Go on").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);
    }

    private static async Task<IResult> ListAsync(
        DeadLetters letters, CancellationToken cancellationToken, string? app = null, string? channel = null, string? rule = null, string? error = null, string? limit = null, string? after = null)
    {
        if (!EventEndpoints.TryReadNumber(limit, fallback: 50, out var count))
            return Fault.Invalid("/limit", "Must be a number.").ToResult();
        var page = await letters.ListAsync(new DeadLetterFilter(app, channel, rule, error), count, after, cancellationToken);
        return page.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }

    private static async Task<IResult> GroupAsync(DeadLetters letters, CancellationToken cancellationToken, string? app = null, string? channel = null, string? rule = null)
    {
        var items = await letters.GroupAsync(new DeadLetterFilter(app, channel, rule), cancellationToken);
        return TypedResults.Json(new { items, next = (string?)null, total = items.Count }, WireJson.Options);
    }

    private static async Task<IResult> RetryAsync(string id, DeadLetters letters, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var letter) && await letters.RetryAsync(letter, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();

    private static async Task<IResult> RetryManyAsync(HttpRequest request, DeadLetters letters, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<RetryRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        if (wanted.Limit is < 1 or > DeadLetters.MaxRetried)
            return Fault.Invalid("/limit", $"Must be 1 to {DeadLetters.MaxRetried}.").ToResult();
        var retried = await letters.RetryAsync(new DeadLetterFilter(wanted.App, wanted.Channel, wanted.Rule, wanted.Error), wanted.Limit, cancellationToken);
        return TypedResults.Json(new { retried }, WireJson.Options);
    }

    private static async Task<IResult> DiscardAsync(string id, DeadLetters letters, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var letter) && await letters.DiscardAsync(letter, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();

    private static async Task<IResult> ListPausesAsync(Pauses pauses, CancellationToken cancellationToken)
    {
        var items = await pauses.ListAsync(cancellationToken);
        return TypedResults.Json(new { items, next = (string?)null, total = items.Count }, WireJson.Options);
    }

    private static async Task<IResult> PauseAsync(HttpRequest request, ClaimsPrincipal user, Pauses pauses, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<PauseRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var added = await pauses.AddAsync(user.GetCaller(), wanted, cancellationToken);
        return added.ToResult(pause => TypedResults.Json(pause, WireJson.Options, statusCode: StatusCodes.Status201Created));
    }

    private static async Task<IResult> ResumeAsync(string id, Pauses pauses, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var pause) && await pauses.RemoveAsync(pause, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();
}

internal sealed record RetryRequest(string? App, string? Channel, string? Rule, string? Error, int Limit = 1_000);
