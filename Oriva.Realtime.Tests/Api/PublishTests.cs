using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class PublishTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    [Fact]
    public async Task OneEvent_IsAnswered201WithItsReceipt()
    {
        var user = New("user");
        var receipt = (await Publisher.PublishAsync(Draft(user))).ShouldBe(201);

        receipt.Names().ShouldBe(["id", "stream", "seq", "recordedAt", "duplicate"], ignoreOrder: true);
        Guid.Parse(receipt.Text("id")).Version.ShouldBe(7);
        receipt.Text("stream").ShouldBe($"{WorkBuddy}/users/{user}");
        receipt.Number("seq").ShouldBe(1);
        receipt.Text("recordedAt").ShouldEndWith("Z");
        receipt.Flag("duplicate").ShouldBeFalse();
    }

    [Fact]
    public async Task AnEventThatSaysEverything_IsDeliveredAsItWasPublished()
    {
        var (user, id) = (New("user"), New("id"));
        (await Publisher.PublishAsync($$"""
            {
              "source": "work-buddy", "type": "task.created", "id": "{{id}}", "userId": "{{user}}", "time": "2026-01-31T13:00:00+01:00",
              "data": { "taskId": "t-1", "title": "Grüße, 世界 🎧 \"\\ \u2028", "nested": { "list": [1, 2.50, null, true] } },
              "metadata": { "correlationId": "c-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }
            }
            """)).ShouldBe(201);

        var e = (await SearchAsync(user)).ShouldHaveSingleItem();
        e.Names().ShouldBe(["id", "source", "type", "data", "userId", "time", "metadata", "actor", "app", "stream", "seq", "recordedAt"]);
        e.Text("id").ShouldBe(id);
        e.Text("source").ShouldBe(WorkBuddy);
        e.Text("app").ShouldBe(WorkBuddy);
        e.Text("type").ShouldBe("task.created");
        e.Text("userId").ShouldBe(user);
        e.Text("time").ShouldBe("2026-01-31T12:00:00Z");
        e.Text("actor").ShouldBe("back-end", "the server says who published, not the draft");
        e.Text("stream").ShouldBe($"{WorkBuddy}/users/{user}");
        e.Number("seq").ShouldBe(1);
        JsonElement.DeepEquals(e.At("data"), JsonElement.Parse(
            """{ "taskId": "t-1", "title": "Grüße, 世界 🎧 \"\\ \u2028", "nested": { "list": [1, 2.50, null, true] } }""")).ShouldBeTrue();
        JsonElement.DeepEquals(e.At("metadata"), JsonElement.Parse(
            """{ "correlationId": "c-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }""")).ShouldBeTrue();
    }

    [Fact]
    public async Task AnEventThatSaysTheLeast_GetsTheDefaults()
    {
        var before = TimeProvider.System.GetUtcNow().AddMilliseconds(-1);
        var user = New("user");
        (await Publisher.PublishAsync($$"""{ "source": "work-buddy", "type": "session.started", "userId": "{{user}}" }""")).ShouldBe(201);

        var e = (await SearchAsync(user)).ShouldHaveSingleItem();
        e.At("data").GetRawText().ShouldBe("{}");
        e.At("time").GetDateTimeOffset().ShouldBeInRange(before, TimeProvider.System.GetUtcNow());
        e.TryGetProperty("topic", out _).ShouldBeFalse();
        e.TryGetProperty("metadata", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData(null, null, "work-buddy")]
    [InlineData("ada", null, "work-buddy/users/ada")]
    [InlineData(null, "project-7", "work-buddy/topics/project-7")]
    public async Task TheAudience_DecidesTheStream(string? userId, string? topic, string stream) =>
        (await Publisher.PublishAsync(Draft(userId, topic))).ShouldBe(201).Text("stream").ShouldBe(stream);

    [Fact]
    public async Task ARepeatOfTheSameContent_IsAnswered200WithTheFirstReceipt()
    {
        var (user, id) = (New("user"), New("id"));
        var first = (await Publisher.PublishAsync(Draft(user, id: id))).ShouldBe(201);
        // The same content in another spelling: order, white space, a default said.
        var again = (await Publisher.PublishAsync($$"""
            { "id": "{{id}}", "data": { "title": "Ship it",
              "taskId": "t-1" }, "userId": "{{user}}", "type": "task.created", "source": "work-buddy", "topic": null, "metadata": { "try": "2" } }
            """)).ShouldBe(200);

        again.Flag("duplicate").ShouldBeTrue();
        foreach (var name in new[] { "id", "stream", "seq", "recordedAt" })
            again.At(name).ToString().ShouldBe(first.At(name).ToString());
        (await SearchAsync(user)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "id": "ID", "userId": "USER", "data": { "taskId": "t-1", "title": "Other" } }""")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "id": "ID", "userId": "other", "data": { "taskId": "t-1", "title": "Ship it" } }""")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "id": "ID", "data": { "taskId": "t-1", "title": "Ship it" } }""")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "id": "ID", "topic": "project-1", "data": { "taskId": "t-1", "title": "Ship it" } }""")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "id": "ID", "userId": "USER", "data": { "taskId": "t-1", "title": "Ship it" } }""")]
    public async Task AReusedId_WithOtherContent_IsRefused(string other)
    {
        var (user, id) = (New("user"), New("id"));
        (await Publisher.PublishAsync(Draft(user, id: id))).ShouldBe(201);
        (await Publisher.PublishAsync(other.Replace("ID", id, StringComparison.Ordinal).Replace("USER", user, StringComparison.Ordinal)))
            .ShouldBeProblem(409, "id_reused").Items("ids").Select(reused => reused.GetString()).ShouldBe([id]);
    }

    [Fact]
    public async Task AnId_IsUniqueInItsSourceOnly()
    {
        var id = New("id");
        (await Publisher.PublishAsync(Draft(New("user"), id: id))).ShouldBe(201);
        (await Publisher.PublishAsync(new { source = LiveMixers, type = "session.started", id, userId = New("user") })).ShouldBe(201);
    }

    [Fact]
    public async Task AnArray_IsPublishedInItsOrder()
    {
        var user = New("user");
        var drafts = Enumerable.Range(0, 1_000).Select(i => Draft(user, id: $"{user}-{i}")).ToArray();
        var receipts = (await Publisher.PublishAsync(drafts)).ShouldBe(201).Items("receipts");

        receipts.Ids().ShouldBe(drafts.Select(draft => (string)draft["id"]));
        receipts.Select(receipt => receipt.Number("seq")).ShouldBe(Enumerable.Range(1, 1_000).Select(i => (long)i));
    }

    [Fact]
    public async Task AnArray_WithWhatWasPublishedBefore_MarksOnlyThatAsDuplicate()
    {
        var user = New("user");
        (await Publisher.PublishAsync(Draft(user, id: user + "-1"))).ShouldBe(201);
        var receipts = (await Publisher.PublishAsync(new[] { Draft(user, id: user + "-1"), Draft(user, id: user + "-2") })).ShouldBe(201).Items("receipts");

        receipts.Select(receipt => receipt.Flag("duplicate")).ShouldBe([true, false]);
        receipts.Select(receipt => receipt.Number("seq")).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task AnArray_WithFaults_NamesEachByIndexAndPublishesNothing()
    {
        var user = New("user");
        var answer = await Publisher.PublishAsync($$"""
            [
              { "source": "work-buddy", "type": "session.started", "userId": "{{user}}" },
              { "source": "work-buddy", "type": "task.created", "userId": "{{user}}", "data": { "taskId": "" } },
              { "source": "work-buddy", "type": "no.such_type", "userId": "{{user}}" },
              { "source": "work-buddy", "type": "session.started", "userId": "{{user}}", "topic": "room-1" }
            ]
            """);

        answer.ShouldBeProblem(422, "invalid", "/1/data", "/1/data/taskId", "/2/type", "/3/topic");
        (await SearchAsync(user)).ShouldBeEmpty();
    }

    [Fact]
    public async Task AnArray_WithAReusedId_PublishesNothing()
    {
        var (user, id) = (New("user"), New("id"));
        (await Publisher.PublishAsync(Draft(user, id: id))).ShouldBe(201);
        (await Publisher.PublishAsync(new[] { Draft(user), Draft(user, id: id, task: "t-2") })).ShouldBeProblem(409, "id_reused");
        (await SearchAsync(user)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task AUser_PublishesWhatIsOpenToUsers_AsItself()
    {
        var (user, topic) = (New("user"), New("project"));
        var ada = AsUser(user);
        (await ada.PublishAsync(new { source = WorkBuddy, type = "task.completed", userId = user, data = new { taskId = "t-1" } })).ShouldBe(201);
        (await ada.PublishAsync(new { source = WorkBuddy, type = "task.completed", topic, data = new { taskId = "t-1" } })).ShouldBe(201);
        (await SearchAsync(user)).ShouldHaveSingleItem().Text("actor").ShouldBe(user);
    }

    /// <summary>What was published; the notification that a rule makes of it comes sooner or later.</summary>
    private async Task<IReadOnlyList<JsonElement>> SearchAsync(string user) =>
        [.. (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={user}&order=asc&limit=500")).ShouldBe(200).Items("items").Where(e => e.Text("type") != "notification.created")];
}
