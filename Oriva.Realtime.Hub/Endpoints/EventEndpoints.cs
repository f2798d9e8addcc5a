using System.Security.Claims;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Publishing and history.</summary>
internal static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/events", PublishAsync)
            .WithName("PublishEvents").WithSummary("Publish one event, or an array of at most 1,000")
            .WithDescription("A 2xx answer means durable. Anything else means not published, or safe to repeat with the same id.")
            .Accepts<EventDraft>("application/json", CloudEventReader.Single, CloudEventReader.Batch)
            .Produces<Receipt>(StatusCodes.Status201Created).Produces<Receipt>()
            .ProducesProblems(400, 403, 409, 413, 422, 429, 503);
        routes.MapGet("/events", SearchAsync)
            .WithName("SearchEvents").WithSummary("Search the history of an app")
            .WithDescription("What the caller may see, newest first. For searching, not for tailing: subscribe for that.")
            .Produces<HistoryPage>().ProducesProblems(403, 404, 422, 503);
    }

    private static async Task<IResult> PublishAsync(
        HttpRequest request, ClaimsPrincipal user, EventPublisher publisher, IOptions<PublishingOptions> limits, CancellationToken cancellationToken)
    {
        var caller = user.GetCaller();
        if (CloudEventReader.Handles(request.ContentType))
        {
            var body = await JsonBody.ReadBytesAsync(request, limits.Value.BatchBytes, cancellationToken);
            if (body.Fault is { } tooLarge)
                return tooLarge.ToResult();
            var read = CloudEventReader.Read(request.ContentType!, body.Value);
            return read.Value is { } events
                ? await AnswerAsync(publisher, caller, events, isArray: CloudEventReader.IsBatch(request.ContentType), cancellationToken)
                : read.Fault!.ToResult();
        }

        if (!request.HasJsonContentType())
            return new Fault(FaultCodes.UnsupportedMediaType, $"Send application/json, {CloudEventReader.Single} or {CloudEventReader.Batch}.").ToResult();
        var parsed = await JsonBody.ReadAsync(request, limits.Value.BatchBytes, cancellationToken);
        if (parsed.Value is not { } json)
            return parsed.Fault!.ToResult();
        using (json)
        {
            // Counted before they are read, so that an endless array costs little.
            var isArray = json.RootElement.ValueKind == JsonValueKind.Array;
            if (isArray && json.RootElement.GetArrayLength() > limits.Value.BatchEvents)
                return new Fault(FaultCodes.TooLarge, $"At most {limits.Value.BatchEvents} events in one request.").ToResult();
            var drafts = DraftReader.Read(json.RootElement);
            return drafts.Value is { } read ? await AnswerAsync(publisher, caller, read, isArray, cancellationToken) : drafts.Fault!.ToResult();
        }
    }

    private static async Task<IResult> AnswerAsync(
        EventPublisher publisher, Caller caller, IReadOnlyList<EventDraft> drafts, bool isArray, CancellationToken cancellationToken)
    {
        if (isArray)
        {
            var outcome = await publisher.PublishAsync(caller, drafts, cancellationToken);
            return outcome.ToResult(receipts => TypedResults.Json(new { receipts }, WireJson.Options, statusCode: StatusCodes.Status201Created));
        }

        var published = await publisher.PublishAsync(caller, drafts[0], cancellationToken);
        return published.ToResult(receipt => TypedResults.Json(
            receipt, WireJson.Options, statusCode: receipt.Duplicate ? StatusCodes.Status200OK : StatusCodes.Status201Created));
    }

    private static async Task<IResult> SearchAsync(
        ClaimsPrincipal user, AccessPolicy access, EventHistory history, CancellationToken cancellationToken,
        string? app = null, string? type = null, string? userId = null, string? topic = null, string? source = null,
        string? from = null, string? to = null, string? order = null, string? limit = null, string? after = null)
    {
        var caller = user.GetCaller();
        if (await access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused.ToResult();
        if (userId is not null && !Names.IsId(userId))
            return Fault.Invalid("/userId", "Is not a user id.").ToResult();
        if (topic is not null && !Names.IsTopic(topic))
            return Fault.Invalid("/topic", "Is not a topic.").ToResult();
        if (source is not null && !Names.IsApp(source))
            return Fault.Invalid("/source", "Is not an app id.").ToResult();
        if (!TryReadTime(from, out var since))
            return Fault.Invalid("/from", "Must be an RFC 3339 time with an offset.").ToResult();
        if (!TryReadTime(to, out var until))
            return Fault.Invalid("/to", "Must be an RFC 3339 time with an offset.").ToResult();
        if (order is not (null or "asc" or "desc"))
            return Fault.Invalid("/order", "Must be 'asc' or 'desc'.").ToResult();
        if (!TryReadNumber(limit, fallback: 50, out var count))
            return Fault.Invalid("/limit", "Must be a number.").ToResult();

        var query = new HistoryQuery(app!)
        {
            Type = type,
            UserId = userId,
            Topic = topic,
            Source = source,
            From = since,
            To = until,
            Ascending = order == "asc",
            Limit = count,
            After = after,
        };
        var page = await history.SearchAsync(access.ScopeOfHistory(caller, app!), query, cancellationToken);
        return page.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }

    internal static bool TryReadTime(string? text, out DateTimeOffset? time)
    {
        time = null;
        if (text is null)
            return true;
        // A '+' of an offset that was not encoded in the query arrives as a space.
        var valid = DraftReader.TryParseTime(text.Replace(' ', '+'), out var read);
        time = valid ? read : null;
        return valid;
    }

    internal static bool TryReadNumber(string? text, int fallback, out int number)
    {
        number = fallback;
        return text is null || int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number);
    }
}
