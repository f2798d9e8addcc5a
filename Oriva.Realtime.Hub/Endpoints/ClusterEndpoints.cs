using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Nodes, connections and blocks, for admins: the same answers from every node.</summary>
internal static class ClusterEndpoints
{
    public static void MapCluster(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/admin/overview", ReadOverviewAsync)
            .WithName("ReadOverview").WithSummary("The cluster at a glance: load, latency, queues, apps, nodes")
            .WithDescription("Of latencies the worst node's are shown: percentiles of several nodes cannot be added up.").Produces<Overview>().ProducesProblems(403, 503);
        routes.MapGet("/admin/nodes", ListNodesAsync)
            .WithName("ListNodes").WithSummary("The nodes of the last week and their figures, those that are alive first").Produces<ListPage<NodeState>>().ProducesProblems(403, 503);
        routes.MapPost("/admin/nodes/{id}/drain", DrainAsync)
            .WithName("DrainNode").WithSummary("Have a node take no new connections and send its clients elsewhere").Produces<NodeAnswer>().ProducesProblems(403, 404, 409, 503);
        routes.MapDelete("/admin/nodes/{id}/drain", ResumeAsync)
            .WithName("ResumeNode").WithSummary("Have a node that drains take connections again").Produces<NodeAnswer>().ProducesProblems(403, 404, 409, 503);

        routes.MapGet("/admin/connections", ListConnectionsAsync)
            .WithName("ListConnections").WithSummary("Hub connections on all nodes, newest first; those that closed in the last week with state=closed or state=all")
            .WithDescription("app: subscribed to it. Followers by poll and by event stream are no connections.")
            .Produces<ConnectionPage>().ProducesProblems(403, 422, 503);
        routes.MapGet("/admin/connections/{id}", FindConnectionAsync)
            .WithName("FindConnection").WithSummary("One connection, open or closed").Produces<RegisteredConnection>().ProducesProblems(403, 404, 503);
        routes.MapDelete("/admin/connections/{id}", DisconnectAsync)
            .WithName("Disconnect").WithSummary("Close a connection, on whichever node it is").WithDescription("The answer comes when it is closed. Its client does not reconnect by itself.")
            .Produces<DisconnectedAnswer>().ProducesProblems(403, 404, 503);
        routes.MapPost("/admin/users/{id}/disconnect", DisconnectUserAsync)
            .WithName("DisconnectUser").WithSummary("Close a user's connections, on all nodes; with blockSeconds, keep the user out for so long")
            .WithDescription("A blocked user is refused everywhere with 403 user_blocked: the HTTP API, the hub, streams and polls that run. Back ends that come by an API key are no users.")
            .Accepts<DisconnectRequest>("application/json").Produces<UserDisconnected>().ProducesProblems(400, 403, 422, 503);

        routes.MapGet("/admin/blocks", ListBlocksAsync).WithName("ListBlocks").WithSummary("Who is kept out, until when, and why").Produces<ListPage<UserBlock>>().ProducesProblems(403, 503);
        routes.MapDelete("/admin/users/{id}/block", UnblockAsync)
            .WithName("UnblockUser").WithSummary("Let a user in again").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);
    }

    private static async Task<IResult> ReadOverviewAsync(ClusterOverview overview, CancellationToken cancellationToken) =>
        TypedResults.Json(await overview.ReadAsync(cancellationToken), WireJson.Options);

    private static async Task<IResult> ListNodesAsync(ClusterOverview overview) => All(await overview.ListNodesAsync());

    private static Task<IResult> DrainAsync(string id, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken) =>
        CommandAsync(id, NodeCommandKinds.Drain, user, operations, cancellationToken);

    private static Task<IResult> ResumeAsync(string id, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken) =>
        CommandAsync(id, NodeCommandKinds.Resume, user, operations, cancellationToken);

    private static async Task<IResult> CommandAsync(string id, string kind, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken)
    {
        var done = await operations.CommandAsync(user.GetCaller(), id, kind, cancellationToken);
        return done.ToResult(connections => TypedResults.Json(new NodeAnswer(id, connections), WireJson.Options));
    }

    private static async Task<IResult> ListConnectionsAsync(
        ConnectionList connections, CancellationToken cancellationToken,
        string? app = null, string? userId = null, string? node = null, string? transport = null, string state = ConnectionFilter.Open, string? limit = null, string? after = null)
    {
        if (!EventEndpoints.TryReadNumber(limit, fallback: 50, out var count))
            return Fault.Invalid("/limit", "Must be a number.").ToResult();
        var page = await connections.ListAsync(new ConnectionFilter(app, userId, node, transport, state), count, after, cancellationToken);
        return page.ToResult(found => TypedResults.Json(found, WireJson.Options));
    }

    private static async Task<IResult> FindConnectionAsync(string id, ConnectionList connections, CancellationToken cancellationToken) =>
        await connections.FindAsync(id, cancellationToken) is { } found ? TypedResults.Json(found, WireJson.Options) : Fault.NotFound.ToResult();

    private static async Task<IResult> DisconnectAsync(string id, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken)
    {
        var done = await operations.DisconnectAsync(user.GetCaller(), id, cancellationToken);
        return done.ToResult(disconnected => TypedResults.Json(new DisconnectedAnswer(disconnected), WireJson.Options));
    }

    private static async Task<IResult> DisconnectUserAsync(string id, HttpRequest request, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<DisconnectRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        var done = await operations.DisconnectUserAsync(user.GetCaller(), id, wanted, cancellationToken);
        return done.ToResult(disconnected => TypedResults.Json(disconnected, WireJson.Options));
    }

    private static async Task<IResult> ListBlocksAsync(UserBlocks blocks) => All(await blocks.ListAsync());

    private static async Task<IResult> UnblockAsync(string id, ClaimsPrincipal user, Operations operations, CancellationToken cancellationToken) =>
        Names.IsId(id) && await operations.UnblockAsync(user.GetCaller(), id, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();

    private static IResult All<T>(IReadOnlyList<T> items) => TypedResults.Json(new ListPage<T>(items, null, items.Count), WireJson.Options);
}

internal sealed record ListPage<T>(IReadOnlyList<T> Items, string? Next, int Total);

internal sealed record DisconnectedAnswer(int Disconnected);

/// <param name="Connections">How many it concerns.</param>
internal sealed record NodeAnswer(string Node, int Connections);
