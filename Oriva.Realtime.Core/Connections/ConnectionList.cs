using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Connections;

/// <summary>A hub connection, open or closed in the last week, on whichever node.</summary>
/// <param name="LastSeenAt">The client's last call, or when it connected.</param>
/// <param name="RoundTripMs">As the client measured it; null: it has not said.</param>
/// <param name="Behind">Events that it has not been pushed yet.</param>
/// <param name="Stalls">Pushes that took longer than a second to be taken.</param>
/// <param name="Subscriptions"><c>[{app, topics, streams: {stream: {head, position, pushed, acked}}}]</c>.</param>
public sealed record RegisteredConnection(
    string Id, string UserId, IReadOnlyList<string> Apps, string Node, string Transport, string Protocol, string? RemoteAddress, string? UserAgent, DateTimeOffset ConnectedAt,
    DateTimeOffset LastSeenAt, double? RoundTripMs, long Behind, long EventsSent, long Stalls, JsonElement Subscriptions,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ClosedAt,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? CloseReason);

public sealed record ConnectionPage(IReadOnlyList<RegisteredConnection> Items, string? Next, int Total);

/// <summary>Which connections are meant; each part that is null means all.</summary>
/// <param name="App">Subscribed to this app.</param>
/// <param name="State"><c>open</c>, <c>closed</c> or <c>all</c>.</param>
public sealed record ConnectionFilter(string? App, string? UserId, string? Node, string? Transport, string State = ConnectionFilter.Open)
{
    public const string Open = "open";
    public const string Closed = "closed";
    public const string All = "all";
}

/// <summary>All nodes' connections, as their rows tell: about half a second old, figures a few seconds.</summary>
public sealed class ConnectionList
{
    public const int MaxLimit = 200;

    private readonly RealtimeDatabase _database;

    internal ConnectionList(RealtimeDatabase database) => _database = database;

    /// <summary>Newest first.</summary>
    public async Task<Outcome<ConnectionPage>> ListAsync(ConnectionFilter filter, int limit, string? after, CancellationToken cancellationToken)
    {
        if (filter.App is not null && !Names.IsApp(filter.App))
            return Fault.Invalid("/app", "Must be an app id.");
        if (filter.UserId is not null && !Names.IsId(filter.UserId))
            return Fault.Invalid("/userId", "Must be a user id.");
        if (filter.Node is not null && !ClusterOptions.IsNodeId(filter.Node))
            return Fault.Invalid("/node", "Must be a node's id.");
        if (filter.Transport is not (null or ConnectionOrigin.WebSockets or ConnectionOrigin.ServerSentEvents or ConnectionOrigin.LongPolling))
            return Fault.Invalid("/transport", "Must be one of webSockets, serverSentEvents, longPolling.");
        if (filter.State is not (ConnectionFilter.Open or ConnectionFilter.Closed or ConnectionFilter.All))
            return Fault.Invalid("/state", "Must be one of open, closed, all.");
        if (limit is < 1 or > MaxLimit)
            return Fault.Invalid("/limit", $"Must be 1 to {MaxLimit}.");
        var (time, id) = (DateTimeOffset.MaxValue, "");
        if (after is not null && !TryReadPlace(after, out time, out id))
            return Fault.Invalid("/after", "Must be the 'next' of an earlier answer.");

        await using var context = _database.ForService();
        var found = Matching(context, filter);
#pragma warning disable CA1309 // Translated to SQL
        var page = after is null ? found : found.Where(row => row.ConnectedAt < time || (row.ConnectedAt == time && string.Compare(row.Id, id) < 0));
#pragma warning restore CA1309
        var rows = await page.OrderByDescending(row => row.ConnectedAt).ThenByDescending(row => row.Id).Take(limit + 1).ToListAsync(cancellationToken);
        var items = rows.Take(limit).Select(Describe).ToList();
        return new ConnectionPage(
            items, rows.Count > limit ? $"{StoreTime.ToMicroseconds(items[^1].ConnectedAt)}_{items[^1].Id}" : null, await found.CountAsync(cancellationToken));
    }

    public async Task<RegisteredConnection?> FindAsync(string id, CancellationToken cancellationToken)
    {
        if (!Names.IsId(id))
            return null;
        await using var context = _database.ForService();
        return await context.WebsocketConnections.AsNoTracking().FirstOrDefaultAsync(row => row.Id == id, cancellationToken) is { } row ? Describe(row) : null;
    }

    private static IQueryable<WebsocketConnectionRow> Matching(RealtimeDbContext context, ConnectionFilter filter)
    {
        var rows = context.WebsocketConnections.AsNoTracking();
        if (filter.State == ConnectionFilter.Open)
            rows = rows.Where(row => row.ClosedAt == null);
        if (filter.State == ConnectionFilter.Closed)
            rows = rows.Where(row => row.ClosedAt != null);
        if (filter.App is { } app)
            rows = rows.Where(row => row.Scopes.Contains(app));
        if (filter.UserId is { } user)
            rows = rows.Where(row => row.UserId == user);
        if (filter.Node is { } node)
            rows = rows.Where(row => row.NodeId == node);
        if (filter.Transport is { } transport)
            rows = rows.Where(row => row.Transport == transport);
        return rows;
    }

    private static bool TryReadPlace(string text, out DateTimeOffset time, out string id)
    {
        var at = text.IndexOf('_', StringComparison.Ordinal);
        (time, id) = (default, at < 0 ? "" : text[(at + 1)..]);
        if (at < 1 || !long.TryParse(text[..at], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var microseconds)
            || microseconds > StoreTime.ToMicroseconds(DateTimeOffset.MaxValue) || !Names.IsId(id))
            return false;
        time = StoreTime.FromMicroseconds(microseconds);
        return true;
    }

    private static RegisteredConnection Describe(WebsocketConnectionRow row) => new(
        row.Id, row.UserId, row.Apps, row.NodeId, row.Transport, row.Protocol, row.RemoteAddress, row.UserAgent, row.ConnectedAt, row.LastSeenAt, row.RoundTripMs, row.Behind,
        row.EventsSent, row.Stalls, JsonElement.Parse(row.Subscriptions), row.ClosedAt, row.CloseReason);
}
