using System.Text;
using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class CloudEventTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const string Single = "application/cloudevents+json";
    private const string Batch = "application/cloudevents-batch+json";

    [Fact]
    public async Task OneCloudEvent_IsPublishedToItsAudience_WithItsExtensionsAsMetadata()
    {
        var (user, id) = (New("user"), New("id"));
        var receipt = (await Publisher.PostAsync(ApiCaller.Events, $$"""
            {
              "specversion": "1.0", "id": "{{id}}", "source": "work-buddy", "type": "task.created", "time": "2026-01-31T12:00:00Z",
              "datacontenttype": "application/json", "userid": "{{user}}", "causationid": "work-buddy/x-1", "correlationid": "c-1", "partner": "acme",
              "data": { "taskId": "t-1", "title": "Ship it" }
            }
            """, Single)).ShouldBe(201);
        receipt.Text("id").ShouldBe(id);
        receipt.Text("stream").ShouldBe($"{WorkBuddy}/users/{user}");

        var e = (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={user}")).ShouldBe(200).Items("items").ShouldHaveSingleItem();
        e.Text("data", "title").ShouldBe("Ship it");
        e.Text("time").ShouldBe("2026-01-31T12:00:00Z");
        JsonElement.DeepEquals(e.At("metadata"), JsonElement.Parse(
            """{ "causationId": "work-buddy/x-1", "correlationId": "c-1", "partner": "acme" }""")).ShouldBeTrue(e.ToString());
    }

    [Fact]
    public async Task ACloudEvent_CanGoToATopic() =>
        (await Publisher.PostAsync(ApiCaller.Events, Event("topic", "project-9"), Single + "; charset=utf-8"))
            .ShouldBe(201).Text("stream").ShouldBe("work-buddy/topics/project-9");

    [Fact]
    public async Task ARepeatedCloudEvent_IsTheSameEvent()
    {
        var body = Event("userid", New("user"));
        (await Publisher.PostAsync(ApiCaller.Events, body, Single)).ShouldBe(201);
        (await Publisher.PostAsync(ApiCaller.Events, body, Single)).ShouldBe(200).Flag("duplicate").ShouldBeTrue();
    }

    [Fact]
    public async Task ABatch_IsPublishedInItsOrder()
    {
        var user = New("user");
        var receipts = (await Publisher.PostAsync(ApiCaller.Events, $"[{Event("userid", user)},{Event("userid", user)}]", Batch)).ShouldBe(201).Items("receipts");
        receipts.Select(receipt => receipt.Number("seq")).ShouldBe([1, 2]);
    }

    [Theory]
    [InlineData(Single, """{ "specversion": "1.0", """, 400, "malformed", null)]
    [InlineData(Batch, "{}", 422, "invalid", "")]
    [InlineData(Single, "[]", 422, "invalid", "")]
    [InlineData(Single, """{ "id": "a", "source": "work-buddy", "type": "session.started" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "0.3", "id": "a", "source": "work-buddy", "type": "session.started" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "source": "work-buddy", "type": "session.started" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "type": "session.started" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "time": "yesterday" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "data": "text" }""", 422, "invalid", "/data")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "data_base64": "AAEC" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "datacontenttype": "text/xml", "data": "<a/>" }""", 422, "invalid", "")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a b", "source": "work-buddy", "type": "session.started" }""", 422, "invalid", "/id")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "userid": "ada", "topic": "room-1" }""", 422, "invalid", "/topic")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "no-such-app", "type": "session.started" }""", 403, "app_forbidden", "/source")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "no.such_type" }""", 422, "unknown_type", "/type")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "task.created", "data": { "taskId": "t-1" } }""", 422, "schema_violation", "/data")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "data": { "a": "\u0000" } }""", 422, "invalid", "/data/a")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "data": { "a": "\ud800" } }""", 422, "invalid", "/data/a")]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "partner": "\u0000" }""", 422, "invalid", null)]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "partner": "\ud800" }""", 422, "invalid", null)]
    [InlineData(Single, """{ "specversion": "1.0", "id": "\ud800", "source": "work-buddy", "type": "session.started" }""", 422, "invalid", null)]
    [InlineData(Single, """{ "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "session.started", "data": { "a": 1, "a": 2 } }""", 400, "malformed", null)]
    public async Task ABadCloudEvent_IsRefusedWithItsCode(string mediaType, string body, int status, string code, string? pointer) =>
        (await Publisher.PostAsync(ApiCaller.Events, body, mediaType)).ShouldBeProblem(status, code, pointer is null ? [] : [pointer]);

    [Fact]
    public async Task ABatch_WithFaults_NamesEachByIndex() =>
        (await Publisher.PostAsync(ApiCaller.Events, $$"""[{{Event("userid", "ada")}}, { "specversion": "1.0", "id": "a", "source": "work-buddy", "type": "no.such_type" }]""", Batch))
            .ShouldBeProblem(422, "unknown_type", "/1/type");

    [Fact]
    public async Task ABatchOf1001_IsTooLarge()
    {
        var body = new StringBuilder("[").AppendJoin(',', Enumerable.Range(0, 1_001).Select(_ => Event("userid", "ada"))).Append(']').ToString();
        (await Publisher.PostAsync(ApiCaller.Events, body, Batch)).ShouldBeProblem(413, "too_large");
    }

    private static string Event(string audience, string name) =>
        $$"""{ "specversion": "1.0", "id": "{{New("id")}}", "source": "work-buddy", "type": "session.started", "{{audience}}": "{{name}}" }""";
}
