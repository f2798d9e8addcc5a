using System.Text.Json;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteInboxTests(SqliteFixture fixture) : InboxSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresInboxTests(PostgresFixture fixture) : InboxSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>What a user does with notifications, and what other devices and the evidence make of it.</summary>
public abstract class InboxSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private Inbox Inbox => Node.Get<Inbox>();

    [Fact]
    public async Task Marks_MoveTheCounts_AndAreEventsWithThem()
    {
        var app = await AppWithAsync("ada", 3);
        var ids = (await Node.ListAsync(app, "ada")).Select(notification => notification.Id).ToList();

        (await MarkAsync(app, ids[0], InboxMark.Seen)).SeenAt.ShouldNotBeNull();
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(3, 3, 2, 4));
        var read = await MarkAsync(app, ids[1], InboxMark.Read);
        read.SeenAt.ShouldBe(read.ReadAt.ShouldNotBeNull());
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(3, 2, 1, 5));
        (await MarkAsync(app, ids[1], InboxMark.Unread)).ReadAt.ShouldBeNull();
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(3, 3, 1, 6));
        (await MarkAsync(app, ids[2], InboxMark.Archived)).ArchivedAt.ShouldNotBeNull();
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(2, 2, 0, 7));
        (await MarkAsync(app, ids[2], InboxMark.Unarchived)).ArchivedAt.ShouldBeNull();
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(3, 3, 1, 8));

        await Node.RoutedAsync();
        var changes = (await Node.NewsOfAsync(app, "ada")).Skip(3).Select(e => (e.Type, Data: JsonElement.Parse(e.Data))).OrderBy(change => change.Data.GetProperty("counts").GetProperty("rev").GetInt64()).ToList();
        changes.Select(change => (change.Type, change.Data.GetProperty("state").GetString())).ShouldBe([
            ("notification.updated", "seen"), ("notification.read", "read"), ("notification.updated", "unread"), ("notification.updated", "archived"), ("notification.updated", "unarchived")]);
        changes[1].Data.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid()).ShouldBe([ids[1]]);
        changes[^1].Data.GetProperty("counts").GetRawText().ShouldBe("""{"total":3,"unread":3,"unseen":1,"rev":8}""");
    }

    [Fact]
    public async Task MarkedAgain_ChangesNothing()
    {
        var app = await AppWithAsync("ada", 1);
        var id = (await Node.ListAsync(app, "ada"))[0].Id;

        var first = await MarkAsync(app, id, InboxMark.Read);
        var second = await MarkAsync(app, id, InboxMark.Read);

        second.ReadAt.ShouldBe(first.ReadAt);
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(1, 0, 0, 2));
        await Node.RoutedAsync();
        (await Node.NewsOfAsync(app, "ada")).Count.ShouldBe(2);
    }

    [Fact]
    public async Task ReadAll_MarksWhatIsUnread_UpToTheOneThatIsNamed()
    {
        var app = await AppWithAsync("ada", 4);
        var newestFirst = await Node.ListAsync(app, "ada");

        var counts = (await Inbox.ReadAllAsync(Callers.User("ada", app), app, newestFirst[1].Id, Cancel)).Required();

        counts[app].Unread.ShouldBe(1);
        (await Node.ListAsync(app, "ada", "unread")).ShouldHaveSingleItem().Id.ShouldBe(newestFirst[0].Id);
        (await Node.ListAsync(app, "ada", "read")).Count.ShouldBe(3);
        await Node.RoutedAsync();
        var change = JsonElement.Parse((await Node.NewsOfAsync(app, "ada"))[^1].Data);
        change.GetProperty("through").GetGuid().ShouldBe(newestFirst[1].Id);
        (await Inbox.ReadAllAsync(Callers.User("ada", app), null, null, Cancel)).Required()[app].Unread.ShouldBe(0);
    }

    [Fact]
    public async Task Lists_AreNewestFirst_ByStateAndType_InPages()
    {
        var app = await AppWithAsync("ada", 5);
        var all = await Node.ListAsync(app, "ada");
        all.Select(notification => notification.Title).ShouldBe(["n 5", "n 4", "n 3", "n 2", "n 1"]);
        await MarkAsync(app, all[4].Id, InboxMark.Archived);
        await MarkAsync(app, all[3].Id, InboxMark.Read);

        (await Node.ListAsync(app, "ada")).Count.ShouldBe(4);
        (await Node.ListAsync(app, "ada", "archived")).ShouldHaveSingleItem().Id.ShouldBe(all[4].Id);
        (await Node.ListAsync(app, "ada", "unseen")).Count.ShouldBe(3);

        var titles = new List<string>();
        string? after = null;
        do
        {
            var page = (await Inbox.ListAsync(Callers.User("ada", app), new InboxQuery(app) { Limit = 2, After = after }, Cancel)).Required();
            titles.AddRange(page.Items.Select(notification => notification.Title));
            after = page.Next;
        }
        while (after is not null);
        titles.ShouldBe(["n 5", "n 4", "n 3", "n 2"]);

        (await Inbox.ListAsync(Callers.User("ada", app), new InboxQuery(app) { Type = "thing.*" }, Cancel)).Required().Items.Count.ShouldBe(4);
        (await Inbox.ListAsync(Callers.User("ada", app), new InboxQuery(app) { Type = "other.*" }, Cancel)).Required().Items.ShouldBeEmpty();
        (await Inbox.ListAsync(Callers.User("ada", app), new InboxQuery(app) { State = "wrong" }, Cancel)).Refused("invalid");
        (await Inbox.ListAsync(Callers.User("ada", app), new InboxQuery(app) { After = "wrong" }, Cancel)).Refused("invalid");
    }

    [Fact]
    public async Task Inbox_IsItsUsersAlone()
    {
        var app = await AppWithAsync("ada", 1);
        var other = await AppWithAsync("ada", 1);
        var id = (await Node.ListAsync(app, "ada"))[0].Id;
        await Node.AddMembersAsync(app, "eve");

        (await Inbox.MarkAsync(Callers.User("eve", app), id, InboxMark.Read, Cancel)).Refused("not_found");
        (await Inbox.MarkAsync(Callers.User("ada", other), id, InboxMark.Read, Cancel)).Refused("not_found");
        (await Inbox.MarkAsync(Callers.Publisher(app), id, InboxMark.Read, Cancel)).Refused("not_found");
        (await Node.ListAsync(app, "eve")).ShouldBeEmpty();
        (await Inbox.ListAsync(Callers.User("ada", other), new InboxQuery(app), Cancel)).Refused("app_forbidden");
        (await Inbox.ListAsync(Callers.User("ada", other), new InboxQuery(null), Cancel)).Required().Items.ShouldHaveSingleItem().App.ShouldBe(other);
        (await Node.CountAsync(app, "ada")).Unread.ShouldBe(1);
    }

    [Fact]
    public async Task MarksAtOnce_FromManyDevices_KeepTheCountsRight()
    {
        var app = await AppWithAsync("ada", 40);
        var ids = (await Node.ListAsync(app, "ada")).Select(notification => notification.Id).ToList();

        await Task.WhenAll(Enumerable.Range(0, 4).SelectMany(device => ids.Select((id, i) => Task.Run(() => MarkAsync(app, id, (i + device) % 2 == 0 ? InboxMark.Read : InboxMark.Seen)))));
        await Node.PublishAsync(Drafts.ToUser(app, "ada", new { n = 41 }));
        await Node.RoutedAsync();

        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(41, 1, 1, (await Node.CountAsync(app, "ada")).Rev));
        // The last word of the log says the same.
        var last = (await Node.NewsOfAsync(app, "ada")).Select(e => JsonElement.Parse(e.Data).GetProperty("counts")).MaxBy(counts => counts.GetProperty("rev").GetInt64());
        (last.GetProperty("total").GetInt32(), last.GetProperty("unread").GetInt32(), last.GetProperty("unseen").GetInt32()).ShouldBe((41, 1, 1));
    }

    [Fact]
    public async Task Websocket_IsSentWhenPushed_AndDeliveredWhenAcknowledged()
    {
        var app = await AppWithAsync("ada", 0);
        var stream = $"{app}/users/ada";
        await using (var session = RunningSession.Open(Node, Callers.User("ada", app)))
        {
            await session.SubscribeAsync(new SubscribeRequest(app));
            await PublishAsync(app, "ada", 1, 2);
            await session.ReachAsync(stream, 4);
            await SaveAsync();
            (await LiveAsync(app)).ShouldBe(["sent", "sent"]);

            var created = (await Node.NewsOfAsync(app, "ada"))[0];
            session.Ack(app, stream, created.Position);
            await SaveAsync();
            (await LiveAsync(app)).ShouldBe(["delivered", "sent"]);
        }

        // Nobody is connected: it waits.
        await PublishAsync(app, "ada", 3, 1);
        await SaveAsync();
        (await LiveAsync(app)).ShouldBe(["delivered", "sent", "pending"]);

        // Back on another device, from where the first stood: what was sent is acknowledged by the cursor, what waited is sent.
        await using var back = RunningSession.Open(Node, Callers.User("ada", app));
        await back.SubscribeAsync(new SubscribeRequest(app, Cursor: new Cursor(Node.Epoch.Value, Positions(stream, 4))));
        await back.ReachAsync(stream, 6);
        await SaveAsync();
        (await LiveAsync(app)).ShouldBe(["delivered", "delivered", "sent"]);
        back.Ack(app, stream, 6);
        await SaveAsync();
        (await LiveAsync(app)).ShouldBe(["delivered", "delivered", "delivered"]);
    }

    [Fact]
    public async Task Websocket_IsNotSent_BySessionsThatDoNotTakeNotifications_OrOfOthers()
    {
        var app = await AppWithAsync("ada", 0);
        await Node.AddMembersAsync(app, "eve");
        await using var filtered = RunningSession.Open(Node, Callers.User("ada", app), new CollectingOutput { ExpectsEveryPosition = false });
        await filtered.SubscribeAsync(new SubscribeRequest(app, Interests: [new InterestRequest(["thing.*"])]));
        await using var other = RunningSession.Open(Node, Callers.User("eve", app));
        await other.SubscribeAsync(new SubscribeRequest(app));
        await using var fresh = RunningSession.Open(Node, Callers.User("ada", app));

        await PublishAsync(app, "ada", 1, 1);
        await PublishAsync(app, "ada", 2, 1);
        await filtered.ReachAsync($"{app}/users/ada", 3);
        filtered.Ack(app, $"{app}/users/ada", 3);
        // Subscribed afterwards, from now: what was before was never pushed to it.
        await fresh.SubscribeAsync(new SubscribeRequest(app));
        fresh.Ack(app, $"{app}/users/ada", 4);
        await SaveAsync();

        (await LiveAsync(app)).ShouldBe(["pending", "pending"]);
    }

    [Fact]
    public async Task DirectNotifications_ReachMembers_OnceById()
    {
        var app = await AppWithAsync("ada", 0);
        await Node.AddMembersAsync(app, "bob");
        var direct = Node.Get<DirectNotifications>();
        var request = new DirectNotificationRequest(app, ["ada", "bob", "stranger"], "Maintenance", "At noon", "/status", Actions: [new("More", "/more")], Id: "m-1") { Data = JsonElement.Parse("""{"a":1}""") };

        var receipt = (await direct.SendAsync(Callers.Publisher(app), request, Cancel)).Required();
        (receipt.Id, receipt.Notified, receipt.Duplicate).ShouldBe(("m-1", 2, false));
        receipt.Skipped.ShouldBe(["stranger"]);
        (await direct.SendAsync(Callers.Publisher(app), request, Cancel)).Required().Duplicate.ShouldBeTrue();
        (await direct.SendAsync(Callers.Publisher(app), request with { Title = "Other" }, Cancel)).Refused("id_reused");
        (await direct.SendAsync(Callers.User("ada", app), request, Cancel)).Refused("user_forbidden");

        await Node.RoutedAsync();
        var notification = (await Node.ListAsync(app, "bob")).ShouldHaveSingleItem();
        (notification.Title, notification.Body, notification.Link, notification.Event, notification.Type).ShouldBe(("Maintenance", "At noon", "/status", null, null));
        notification.Data.GetProperty("a").GetInt32().ShouldBe(1);
        (await Node.NewsOfAsync(app, "bob")).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task DirectNotification_ReachesAThousandUsersAtOnce()
    {
        var app = await AppWithAsync("ada", 0);
        var users = Enumerable.Range(0, DirectNotifications.MostUsers).Select(i => $"u{i:0000}").ToList();
        await Node.AddManyMembersAsync(app, users);

        (await Node.Get<DirectNotifications>().SendAsync(Callers.Publisher(app), new DirectNotificationRequest(app, users, "t"), Cancel)).Required().Notified.ShouldBe(users.Count);

        (await Store.SingleAsync<long>($"SELECT count(*) FROM inbox_counts WHERE app = '{app}' AND unread = 1")).ShouldBe(users.Count);
        await Node.RoutedAsync();
        (await Store.SingleAsync<long>($"SELECT count(*) FROM events WHERE app = '{app}' AND type = 'notification.created'")).ShouldBe(users.Count);
    }

    [Fact]
    public async Task WrongDirectNotification_IsRefusedWithPointers()
    {
        var app = await AppWithAsync("ada", 0);
        var wrong = new DirectNotificationRequest(app, ["a b"], " ", Link: "javascript:x", Actions: [new(null, null)], Type: "no.such", Channels: ["pigeon"], Id: "a b") { Data = JsonElement.Parse("[]") };

        var refused = (await Node.Get<DirectNotifications>().SendAsync(Callers.Publisher(app), wrong, Cancel)).Refused("invalid");

        refused.Errors!.Keys.Order(StringComparer.Ordinal).ShouldBe(["/actions/0/link", "/actions/0/title", "/channels/0", "/data", "/id", "/link", "/title", "/type", "/userIds/0"]);
    }

    private async Task<string> AppWithAsync(string user, int notifications)
    {
        var app = await Node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "n {{ data.n }}", to = "user" });
        await Node.AddMembersAsync(app, user);
        await PublishAsync(app, user, 1, notifications);
        return app;
    }

    /// <summary>One by one, so that their ids have the order of their numbers.</summary>
    private async Task PublishAsync(string app, string user, int from, int count)
    {
        for (var n = from; n < from + count; n++)
        {
            await Node.PublishAsync(Drafts.ToUser(app, user, new { n }));
            await Node.RoutedAsync();
        }
    }

    private async Task<Notification> MarkAsync(string app, Guid id, InboxMark mark) => (await Inbox.MarkAsync(Callers.User("ada", app), id, mark, Cancel)).Required();

    private Task SaveAsync() => Node.Get<EvidenceLog>().SaveAsync(Cancel);

    private Task<List<string>> LiveAsync(string app) =>
        Store.QueryAsync<string>($"SELECT status FROM notification_delivery WHERE app = '{app}' AND channel = 'websocket' ORDER BY created_at");

    private static System.Collections.Immutable.ImmutableDictionary<string, long> Positions(string stream, long position) =>
        System.Collections.Immutable.ImmutableDictionary<string, long>.Empty.Add(stream, position);
}
