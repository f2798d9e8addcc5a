using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>What tests of notifications do on a node.</summary>
internal static class NotificationTests
{
    /// <summary>A new app whose manifest is <see cref="TestManifest"/>'s with these rules.</summary>
    public static async Task<string> AddAppAsync(this LogHost node, params object[] rules)
    {
        var app = await node.AddAppAsync("room-*");
        await node.PutRulesAsync(app, rules);
        return app;
    }

    public static Task PutRulesAsync(this LogHost node, string app, params object[] rules)
    {
        var manifest = JsonNode.Parse(node.Registry.Find(app)!.ManifestText)!.AsObject();
        manifest["notifications"] = JsonSerializer.SerializeToNode(rules);
        return node.PutManifestAsync(manifest.ToJsonString());
    }

    public static async Task AddMembersAsync(this LogHost node, string app, params string[] users)
    {
        foreach (var user in users)
            await node.Directory.PutAsync(app, user, new AppUserDetails(null, null, null), CancellationToken.None);
    }

    /// <summary>Many at once, as if they had been there for long.</summary>
    public static async Task AddManyMembersAsync(this LogHost node, string app, IEnumerable<string> users)
    {
        await using var context = node.Database.ForService();
        context.AppUsers.AddRange(users.Select(user => new Core.Storage.Rows.AppUserRow { App = app, UserId = user, JoinedAt = StoreTime.Truncate(TimeProvider.System.GetUtcNow()) }));
        await context.SaveChangesAsync();
    }

    public static async Task<IReadOnlyList<Notification>> ListAsync(this LogHost node, string app, string user, string state = "all") =>
        (await node.Get<Inbox>().ListAsync(Callers.User(user, app), new InboxQuery(app) { State = state, Limit = InboxQuery.MaxLimit }, CancellationToken.None)).Required().Items;

    public static async Task<InboxCounts> CountAsync(this LogHost node, string app, string user) =>
        (await node.Get<Inbox>().CountAsync(Callers.User(user, app), app, CancellationToken.None)).Required();

    /// <summary>When nothing waits for the router and the outbox any more.</summary>
    public static Task RoutedAsync(this LogHost node, TimeSpan? within = null) => Waiting.Eventually("everything is routed and in the log", async () =>
    {
        await using var context = node.Database.ForService();
        return !await context.RoutingQueue.AnyAsync(row => row.FailedAt == null) && !await context.Outbox.AnyAsync();
    }, within ?? TimeSpan.FromSeconds(15));

    public static async Task<EventSubscription> FollowAsync(this LogHost node, string app, string user, EventSubscriptionRequest request) =>
        (await node.Get<EventSubscriptions>().AddAsync(Callers.User(user, app), request with { App = app }, CancellationToken.None)).Required();

    /// <summary>The notifications and changes in a user's stream.</summary>
    public static async Task<IReadOnlyList<StoredEvent>> NewsOfAsync(this LogHost node, string app, string user) =>
        [.. (await node.ReadStreamAsync($"{app}/users/{user}")).Where(e => e.Type.StartsWith("notification.", StringComparison.Ordinal))];
}
