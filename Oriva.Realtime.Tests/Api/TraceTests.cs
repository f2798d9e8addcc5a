using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>Traces and timelines over HTTP.</summary>
public sealed class TraceTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private readonly string _user = New("user");

    [Fact]
    public async Task ATrace_HasTheContractsForm()
    {
        (await AsUser(_user).GetAsync($"/api/v1/notifications?app={WorkBuddy}")).ShouldBe(200); // makes a member
        var id = New("event");
        (await Publisher.PublishAsync(new { source = WorkBuddy, type = "task.assigned", id, userId = _user, data = new { taskId = "t-1", title = "Ship it", assignedBy = "bob" } })).ShouldBe(201);
        await RoutedAsync(id);

        var trace = (await Admin.GetAsync(Path(id, _user))).ShouldBe(200);
        trace.Names().ShouldBe(["event", "apps", "notShared", "user"]);
        trace.At("event").Names().ShouldBe(["id", "source", "type", "userId", "topic", "actor", "time", "recordedAt", "kept"]);
        var app = trace.Items("apps").ShouldHaveSingleItem();
        app.Names().ShouldBe(["app", "stream", "seq", "recordedAt", "manifestVersion", "rules", "routing"]);
        (app.Number("manifestVersion"), app.Text("routing")).ShouldBe((1, "done"));
        app.Items("rules").ShouldHaveSingleItem().GetRawText().ShouldBe("""{"rule":"task-assigned","matched":true,"reason":"notified"}""");
        var user = trace.At("user");
        user.Names().ShouldBe(["userId", "verdict", "reason", "explanation", "missing", "steps"]);
        (user.Text("verdict"), user.Text("reason")).ShouldBe(("notified", "in_app"), trace.GetRawText());
        user.Items("steps").ShouldContain(step => step.Text("step") == "delivery" && step.Text("channel") == "in_app" && step.Text("status") == "delivered");

        var counted = (await Admin.GetAsync(Path(id))).ShouldBe(200);
        counted.Names().ShouldBe(["event", "apps", "notShared", "user", "recipients"]);
        counted.At("user").ValueKind.ShouldBe(JsonValueKind.Null);
        counted.At("recipients").GetRawText().ShouldBe("""{"delivered":1}""");
    }

    [Fact]
    public async Task Traces_AreForAdminsOnly()
    {
        var id = New("event");
        (await Publisher.PublishAsync(Draft(_user, id: id))).ShouldBe(201);
        foreach (var path in new[] { Path(id), Path(id, _user), $"/api/v1/admin/users/{_user}/timeline" })
        {
            (await AsUser(_user).GetAsync(path)).Status.ShouldBe(403, path);
            (await Publisher.GetAsync(path)).Status.ShouldBe(403, path);
            (await As(null).GetAsync(path)).Status.ShouldBe(401, path);
            (await Admin.GetAsync(path)).ShouldBe(200);
        }

        (await Admin.GetAsync(Path("no-such-event"))).ShouldBeProblem(404, "not_found");
        (await Admin.GetAsync($"/api/v1/admin/events/{LiveMixers}/{id}/trace")).ShouldBeProblem(404, "not_found");
        (await Admin.GetAsync(Path(id, "a%20b"))).ShouldBeProblem(422, "invalid", "/userId");
    }

    [Fact]
    public async Task ATimeline_GoesOnWhereThePageBeforeEnded()
    {
        var ids = Enumerable.Range(0, 5).Select(_ => New("event")).ToList();
        (await AsUser(_user).GetAsync($"/api/v1/notifications?app={WorkBuddy}")).ShouldBe(200);
        foreach (var id in ids)
            (await Publisher.PublishAsync(Draft(_user, id: id))).ShouldBe(201);

        var path = $"/api/v1/admin/users/{_user}/timeline?app={WorkBuddy}&limit=3";
        var first = (await Admin.GetAsync(path)).ShouldBe(200);
        var second = (await Admin.GetAsync($"{path}&after={first.Text("next")}")).ShouldBe(200);
        first.Names().ShouldBe(["items", "next"]);
        first.Items("items").Concat(second.Items("items")).Select(item => item.Text("event", "id")).ShouldBe(Enumerable.Reverse(ids));
        second.At("next").ValueKind.ShouldBe(JsonValueKind.Null);

        (await Admin.GetAsync($"{path}&from=yesterday")).ShouldBeProblem(422, "invalid", "/from");
        (await Admin.GetAsync($"{path}&to=tomorrow")).ShouldBeProblem(422, "invalid", "/to");
        (await Admin.GetAsync($"{path}0000")).ShouldBeProblem(422, "invalid", "/limit");
        (await Admin.GetAsync($"{path}&from=2020-01-01T00:00:00Z")).ShouldBeProblem(422, "invalid", "/from");
        (await Admin.GetAsync($"{path}&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00%2B01:00")).ShouldBe(200).Items("items").ShouldBeEmpty();
    }

    private static string Path(string id, string? user = null) => $"/api/v1/admin/events/{WorkBuddy}/{id}/trace" + (user is null ? "" : $"?userId={user}");

    private Task RoutedAsync(string id) => Waiting.Eventually("it is routed", async () =>
        (await Admin.GetAsync(Path(id, _user))).ShouldBe(200).At("user").Text("verdict") == "notified");
}
