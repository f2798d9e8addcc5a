using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class NotificationTests(ApiFixture fixture) : NotificationSpecification(fixture), IClassFixture<ApiFixture>;

public sealed class NotificationOnPostgresTests(PostgresHub fixture) : NotificationSpecification(fixture), IClassFixture<PostgresHub>;

public abstract class NotificationSpecification(HubFixture fixture) : HubTests(fixture)
{
    private const string Notifications = "/api/v1/notifications";

    private readonly string _user = New("user");

    [Fact]
    public async Task AnEventOfARule_IsInTheInbox_IsMarked_AndTellsWhatBecameOfIt()
    {
        (await AsUser(_user).GetAsync($"{Notifications}/counts?app={WorkBuddy}")).ShouldBe(200).GetRawText().ShouldBe("""{"total":0,"unread":0,"unseen":0,"rev":0}""");
        var receipt = (await Publisher.PublishAsync(Assigned())).ShouldBe(201);
        var page = await InboxAsync(1);

        var item = page.Items("items").ShouldHaveSingleItem();
        item.Names().ShouldBe([
            "id", "app", "userId", "type", "title", "body", "link", "image", "actions", "data", "event", "status", "createdAt", "seenAt", "readAt", "archivedAt"], ignoreOrder: true);
        (item.Text("type"), item.Text("app"), item.Text("userId"), item.Text("status")).ShouldBe(("task.assigned", WorkBuddy, _user, "delivered"));
        (item.Text("event", "source"), item.Text("event", "id")).ShouldBe((WorkBuddy, receipt.Text("id")));
        page.At("next").ValueKind.ShouldBe(JsonValueKind.Null);
        page.At("counts").GetRawText().ShouldBe("""{"total":1,"unread":1,"unseen":1,"rev":1}""");

        var id = item.Text("id");
        foreach (var (verb, field, set) in new[] { ("seen", "seenAt", true), ("read", "readAt", true), ("unread", "readAt", false), ("archive", "archivedAt", true), ("unarchive", "archivedAt", false) })
            (await AsUser(_user).PostAsync($"{Notifications}/{id}/{verb}", "")).ShouldBe(200).At(field).ValueKind.ShouldBe(set ? JsonValueKind.String : JsonValueKind.Null, verb);
        (await AsUser(_user).PostAsync($"{Notifications}/read-all", new { app = WorkBuddy })).ShouldBe(200).Number("counts", WorkBuddy, "unread").ShouldBe(0);

        IReadOnlyList<JsonElement> deliveries = [];
        await Waiting.Eventually("no browser of the user is known", async () =>
        {
            deliveries = (await AsUser(_user).GetAsync($"{Notifications}/{id}/deliveries")).ShouldBe(200).Items("items");
            return deliveries.Any(delivery => (delivery.Text("channel"), delivery.Text("status")) == ("push", "suppressed"));
        });
        deliveries.Select(delivery => (delivery.Text("channel"), delivery.Text("status"))).ShouldBe([
            ("email", "suppressed"), ("in_app", "delivered"), ("push", "suppressed"), ("websocket", "pending")]);
        deliveries[0].Names().ShouldBe(["id", "channel", "target", "status", "reason", "attempts", "nextAttemptAt", "lastError", "sentAt", "deliveredAt", "history"], ignoreOrder: true);
        (await Publisher.GetAsync($"{Notifications}/{id}/deliveries")).ShouldBe(200);
    }

    [Fact]
    public async Task WhatIsNotTheCallers_IsNotFound()
    {
        (await AsUser(_user).GetAsync($"{Notifications}?app={WorkBuddy}")).ShouldBe(200); // makes a member
        (await Publisher.PublishAsync(Assigned())).ShouldBe(201);
        var id = (await InboxAsync(1)).Items("items")[0].Text("id");
        var eve = AsUser(New("eve"));

        (await eve.PostAsync($"{Notifications}/{id}/read", "")).ShouldBeProblem(404, "not_found");
        (await eve.GetAsync($"{Notifications}/{id}/deliveries")).ShouldBeProblem(404, "not_found");
        (await As(Tokens.Publisher(HugoLove)).GetAsync($"{Notifications}/{id}/deliveries")).ShouldBeProblem(404, "not_found");
        (await Publisher.PostAsync($"{Notifications}/{id}/read", "")).ShouldBeProblem(404, "not_found");
        (await AsUser(_user).PostAsync($"{Notifications}/no-id/read", "")).ShouldBeProblem(404, "not_found");
        (await AsUser(_user).GetAsync($"{Notifications}?app={HugoLove}")).ShouldBeProblem(403, "app_forbidden");
        (await AsUser(_user).GetAsync($"{Notifications}/counts")).ShouldBeProblem(422, "invalid", "/app");
        (await AsUser(_user).GetAsync($"{Notifications}?app={WorkBuddy}&state=new")).ShouldBeProblem(422, "invalid", "/state");
        (await AsUser(_user).GetAsync($"{Notifications}?app={WorkBuddy}&limit=many")).ShouldBeProblem(422, "invalid", "/limit");
        (await As(null).GetAsync(Notifications)).Status.ShouldBe(401);
        (await AsUser(_user).GetAsync("/api/v1/admin/dead-letters")).Status.ShouldBe(403);
    }

    [Fact]
    public async Task Subscriptions_AreMadeListedAndEnded_AndNotify()
    {
        var topic = New("team");
        var ada = AsUser(_user, WorkBuddy, $"{WorkBuddy}/{topic}");
        var added = (await ada.PostAsync("/api/v1/subscriptions", new
        {
            app = WorkBuddy, type = "task.*", topic, filters = new object[] { new { path = "taskId", op = "eq", value = "t-9" }, new { path = "title", op = "exists" } }, channels = new[] { "in_app" },
        })).ShouldBe(201);
        added.Names().ShouldBe(["id", "app", "userId", "type", "topic", "filters", "channels", "createdAt"], ignoreOrder: true);
        added.Items("filters")[0].Text("path").ShouldBe("taskId");
        (await ada.GetAsync($"/api/v1/subscriptions?app={WorkBuddy}")).ShouldBe(200).Items("items").ShouldHaveSingleItem().Text("id").ShouldBe(added.Text("id"));

        (await Publisher.PublishAsync(new object[] { Draft(topic: topic, task: "t-1"), Draft(topic: topic, task: "t-9") })).ShouldBe(201);
        (await InboxAsync(1)).Items("items").ShouldHaveSingleItem().Text("data", "taskId").ShouldBe("t-9");

        (await AsUser(New("eve")).DeleteAsync($"/api/v1/subscriptions/{added.Text("id")}")).ShouldBeProblem(404, "not_found");
        (await ada.DeleteAsync($"/api/v1/subscriptions/{added.Text("id")}")).ShouldBe(204);
        (await AsUser(_user).PostAsync("/api/v1/subscriptions", new { app = WorkBuddy, type = "*", topic })).ShouldBeProblem(403, "topic_forbidden", "/topic");
        (await AsUser(_user).PostAsync("/api/v1/subscriptions", new { app = WorkBuddy, type = "*", userId = "bob" })).ShouldBeProblem(403, "user_forbidden", "/userId");
        (await AsUser(_user).PostAsync("/api/v1/subscriptions", "[]")).ShouldBeProblem(422, "invalid");
    }

    [Fact]
    public async Task BackEnds_NotifyWithoutAnEvent_OnceById()
    {
        (await AsUser(_user).GetAsync($"{Notifications}?app={WorkBuddy}")).ShouldBe(200);
        var request = new { app = WorkBuddy, userIds = new[] { _user, "nobody-known" }, title = "Back at noon", body = "We are moving.", link = "/status", id = _user + "-n" };

        var sent = (await Publisher.PostAsync(Notifications, request)).ShouldBe(201);
        (sent.Text("id"), sent.Number("notified"), sent.Flag("duplicate")).ShouldBe((_user + "-n", 1, false));
        sent.Items("skipped").Select(user => user.GetString()).ShouldBe(["nobody-known"]);
        (await Publisher.PostAsync(Notifications, request)).ShouldBe(200).Flag("duplicate").ShouldBeTrue();
        (await Publisher.PostAsync(Notifications, request with { title = "Other" })).ShouldBeProblem(409, "id_reused");
        (await AsUser(_user).PostAsync(Notifications, request)).ShouldBeProblem(403, "user_forbidden");
        (await Publisher.PostAsync(Notifications, new { app = WorkBuddy, userIds = Enumerable.Range(0, 1_001).Select(i => $"u{i}"), title = "t" })).ShouldBeProblem(413, "too_large", "/userIds");
        (await Publisher.PostAsync(Notifications, new { app = WorkBuddy })).ShouldBeProblem(422, "invalid", "/userIds", "/title");

        (await InboxAsync(1)).Items("items").ShouldHaveSingleItem().At("event").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Fact]
    public async Task Preferences_AreReadAndPut()
    {
        const string Preferences = $"/api/v1/preferences?app={WorkBuddy}";
        var matrix = (await AsUser(_user).GetAsync(Preferences)).ShouldBe(200);
        matrix.Names().ShouldBe(["muted", "items", "quietHours"], ignoreOrder: true);
        var assigned = matrix.Items("items").Single(item => item.Text("type") == "task.assigned");
        assigned.Names().ShouldBe(["type", "title", "required", "channels"], ignoreOrder: true);
        assigned.At("channels", "in_app").ValueKind.ShouldBe(JsonValueKind.True);

        var wanted = new { items = new[] { new { type = "task.assigned", channels = new { in_app = false, websocket = false } } }, quietHours = new { from = "22:00", to = "07:00" } };
        (await AsUser(_user).PutAsync(Preferences, wanted)).ShouldBe(200).Text("quietHours", "from").ShouldBe("22:00");
        (await AsUser(_user).GetAsync(Preferences)).ShouldBe(200).Items("items").Single(item => item.Text("type") == "task.assigned").At("channels", "in_app").ValueKind.ShouldBe(JsonValueKind.False);
        (await AsUser(_user).PutAsync(Preferences, new { muted = true })).ShouldBe(200).At("quietHours").ValueKind.ShouldBe(JsonValueKind.Null, "put is the whole of it");

        (await AsUser(_user).PutAsync(Preferences, new { items = new[] { new { type = "no.such", channels = new { } } } })).ShouldBeProblem(422, "unknown_type");
        (await AsUser(_user).PutAsync(Preferences, new { quietHours = new { from = "late", to = "07:00" } })).ShouldBeProblem(422, "invalid");
        (await AsUser(_user).PutAsync(Preferences, "[")).ShouldBeProblem(400, "malformed");
        (await AsUser(_user).GetAsync("/api/v1/preferences?app=elsewhere")).ShouldBeProblem(403, "app_forbidden");
    }

    [Fact]
    public async Task BackEnds_ScheduleAndRecall()
    {
        var ada = AsUser(_user);
        (await ada.GetAsync($"{Notifications}?app={WorkBuddy}")).ShouldBe(200); // makes a member
        var later = new { app = WorkBuddy, userIds = new[] { _user }, title = "Later", id = New("later"), sendAt = TimeProvider.System.GetUtcNow().AddHours(1) };
        (await Publisher.PostAsync(Notifications, later)).ShouldBe(201).Text("sendAt").ShouldEndWith("Z");
        (await Publisher.DeleteAsync($"{Notifications}/{later.id}?app={WorkBuddy}")).ShouldBe(200).At("scheduled").ValueKind.ShouldBe(JsonValueKind.True);

        (await Publisher.PostAsync(Notifications, new { app = WorkBuddy, userIds = new[] { _user }, title = "x", sendAt = "2040-01-01T12:00:00" })).ShouldBeProblem(422, "invalid"); // of which zone?

        var now = new { app = WorkBuddy, userIds = new[] { _user }, title = "Now", id = New("now") };
        (await Publisher.PostAsync(Notifications, now)).ShouldBe(201).Number("notified").ShouldBe(1);
        var id = (await InboxAsync(1)).Items("items")[0].Text("id");
        (await ada.DeleteAsync($"{Notifications}/{id}")).ShouldBeProblem(403, "user_forbidden");
        (await Publisher.DeleteAsync($"{Notifications}/{Guid.Empty}")).ShouldBeProblem(404, "not_found");
        (await Publisher.DeleteAsync($"{Notifications}/nonsense")).ShouldBeProblem(404, "not_found");
        var recall = (await Publisher.DeleteAsync($"{Notifications}/{id}")).ShouldBe(200);
        recall.At("scheduled").ValueKind.ShouldBe(JsonValueKind.False);
        recall.Items("notifications").ShouldHaveSingleItem().Items("deliveries").Select(delivery => (delivery.Text("channel"), delivery.Text("outcome"))).ShouldBe([("in_app", "removed"), ("websocket", "removed")], ignoreOrder: true);
        (await ada.GetAsync($"{Notifications}?app={WorkBuddy}")).ShouldBe(200).At("counts").GetRawText().ShouldBe("""{"total":0,"unread":0,"unseen":0,"rev":2}""");
    }

    [Fact]
    public async Task Operators_PauseAndResume_AndSeeDeadLetters()
    {
        var pause = (await Admin.PostAsync("/api/v1/admin/pauses", new { app = HugoLove, channel = "email", reason = "provider is down" })).ShouldBe(201);
        pause.Names().ShouldBe(["id", "app", "rule", "channel", "reason", "createdBy", "createdAt"], ignoreOrder: true);
        (await Admin.GetAsync("/api/v1/admin/pauses")).ShouldBe(200).Items("items").ShouldContain(item => item.Text("id") == pause.Text("id"));
        (await Admin.DeleteAsync($"/api/v1/admin/pauses/{pause.Text("id")}")).ShouldBe(204);
        (await Admin.DeleteAsync($"/api/v1/admin/pauses/{pause.Text("id")}")).ShouldBeProblem(404, "not_found");
        (await Admin.PostAsync("/api/v1/admin/pauses", new { rule = "r", reason = "x" })).ShouldBeProblem(422, "invalid", "/app");
        (await Admin.PostAsync("/api/v1/admin/pauses", new { app = HugoLove })).ShouldBeProblem(422, "invalid", "/reason");
        (await Admin.PostAsync("/api/v1/admin/pauses", new { channel = "websocket", reason = "x" })).ShouldBeProblem(422, "invalid", "/channel");

        var letters = (await Admin.GetAsync("/api/v1/admin/dead-letters")).ShouldBe(200);
        (letters.Items("items").Count, letters.Number("total")).ShouldBe((0, 0));
        (await Admin.GetAsync("/api/v1/admin/dead-letters/groups")).ShouldBe(200).Items("items").ShouldBeEmpty();
        (await Admin.PostAsync("/api/v1/admin/dead-letters/retry", new { app = HugoLove, limit = 10 })).ShouldBe(200).Number("retried").ShouldBe(0);
        (await Admin.PostAsync("/api/v1/admin/dead-letters/retry", new { limit = 0 })).ShouldBeProblem(422, "invalid", "/limit");
        (await Admin.PostAsync($"/api/v1/admin/dead-letters/{Guid.Empty}/retry", "")).ShouldBeProblem(404, "not_found");
        (await Admin.DeleteAsync("/api/v1/admin/dead-letters/x")).ShouldBeProblem(404, "not_found");
    }

    [Fact]
    public async Task Operators_RetryAndDiscardDeadLetters()
    {
        var rule = New("rule");
        var (first, second, third) = (await AddDeadAsync(rule), await AddDeadAsync(rule), await AddDeadAsync(rule));

        var page = (await Admin.GetAsync($"/api/v1/admin/dead-letters?rule={rule}&limit=2")).ShouldBe(200);
        (page.Number("total"), page.Items("items").Count).ShouldBe((3, 2));
        page.Items("items")[0].Names().ShouldBe(["id", "app", "userId", "notificationId", "event", "rule", "channel", "attempts", "lastError", "failedAt", "history"], ignoreOrder: true);
        page.Items("items")[0].Items("history").ShouldHaveSingleItem().Text("error").ShouldBe("550 gone");
        (await Admin.GetAsync($"/api/v1/admin/dead-letters?rule={rule}&limit=2&after={page.Text("next")}")).ShouldBe(200).Items("items").Count.ShouldBe(1);
        var group = (await Admin.GetAsync($"/api/v1/admin/dead-letters/groups?rule={rule}")).ShouldBe(200).Items("items").ShouldHaveSingleItem();
        (group.Text("lastError"), group.Text("channel"), group.Number("count")).ShouldBe(("550 gone", "email", 3));

        (await Admin.PostAsync($"/api/v1/admin/dead-letters/{first}/retry", "")).ShouldBe(204);
        (await Admin.DeleteAsync($"/api/v1/admin/dead-letters/{second}")).ShouldBe(204);
        (await Admin.PostAsync("/api/v1/admin/dead-letters/retry", new { rule, limit = 5 })).ShouldBe(200).Number("retried").ShouldBe(1);
        (await Admin.GetAsync($"/api/v1/admin/dead-letters?rule={rule}")).ShouldBe(200).Number("total").ShouldBe(0);
        await using var context = Hub.Get<RealtimeDatabase>().ForService();
        (await context.Deliveries.Where(row => row.Rule == rule).ToDictionaryAsync(row => row.Id, row => row.Status, TestContext.Current.CancellationToken)).ShouldBe(
            new Dictionary<Guid, string> { [first] = "pending", [second] = "cancelled", [third] = "pending" }, ignoreOrder: true);
    }

    private async Task<Guid> AddDeadAsync(string rule)
    {
        var now = StoreTime.Truncate(TimeProvider.System.GetUtcNow());
        var row = new NotificationDeliveryRow
        {
            Target = "",
            Id = Guid.CreateVersion7(now), NotificationId = Guid.CreateVersion7(now), App = WorkBuddy, UserId = _user, Rule = rule, Channel = "email", Status = "dead", Attempts = 1,
            LastError = "550 gone", CreatedAt = now, FailedAt = now,
        };
        await using var context = Hub.Get<RealtimeDatabase>().ForService();
        context.Deliveries.Add(row);
        context.DeliveryAttempts.Add(new DeliveryAttemptRow
        {
            Id = Guid.CreateVersion7(now), DeliveryId = row.Id, App = WorkBuddy, UserId = _user, At = now, DurationMs = 3, Outcome = "refused", Error = "550 gone",
        });
        await context.SaveChangesAsync(TestContext.Current.CancellationToken);
        return row.Id;
    }

    private object Assigned(string task = "t-1") => new
    {
        source = WorkBuddy, type = "task.assigned", userId = _user, data = new { taskId = task, title = "Ship it", assigneeId = _user, assignedBy = "bob" },
    };

    private async Task<JsonElement> InboxAsync(int count)
    {
        var page = default(JsonElement);
        await Waiting.Eventually($"{count} notifications", async () =>
        {
            page = (await AsUser(_user).GetAsync($"{Notifications}?app={WorkBuddy}")).ShouldBe(200);
            return page.Items("items").Count >= count;
        });
        return page;
    }
}
