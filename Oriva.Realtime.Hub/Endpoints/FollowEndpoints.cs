using System.Collections.Immutable;
using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Cluster;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Following events without SignalR: server-sent events, polling, and the cursor of now. Each is a session with another output.</summary>
internal static class FollowEndpoints
{
    private const int MaxWaitSeconds = 30;
    private const int MaxPollEvents = 1_000;

    public static void MapFollowing(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/events/stream", StreamAsync)
            .WithName("StreamEvents").WithSummary("Follow an app's events as server-sent events")
            .WithDescription("One event a message; its id is the cursor. Last-Event-ID resumes on any node. EventSource, which cannot set headers, may send the token as access_token.")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream").ProducesProblems(403, 404, 422, 503);
        routes.MapPost("/events/poll", PollAsync)
            .WithName("PollEvents").WithSummary("Follow an app's events by polling")
            .WithDescription("Holds the request until something comes, at most waitSeconds. Pass the answer's cursor to the next poll, which acknowledges what it passed.")
            .Accepts<PollRequest>("application/json").Produces<PollAnswer>().ProducesProblems(400, 403, 404, 422, 503);
        routes.MapGet("/events/cursor", CursorAsync)
            .WithName("CurrentCursor").WithSummary("The cursor of now: take it, fetch your state, follow from it")
            .Produces<Cursor>().ProducesProblems(403, 404, 422, 503);
    }

    private static async Task<IResult> StreamAsync(
        HttpContext http, ClaimsPrincipal user, SessionFactory sessions, IHostApplicationLifetime host, Drain drain,
        string? app = null, string[]? type = null, string[]? topic = null, string? from = null)
    {
        var cursor = default(Cursor);
        if (http.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } lastEventId && (cursor = Cursor.FromText(lastEventId)) is null)
            return Fault.Invalid("/Last-Event-ID", "Is not a cursor of this service.").ToResult();

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, host.ApplicationStopping, drain.Beginning);
        var output = new StreamOutput(http.Response, ending.Cancel);
        using var session = sessions.Open(user.GetCaller(), output);
        var interests = type is { Length: > 0 } ? new[] { new InterestRequest(type) } : null;
        var request = new SubscribeRequest(app ?? "", topic, interests, cursor, from?.Replace(' ', '+'));
        var subscribed = await session.SubscribeAsync(request, http.RequestAborted);
        if (subscribed.Value is not { } answer)
            return subscribed.Fault!.ToResult();

        try
        {
            await output.StartAsync(answer, ending.Token);
            await session.RunAsync(ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The client left, or the node drains or stops. (When the token expires, the session ends by itself.)
        }

        return TypedResults.Empty;
    }

    private static async Task<IResult> PollAsync(
        HttpContext http, ClaimsPrincipal user, SessionFactory sessions, IHostApplicationLifetime host, Drain drain, TimeProvider time)
    {
        var read = await JsonBody.ReadAsync<PollRequest>(http.Request, WireJson.Options, http.RequestAborted);
        if (read.Value is not { } request)
            return read.Fault!.ToResult();
        if (request.WaitSeconds is < 0 or > MaxWaitSeconds)
            return Fault.Invalid("/waitSeconds", $"Must be 0 to {MaxWaitSeconds}.").ToResult();
        if (request.Limit is < 1 or > MaxPollEvents)
            return Fault.Invalid("/limit", $"Must be 1 to {MaxPollEvents}.").ToResult();

        var output = new PollOutput(request.Limit);
        // Named by its user, so that one poll's cursor acknowledges what the poll before answered.
        var caller = user.GetCaller();
        using var session = sessions.Open(caller, output, $"poll:{caller.Sub}");
        var subscribed = await session.SubscribeAsync(
            new SubscribeRequest(request.App ?? "", request.Topics, request.Interests, request.Cursor, request.From), http.RequestAborted);
        if (subscribed.Value is not { } answer)
            return subscribed.Fault!.ToResult();
        if (answer.Reset)
            return Answer([], answer.Cursor, reset: true);

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, host.ApplicationStopping, drain.Beginning);
        var deadline = time.GetUtcNow() + TimeSpan.FromSeconds(request.WaitSeconds);
        try
        {
            while (!output.WasReset && output.Room > 0)
            {
                var behind = await session.StepAsync(ending.Token);
                if (behind)
                    continue;
                if (output.Events.Count > 0 || time.GetUtcNow() >= deadline)
                    break;
                await session.WaitAsync(deadline - time.GetUtcNow(), ending.Token);
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            // The node drains or stops: what was read so far is answered, and the next poll finds another node.
        }

        if (!output.WasReset)
            return Answer(output.Events, new Cursor(answer.Epoch, session.PositionsIn(answer.App).ToImmutableDictionary()), reset: false);
        var now = await session.SubscribeAsync(new SubscribeRequest(answer.App, request.Topics, request.Interests), http.RequestAborted);
        return now.ToResult(head => Answer([], head.Cursor, reset: true));
    }

    private static async Task<IResult> CursorAsync(
        ClaimsPrincipal user, SessionFactory sessions, CancellationToken cancellationToken, string? app = null, string[]? topics = null)
    {
        using var session = sessions.Open(user.GetCaller(), new PollOutput(0));
        var names = topics?.SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).ToArray();
        var subscribed = await session.SubscribeAsync(new SubscribeRequest(app ?? "", names), cancellationToken);
        return subscribed.ToResult(answer => TypedResults.Json(answer.Cursor, WireJson.Options));
    }

    private static IResult Answer(IReadOnlyList<StoredEvent> events, Cursor cursor, bool reset) =>
        TypedResults.Json(new PollAnswer(events, cursor, reset), WireJson.Options);
}

internal sealed record PollRequest(
    string? App, IReadOnlyList<string>? Topics, IReadOnlyList<InterestRequest>? Interests, Cursor? Cursor, string? From, int WaitSeconds = 0, int Limit = 100);

/// <param name="Reset">The cursor could not be honoured; fetch your state and follow from <paramref name="Cursor"/>.</param>
internal sealed record PollAnswer(IReadOnlyList<StoredEvent> Events, Cursor Cursor, bool Reset);
