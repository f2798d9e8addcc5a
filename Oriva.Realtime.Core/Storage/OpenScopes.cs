using Microsoft.EntityFrameworkCore;

namespace Oriva.Realtime.Core.Storage;

/// <summary>A user with open connections in an app, or in a topic of it.</summary>
/// <param name="Scope"><c>app</c> or <c>app/topic</c>.</param>
internal sealed record ScopeUser(string Scope, string UserId, int Connections, DateTimeOffset Since);

/// <summary>
/// Who is in which app and topic, as the context's reader may see it. Of a connection it reads only what a reader may read. PostgreSQL adds up; SQLite, whose
/// one node has all connections anyway, hands over the rows.
/// </summary>
internal static class OpenScopes
{
    public static async Task<List<ScopeUser>> ReadAsync(RealtimeDbContext context, IReadOnlyList<string> scopes, CancellationToken cancellationToken)
    {
        var open = context.WebsocketConnections.AsNoTracking().Where(row => row.ClosedAt == null);
        if (context.Database.IsNpgsql())
        {
            return await open.SelectMany(row => row.Scopes, (row, scope) => new { Scope = scope, row.UserId, row.ConnectedAt })
                .Where(found => scopes.Contains(found.Scope))
                .GroupBy(found => new { found.Scope, found.UserId })
                .Select(group => new ScopeUser(group.Key.Scope, group.Key.UserId, group.Count(), group.Min(found => found.ConnectedAt))).ToListAsync(cancellationToken);
        }

        var rows = await open.Select(row => new { row.Scopes, row.UserId, row.ConnectedAt }).ToListAsync(cancellationToken);
        return
        [
            .. rows.SelectMany(row => row.Scopes.Intersect(scopes), (row, scope) => (scope, row)).GroupBy(found => (found.scope, found.row.UserId))
                .Select(group => new ScopeUser(group.Key.scope, group.Key.UserId, group.Count(), group.Min(found => found.row.ConnectedAt))),
        ];
    }

    /// <summary>Per app: connections that are subscribed to it, and users.</summary>
    public static async Task<List<(string App, int Connections, int Users)>> CountAppsAsync(RealtimeDbContext context, CancellationToken cancellationToken)
    {
        var open = context.WebsocketConnections.AsNoTracking().Where(row => row.ClosedAt == null);
        if (context.Database.IsNpgsql())
        {
            var counts = await open.SelectMany(row => row.Scopes, (row, scope) => new { Scope = scope, row.UserId }).Where(found => !EF.Functions.Like(found.Scope, "%/%"))
                .GroupBy(found => found.Scope)
                .Select(group => new { App = group.Key, Connections = group.Count(), Users = group.Select(found => found.UserId).Distinct().Count() }).ToListAsync(cancellationToken);
            return counts.ConvertAll(app => (app.App, app.Connections, app.Users));
        }

        var rows = await open.Select(row => new { row.Scopes, row.UserId }).ToListAsync(cancellationToken);
        return
        [
            .. rows.SelectMany(row => row.Scopes.Where(scope => !scope.Contains('/', StringComparison.Ordinal)), (row, scope) => (App: scope, row.UserId)).GroupBy(found => found.App)
                .Select(group => (group.Key, group.Count(), group.Select(found => found.UserId).Distinct(StringComparer.Ordinal).Count())),
        ];
    }
}
