using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Tracing;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Why somebody got something, or did not.</summary>
internal static class TraceEndpoints
{
    public static void MapTraces(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/admin/events/{source}/{id}/trace", TraceAsync)
            .WithName("TraceEvent").WithSummary("What became of an event; with userId, whether that user got it and why")
            .Produces<EventTrace>().ProducesProblems(403, 404, 422, 503);
        routes.MapGet("/admin/users/{id}/timeline", ReadTimelineAsync)
            .WithName("ReadTimeline").WithSummary("What a user was sent, saw and missed, newest first; the last day unless from and to say otherwise")
            .Produces<TimelinePage>().ProducesProblems(403, 422, 503);
    }

    private static async Task<IResult> TraceAsync(string source, string id, EventTracer tracer, CancellationToken cancellationToken, string? userId = null)
    {
        var trace = await tracer.TraceAsync(source, id, userId, cancellationToken);
        return trace.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }

    private static async Task<IResult> ReadTimelineAsync(
        string id, UserTimeline timeline, CancellationToken cancellationToken, string? app = null, string? from = null, string? to = null, string? limit = null, string? after = null)
    {
        if (!EventEndpoints.TryReadTime(from, out var since))
            return Fault.Invalid("/from", "Must be an RFC 3339 time with an offset.").ToResult();
        if (!EventEndpoints.TryReadTime(to, out var until))
            return Fault.Invalid("/to", "Must be an RFC 3339 time with an offset.").ToResult();
        if (!EventEndpoints.TryReadNumber(limit, fallback: 50, out var count))
            return Fault.Invalid("/limit", "Must be a number.").ToResult();
        var page = await timeline.ReadAsync(id, new TimelineQuery(app, since, until, count, after), cancellationToken);
        return page.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }
}
