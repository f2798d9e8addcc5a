using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Connections;

public sealed class SqliteRegistryTests(SqliteHub fixture) : RegistrySpecification(fixture), IClassFixture<SqliteHub>;

public sealed class PostgresRegistryTests(PostgresHub fixture) : RegistrySpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>What one node's registry, presence, blocks and admin API do, on either store.</summary>
public abstract class RegistrySpecification(HubFixture fixture) : HubTests(fixture)
{
    private const string Connections = "/api/v1/admin/connections";

    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    [Fact]
    public async Task AConnection_IsListedWithWhatItFollows_AndWithWhyItWent()
    {
        await using var hub = await ConnectAsync(_user);
        await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        (await Publisher.PublishAsync(Draft(topic: _topic))).ShouldBe(201);
        await hub.ReceiveAsync(1);
        await hub.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [$"{WorkBuddy}/topics/{_topic}"] = 1 } });
        (await hub.InvokeAsync("Ping", new { roundTripMs = 12.5 })).Text("at").ShouldEndWith("Z");

        JsonElement row = default;
        await Eventually("its figures are written", async () =>
            (row = await FindAsync(hub.Id)).ValueKind == JsonValueKind.Object && row.TryGetProperty("roundTripMs", out var trip) && trip.ValueKind == JsonValueKind.Number && row.Number("eventsSent") == 1);
        row.Names().ShouldBe([
            "id", "userId", "apps", "node", "transport", "protocol", "remoteAddress", "userAgent", "connectedAt", "lastSeenAt", "roundTripMs", "behind", "eventsSent", "stalls", "subscriptions",
        ]);
        row.Text("userId").ShouldBe(_user);
        row.Items("apps").Select(app => app.GetString()).ShouldBe([WorkBuddy]);
        (row.Text("transport"), row.Text("protocol"), row.Text("remoteAddress")).ShouldBe(("webSockets", "json", "127.0.0.1"));
        row.Text("node").ShouldBe(Hub.Get<NodeIdentity>().Id);
        row.At("roundTripMs").GetDouble().ShouldBe(12.5);
        row.At("lastSeenAt").GetDateTimeOffset().ShouldBeGreaterThan(row.At("connectedAt").GetDateTimeOffset());
        var subscription = row.Items("subscriptions").ShouldHaveSingleItem();
        subscription.Text("app").ShouldBe(WorkBuddy);
        subscription.Items("topics").Select(topic => topic.GetString()).ShouldBe([_topic]);
        var stream = subscription.At("streams", $"{WorkBuddy}/topics/{_topic}");
        (stream.Number("head"), stream.Number("position"), stream.Number("pushed"), stream.Number("acked")).ShouldBe((1, 1, 1, 1));

        await hub.StopAsync();
        await ClosedAsync(hub.Id, "client");
        var closed = await FindAsync(hub.Id);
        closed.At("subscriptions").GetRawText().ShouldContain(_topic, customMessage: "where it stood is kept");
        closed.At("closedAt").GetDateTimeOffset().ShouldBeGreaterThanOrEqualTo(closed.At("connectedAt").GetDateTimeOffset());
    }

    [Fact]
    public async Task Connections_OfEachTransport_AreToldApart()
    {
        foreach (var (transport, name) in new[] { (HttpTransportType.ServerSentEvents, "serverSentEvents"), (HttpTransportType.LongPolling, "longPolling"), (HttpTransportType.WebSockets, "webSockets") })
        {
            await using var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy), transport);
            await OpenAsync(hub.Id);
            (await ListAsync($"userId={_user}&transport={name}")).Items("items").Ids().ShouldBe([hub.Id]);
            await hub.StopAsync();
            await ClosedAsync(hub.Id, "client");
        }
    }

    [Fact]
    public async Task WhyAConnectionWent_IsSaid()
    {
        var cut = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await Eventually("it is listed", async () => (await ListAsync($"userId={_user}")).Number("total") == 1);
        var id = (await ListAsync($"userId={_user}")).Items("items")[0].Text("id");
        await cut.SendJsonAsync("""{"type":7,"error":"I have failed"}""");
        await ClosedAsync(id, "aborted");
        await cut.DisposeAsync();

        var expiring = Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy], Lifetime = TimeSpan.FromSeconds(2) });
        await using var hub = await HubClient.ConnectAsync(Hub.Address, expiring);
        await ClosedAsync(hub.Id, "token_expired");

        var own = await StartHubAsync(new Dictionary<string, string?> { ["Limits:ConnectionsPerUser"] = "1" });
        await using var first = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        await using var second = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        await second.Closed.Soon("the second is closed");
        await Eventually("the second is refused", async () =>
            (await own.As(Tokens.Admin()).GetAsync($"{Connections}?state=closed")).ShouldBe(200).Items("items") is [var row] && row.Text("closeReason") == "limit_exceeded");
    }

    [Fact]
    public async Task Pages_AreKeysets_NewestFirst_WithATotal()
    {
        var hubs = new List<HubClient>();
        for (var i = 0; i < 5; i++)
            hubs.Add(await ConnectAsync(_user));
        await Eventually("all are listed", async () => (await ListAsync($"userId={_user}")).Number("total") == 5);
        var ids = new List<string>();
        string? next = null;
        do
        {
            var page = await ListAsync($"userId={_user}&limit=2" + (next is null ? "" : $"&after={next}"));
            page.Number("total").ShouldBe(5);
            ids.AddRange(page.Items("items").Ids());
            next = page.Text("next");
        }
        while (next is not null);
        ids.ShouldBe(hubs.Select(hub => hub.Id).Reverse());

        await hubs[0].StopAsync();
        await ClosedAsync(hubs[0].Id, "client");
        (await ListAsync($"userId={_user}")).Number("total").ShouldBe(4);
        (await ListAsync($"userId={_user}&state=closed")).Items("items").Ids().ShouldBe([hubs[0].Id]);
        (await ListAsync($"userId={_user}&state=all")).Number("total").ShouldBe(5);
        foreach (var hub in hubs)
            await hub.DisposeAsync();
    }

    [Fact]
    public async Task AConnectionsApp_IsWhatItIsSubscribedTo()
    {
        await using var hub = await ConnectAsync(_user);
        await OpenAsync(hub.Id);
        (await ListAsync($"app={WorkBuddy}&userId={_user}")).Number("total").ShouldBe(0);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await Eventually("it is the app's", async () => (await ListAsync($"app={WorkBuddy}&userId={_user}")).Number("total") == 1);
        await hub.InvokeAsync("Unsubscribe", WorkBuddy);
        await Eventually("it no longer is", async () => (await ListAsync($"app={WorkBuddy}&userId={_user}")).Number("total") == 0);
    }

    [Fact]
    public async Task AnOperator_DisconnectsAConnection_AndOnlyThat()
    {
        await using var hub = await ConnectAsync(_user);
        await using var other = await ConnectAsync(_user);
        await OpenAsync(other.Id);
        (await Admin.DeleteAsync($"{Connections}/{hub.Id}")).ShouldBe(200).Number("disconnected").ShouldBe(1);
        (await hub.Closed.Soon("it is closed")).ShouldNotBeNull().Message.ShouldContain("disconnected: ");
        await ClosedAsync(hub.Id, "disconnected");
        (await Admin.DeleteAsync($"{Connections}/{hub.Id}")).ShouldBeProblem(404, "not_found");
        other.Closed.IsCompleted.ShouldBeFalse();
        await AuditedAsync("disconnect_connection", hub.Id);
    }

    [Fact]
    public async Task AnOperator_DisconnectsAUser_OfOneApp_OrOfAll()
    {
        await using var subscribed = await ConnectAsync(_user);
        await using var other = await ConnectAsync(_user);
        await using var stranger = await ConnectAsync(New("user"));
        await subscribed.SubscribeAsync(new { app = WorkBuddy });
        (await Admin.PostAsync(Disconnect(_user), new { app = LiveMixers })).ShouldBe(200).Number("disconnected").ShouldBe(0);
        var answer = (await Admin.PostAsync(Disconnect(_user), new { app = WorkBuddy, reason = "noisy" })).ShouldBe(200);
        (answer.Number("disconnected"), answer.At("blockedUntil").ValueKind).ShouldBe((1, JsonValueKind.Null));
        await subscribed.Closed.Soon("it is closed");
        other.Closed.IsCompleted.ShouldBeFalse();
        (await Admin.PostAsync(Disconnect(_user), new { })).ShouldBe(200).Number("disconnected").ShouldBe(1);
        await other.Closed.Soon("it is closed");
        stranger.Closed.IsCompleted.ShouldBeFalse();
        await using var again = await ConnectAsync(_user);
        await AuditedAsync("disconnect_user", _user);
    }

    [Fact]
    public async Task ABlockedUser_IsRefusedEverywhere_UntilItIsLifted()
    {
        var me = As(Tokens.User(_user, WorkBuddy));
        await using var hub = await ConnectAsync(_user);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await using var stream = await me.OpenStreamAsync($"app={WorkBuddy}");
        var cursor = (await me.PollAsync(new { app = WorkBuddy })).ShouldBe(200).At("cursor");
        var polling = me.PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 });
        await Eventually("the poll is held", () => Hub.Get<Core.Sessions.SessionFactory>().Running.Any(session => session.Id == $"poll:{_user}"));

        var answer = (await Admin.PostAsync(Disconnect(_user), new { blockSeconds = 600, reason = "spam" })).ShouldBe(200);
        answer.Number("disconnected").ShouldBeInRange(0, 1, "the block may have ended the session first");
        answer.At("blockedUntil").GetDateTimeOffset().ShouldBeGreaterThan(TimeProvider.System.GetUtcNow().AddSeconds(500));
        (await hub.Closed.Soon("the connection is closed")).ShouldNotBeNull().Message.ShouldContain("user_blocked: ");
        await ClosedAsync(hub.Id, "user_blocked");
        (await polling.Soon("the poll ends")).ShouldBeProblem(403, "user_blocked");
        await Eventually("the stream ends", async () => await stream.ReadAnyAsync() is null);
        await BlockedAsync(Hub, _user);

        var block = (await Admin.GetAsync("/api/v1/admin/blocks")).ShouldBe(200).Items("items").Single(item => item.Text("userId") == _user);
        (block.Text("reason"), block.Text("createdBy")).ShouldBe(("spam", "root"));
        await using (await ConnectAsync(New("user")))
        {
        }

        (await Admin.DeleteAsync($"/api/v1/admin/users/{_user}/block")).ShouldBe(204);
        (await Admin.DeleteAsync($"/api/v1/admin/users/{_user}/block")).ShouldBeProblem(404, "not_found");
        await using var back = await ConnectAsync(_user);
        await back.SubscribeAsync(new { app = WorkBuddy });
        await AuditedAsync("block_user", _user);
        await AuditedAsync("unblock_user", _user);
    }

    [Fact]
    public async Task ABlock_LapsesByItself()
    {
        (await Admin.PostAsync(Disconnect(_user), new { blockSeconds = 2 })).ShouldBe(200);
        (await As(Tokens.User(_user, WorkBuddy)).GetAsync("/api/v1/apps")).ShouldBeProblem(403, "user_blocked");
        await Eventually("the user is let in again", async () => (await As(Tokens.User(_user, WorkBuddy)).GetAsync("/api/v1/apps")).Status == 200);
        await using var hub = await ConnectAsync(_user);
        (await Admin.GetAsync("/api/v1/admin/blocks")).ShouldBe(200).Items("items").ShouldNotContain(item => item.Text("userId") == _user);
    }

    [Fact]
    public async Task AnApiKey_IsNoUser_AndIsNotBlocked()
    {
        var made = (await Admin.PostAsync("/api/v1/admin/api-keys", new { name = _user, apps = new[] { WorkBuddy } })).ShouldBe(201);
        var sub = $"key:{Guid.Parse(made.Text("id")):N}";
        (await Admin.PostAsync(Disconnect(sub), new { blockSeconds = 60 })).ShouldBe(200);
        (await As(made.Text("key")).PublishAsync(Draft(_user))).ShouldBe(201);
    }

    [Fact]
    public async Task Presence_SaysWhoIsThere_AndThenWhoComesAndGoes()
    {
        await using var hub = await FollowAsync(_user);
        var present = await PresentAsync(hub, _topic, users => users.Contains(_user));
        present.Number("total").ShouldBe(1);
        var me = present.Items("users").ShouldHaveSingleItem();
        (me.Text("userId"), me.Number("connections")).ShouldBe((_user, 1));
        me.At("since").GetDateTimeOffset().ShouldBeLessThan(TimeProvider.System.GetUtcNow().AddSeconds(5));

        var other = New("user");
        await using var first = await FollowAsync(other);
        await Eventually("the other has joined", () => Joined(hub).Contains(other));
        var second = await FollowAsync(other);
        await PresentAsync(hub, _topic, users => users.Count == 2, of => of.Any(user => user.Text("userId") == other && user.Number("connections") == 2));
        await second.DisposeAsync();
        await PresentAsync(hub, _topic, users => users.Count == 2, of => of.Any(user => user.Text("userId") == other && user.Number("connections") == 1));
        Left(hub).ShouldBeEmpty("one of two connections is not the user");
        await first.DisposeAsync();
        await Eventually("the other has left", () => Left(hub).Contains(other));
        Joined(hub).Count(user => user == other).ShouldBe(1, "two connections are one user");

        var signal = hub.Signals.First();
        (signal.Text("app"), signal.Text("topic"), signal.Text("name")).ShouldBe((WorkBuddy, _topic, "presence"));
        signal.At("data").Names().ShouldBe(["joined", "left", "total"]);
    }

    [Fact]
    public async Task Presence_OfATopic_IsNotTheApps_AndNotAnothers()
    {
        await using var hub = await FollowAsync(_user);
        await PresentAsync(hub, _topic, users => users.Contains(_user));
        var elsewhere = New("user");
        await using var other = await ConnectAsync(elsewhere);
        await other.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic + "-2" } });
        await using var own = await ConnectAsync(New("user"), WorkBuddy);
        await own.SubscribeAsync(new { app = WorkBuddy });
        await PresentAsync(own, null, users => users.Contains(_user) && users.Contains(elsewhere));
        (await hub.InvokeAsync("Presence", new { app = WorkBuddy, topic = _topic })).Items("users").Select(user => user.Text("userId")).ShouldBe([_user]);
        Joined(hub).ShouldNotContain(elsewhere);
    }

    [Fact]
    public async Task Presence_IsForWhoMayFollow()
    {
        await using var hub = await ConnectAsync(_user);
        await hub.RefusedAsync("app_forbidden", "Presence", new { app = LiveMixers });
        await hub.RefusedAsync("topic_forbidden", "Presence", new { app = WorkBuddy, topic = "leads-1" });
        await hub.RefusedAsync("topic_forbidden", "Presence", new { app = WorkBuddy, topic = "undeclared" });
        (await hub.RefusedAsync("invalid", "Presence", new { app = WorkBuddy, topic = "no topic" })).ShouldContain("\"/topic\"");
        (await hub.RefusedAsync("invalid", "Presence", new { app = "No App" })).ShouldContain("\"/app\"");
        await hub.RefusedAsync("invalid", "Presence", new { });
        await hub.RefusedAsync("invalid", "Presence", (object?)null);
        await hub.RefusedAsync("malformed", "Presence", "work-buddy");
        await hub.RefusedAsync("malformed", "Presence");
    }

    [Fact]
    public async Task WhoUnsubscribes_WatchesNoLonger()
    {
        await using var hub = await FollowAsync(_user);
        await using var watching = await FollowAsync(New("user"));
        await PresentAsync(hub, _topic, users => users.Count == 2);
        await PresentAsync(watching, _topic, users => users.Count == 2);
        await hub.InvokeAsync("Unsubscribe", WorkBuddy);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await Eventually("the one who watches sees it go", () => Left(watching).Contains(_user));
        var last = New("user");
        await using var other = await FollowAsync(last);
        await Eventually("the one who watches sees another come", () => Joined(watching).Contains(last));
        Joined(hub).ShouldNotContain(last);
        Left(hub).ShouldBeEmpty();
    }

    [Fact]
    public async Task Ping_TakesMillisecondsWithinReason()
    {
        await using var hub = await ConnectAsync(_user);
        await hub.InvokeAsync("Ping", new { });
        await hub.InvokeAsync("Ping", new { roundTripMs = 0 });
        await hub.InvokeAsync("Ping", new { roundTripMs = 600_000 });
        (await hub.RefusedAsync("invalid", "Ping", new { roundTripMs = -1 })).ShouldContain("\"/roundTripMs\"");
        await hub.RefusedAsync("invalid", "Ping", new { roundTripMs = 600_001 });
        await hub.RefusedAsync("invalid", "Ping", new { roundTripMs = 1e300 });
        await hub.RefusedAsync("malformed", "Ping", new { roundTripMs = "fast" });
    }

    [Fact]
    public async Task TheOverview_AddsUp()
    {
        await using var hub = await FollowAsync(_user);
        (await Publisher.PublishAsync(Draft(_user))).ShouldBe(201);
        JsonElement overview = default;
        await Eventually("the node has said so", async () => (overview = (await Admin.GetAsync("/api/v1/admin/overview")).ShouldBe(200)).Items("perNode")[0].Number("figures", "connections") > 0
            && overview.Items("apps").Any(app => app.Text("app") == WorkBuddy) && overview.At("pushLatencyMs").ValueKind == JsonValueKind.Object);
        overview.Number("nodes").ShouldBe(1);
        overview.Number("connections").ShouldBeGreaterThan(0);
        overview.Number("users").ShouldBeGreaterThan(0);
        overview.At("pushLatencyMs", "p99").GetDouble().ShouldBeGreaterThan(0);
        overview.Text("store").ShouldBe(Fixture is PostgresHub ? "postgres" : "sqlite");
        overview.At("redis").Names().ShouldBeEmpty();
        foreach (var number in new[] { "behind", "retrying", "deadLetters", "waitingForRouting" })
            overview.Number(number).ShouldBeGreaterThanOrEqualTo(0);
        var node = (await Admin.GetAsync("/api/v1/admin/nodes")).ShouldBe(200).Items("items")[0];
        (node.Text("id"), node.Flag("alive")).ShouldBe((Hub.Get<NodeIdentity>().Id, true));
        node.At("figures", "workingSetMb").GetDouble().ShouldBeGreaterThan(1);
        node.Text("figures", "version").ShouldBe(Hub.Get<NodeIdentity>().Version);
    }

    [Fact]
    public async Task ANodeThatCannotDrain_SaysSo_AndAnUnknownOneIsNotFound()
    {
        var own = await StartHubAsync();
        var admin = own.As(Tokens.Admin());
        var id = own.Get<NodeIdentity>().Id;
        own.Get<NodeCommands>().Handle(NodeCommandKinds.Resume, _ => throw new InvalidOperationException("It cannot."));
        await Eventually("the node is entered", async () =>
            (await admin.GetAsync("/api/v1/admin/nodes")).ShouldBe(200).Items("items").Any(node => node.Text("id") == id && node.Flag("alive")));
        (await admin.DeleteAsync($"/api/v1/admin/nodes/{id}/drain")).ShouldBeProblem(409, "conflict");
        own.Get<NodeCommands>().Handle(NodeCommandKinds.Resume, _ => Task.FromResult(7));
        (await admin.DeleteAsync($"/api/v1/admin/nodes/{id}/drain")).ShouldBe(200).Number("connections").ShouldBe(7);
        (await admin.PostAsync("/api/v1/admin/nodes/nobody/drain", "")).ShouldBeProblem(404, "not_found");
    }

    [Fact]
    public async Task Garbage_IsRefusedWithItsPlace()
    {
        foreach (var (query, pointer) in new[]
        {
            ("app=No+App", "/app"), ("userId=a/b", "/userId"), ("userId=%00", "/userId"), ("node=a.b", "/node"), ("node=%00", "/node"), ("transport=pigeon", "/transport"),
            ("state=ajar", "/state"), ("limit=0", "/limit"), ("limit=201", "/limit"), ("limit=x", "/limit"), ("after=x", "/after"), ("after=99999999999999999999_x", "/after"),
            ("after=999999999999999999_x", "/after"), ("after=1_%00", "/after"), ("after=1_", "/after"), ("after=-1_x", "/after"),
        })
            (await Admin.GetAsync($"{Connections}?{query}")).ShouldBeProblem(422, "invalid", pointer);
        foreach (var id in new[] { "nobody", "a%20b", new string('x', 500) })
        {
            (await Admin.GetAsync($"{Connections}/{id}")).ShouldBeProblem(404, "not_found");
            (await Admin.DeleteAsync($"{Connections}/{id}")).ShouldBeProblem(404, "not_found");
            (await Admin.DeleteAsync($"/api/v1/admin/users/{id}/block")).ShouldBeProblem(404, "not_found");
        }

        foreach (var (body, pointer) in new (object, string)[]
        {
            (new { app = "No App" }, "/app"), (new { blockSeconds = 0 }, "/blockSeconds"), (new { blockSeconds = -1 }, "/blockSeconds"), (new { blockSeconds = 2_592_001 }, "/blockSeconds"),
            (new { blockSeconds = "long" }, "/blockSeconds"), (new { blockSeconds = 1.5 }, "/blockSeconds"), (new { blockSeconds = 60, app = WorkBuddy }, "/blockSeconds"),
            (new { reason = new string('x', 501) }, "/reason"), (new { reason = "\0" }, "/reason"), ("[]", ""),
        })
            (await Admin.PostAsync(Disconnect(_user), body)).ShouldBeProblem(422, "invalid", pointer);
        (await Admin.PostAsync(Disconnect("a%20b"), new { })).ShouldBeProblem(422, "invalid", "/id");
        (await Admin.PostAsync(Disconnect(_user), "{")).ShouldBeProblem(400, "malformed");
    }

    [Fact]
    public async Task WhoIsNoAdmin_IsRefused()
    {
        foreach (var caller in new[] { AsUser(_user), Publisher })
        {
            foreach (var path in new[] { "overview", "nodes", "connections", "connections/x", "blocks" })
                (await caller.GetAsync($"/api/v1/admin/{path}")).ShouldBeProblem(403, "forbidden");
            foreach (var path in new[] { "connections/x", "users/ada/block", "nodes/x/drain" })
                (await caller.DeleteAsync($"/api/v1/admin/{path}")).ShouldBeProblem(403, "forbidden");
            foreach (var path in new[] { "users/ada/disconnect", "nodes/x/drain" })
                (await caller.PostAsync($"/api/v1/admin/{path}", new { })).ShouldBeProblem(403, "forbidden");
        }
    }

    [Fact]
    public async Task WhatHasBeenGoneForLong_IsForgotten()
    {
        await using var context = Hub.Get<RealtimeDatabase>().ForService();
        var now = StoreTime.Truncate(TimeProvider.System.GetUtcNow());
        context.WebsocketConnections.AddRange(Row("old", now.AddDays(-8)), Row("young", now.AddDays(-6)), Row("open", null));
        context.Nodes.AddRange(Node("old", now.AddDays(-8)), Node("young", now.AddDays(-6)));
        context.NodeCommands.AddRange(Command(now.AddDays(-2)), Command(now.AddHours(-2)));
        await context.SaveChangesAsync(TestContext.Current.CancellationToken);

        await Hub.Get<Retention>().RunOnceAsync(TestContext.Current.CancellationToken);

        (await context.WebsocketConnections.Where(row => row.UserId == _user).Select(row => row.Id).ToListAsync(TestContext.Current.CancellationToken))
            .ShouldBe([_user + "-young", _user + "-open"], ignoreOrder: true);
        (await context.Nodes.Where(row => row.Version == _user).Select(row => row.Id).ToListAsync(TestContext.Current.CancellationToken)).ShouldBe([_user + "-young"]);
        (await context.NodeCommands.CountAsync(row => row.Target == _user, TestContext.Current.CancellationToken)).ShouldBe(1);

        // The nodes do not beat: what is open on one that has gone is closed by the others.
        WebsocketConnectionRow Row(string id, DateTimeOffset? closedAt) => new()
        {
            Id = $"{_user}-{id}", NodeId = "never-was", UserId = _user, Apps = [], Transport = "webSockets", Protocol = "json", ConnectedAt = now.AddDays(-9), LastSeenAt = now.AddDays(-9),
            Subscriptions = "[]", Scopes = [], ClosedAt = closedAt, CloseReason = "client",
        };
        NodeRow Node(string id, DateTimeOffset gone) => new()
        {
            Id = $"{_user}-{id}", Instance = Guid.CreateVersion7(now), Version = _user, StartedAt = gone, HeartbeatAt = gone, Figures = "{}", StoppedAt = gone,
        };
        NodeCommandRow Command(DateTimeOffset at) => new() { Id = Guid.CreateVersion7(at), NodeId = "never-was", Kind = "disconnect", Target = _user, CreatedAt = at };
    }

    private protected static async Task BlockedAsync(HubHost on, string user)
    {
        var token = Tokens.User(user, WorkBuddy);
        var me = on.As(token);
        var refused = await me.GetAsync("/api/v1/apps");
        refused.ShouldBeProblem(403, "user_blocked");
        refused.RetryAfter.ShouldBeGreaterThan(100);
        (await me.PollAsync(new { app = WorkBuddy })).ShouldBeProblem(403, "user_blocked");
        (await me.GetAsync($"{ApiCaller.Events}/stream?app={WorkBuddy}")).ShouldBeProblem(403, "user_blocked");
        (await me.PublishAsync(Draft(user))).ShouldBeProblem(403, "user_blocked");
        (await me.PostAsync("/hubs/realtime/negotiate?negotiateVersion=1", "")).ShouldBeProblem(403, "user_blocked");
        (await me.GetAsync("/api/v1/admin/blocks")).ShouldBeProblem(403, "user_blocked");
        await Should.ThrowAsync<Exception>(HubClient.ConnectAsync(on.Address, token));
        (await Record.ExceptionAsync(async () => await RawClient.ConnectAsync(on.Address, token))).ShouldNotBeNull("a WebSocket without negotiation").Message.ShouldContain("403");
    }

    private static string Disconnect(string user) => $"/api/v1/admin/users/{user}/disconnect";

    private static List<string> Joined(HubClient hub) => [.. hub.Signals.SelectMany(signal => signal.Items("data", "joined")).Select(user => user.Text("userId"))];

    private static List<string> Left(HubClient hub) => [.. hub.Signals.SelectMany(signal => signal.Items("data", "left")).Select(user => user.GetString()!)];

    private static async Task<JsonElement> PresentAsync(
        HubClient hub, string? topic, Func<IReadOnlyList<string>, bool> until, Func<IReadOnlyList<JsonElement>, bool>? and = null)
    {
        JsonElement answer = default;
        await Eventually("those are present", async () =>
        {
            answer = await hub.InvokeAsync("Presence", new { app = WorkBuddy, topic });
            return until([.. answer.Items("users").Select(user => user.Text("userId"))]) && and?.Invoke(answer.Items("users")) != false;
        });
        return answer;
    }

    private async Task<HubClient> FollowAsync(string user)
    {
        var hub = await ConnectAsync(user);
        await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        return hub;
    }

    private Task<HubClient> ConnectAsync(string user, string app = WorkBuddy) => HubClient.ConnectAsync(Hub.Address, Tokens.User(user, app));

    private async Task<JsonElement> ListAsync(string query) => (await Admin.GetAsync($"{Connections}?{query}")).ShouldBe(200);

    private async Task<JsonElement> FindAsync(string id) => (await Admin.GetAsync($"{Connections}/{id}")) is { Status: 200 } found ? found.Json : default;

    private Task OpenAsync(string id) => Eventually("it is registered", async () => (await Admin.GetAsync($"{Connections}/{id}")).Status == 200);

    private async Task ClosedAsync(string id, string reason)
    {
        var row = default(JsonElement);
        await Eventually("it is closed", async () => (row = await FindAsync(id)).ValueKind == JsonValueKind.Object && row.TryGetProperty("closeReason", out _));
        row.Text("closeReason").ShouldBe(reason);
    }

    private async Task AuditedAsync(string action, string target)
    {
        await using var context = Hub.Get<RealtimeDatabase>().ForService();
        var rows = await context.AdminAudit.Where(row => row.Action == action && row.Target == target).ToListAsync(TestContext.Current.CancellationToken);
        rows.ShouldNotBeEmpty();
        rows.ShouldAllBe(row => row.Actor == "root");
    }
}
