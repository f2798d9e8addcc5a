using System.Text;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>Each thing that can be wrong with a publish, with its code. None of them is stored.</summary>
public sealed class BadDraftTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    [Theory]
    // Not JSON, or not the JSON that one reader would understand as another does
    [InlineData("", 400, "malformed", null)]
    [InlineData("{", 400, "malformed", null)]
    [InlineData("""{ "source": "work-buddy", }""", 400, "malformed", null)]
    [InlineData("""{ "source": "work-buddy" } {}""", 400, "malformed", null)]
    [InlineData("""{ "source": "work-buddy", "source": "live-mixers", "type": "session.started" }""", 400, "malformed", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a": 1, "a": 2 } }""", 400, "malformed", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a": NaN } }""", 400, "malformed", null)]
    // Not a draft
    [InlineData("null", 422, "invalid", "")]
    [InlineData("1", 422, "invalid", "")]
    [InlineData("\"text\"", 422, "invalid", "")]
    [InlineData("[]", 422, "invalid", "")]
    [InlineData("[[]]", 422, "invalid", "/0")]
    [InlineData("[null]", 422, "invalid", "/0")]
    [InlineData("{}", 422, "invalid", "/source /type")]
    [InlineData("""{ "source": null, "type": "session.started" }""", 422, "invalid", "/source")]
    [InlineData("""{ "source": 1, "type": ["a"], "id": {}, "userId": 1, "time": 5, "metadata": "m" }""", 422, "invalid", "/source /type /id /userId /time /metadata")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "user": "ada" }""", 422, "invalid", "/user")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "actor": "somebody" }""", 422, "invalid", "/actor")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "metadata": { "n": 1, "o": {} } }""", 422, "invalid", "/metadata/n /metadata/o")]
    // Names
    [InlineData("""{ "source": "Work Buddy", "type": "session.started" }""", 422, "invalid", "/source")]
    [InlineData("""{ "source": "work-buddy", "type": "Session Started" }""", 422, "invalid", "/type")]
    [InlineData("""{ "source": "work-buddy", "type": "session.*" }""", 422, "invalid", "/type")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "id": "" }""", 422, "invalid", "/id")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "id": "a/b" }""", 422, "invalid", "/id")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "id": "a b" }""", 422, "invalid", "/id")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "userId": "a/b" }""", 422, "invalid", "/userId")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "userId": "a\tb" }""", 422, "invalid", "/userId")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "topic": "a/b" }""", 422, "invalid", "/topic")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "topic": "room-*" }""", 422, "invalid", "/topic")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "userId": "ada", "topic": "room-1" }""", 422, "invalid", "/topic")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "time": "2026-01-31T12:00:00" }""", 422, "invalid", "/time")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "time": "yesterday" }""", 422, "invalid", "/time")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "time": "2026-13-31T12:00:00Z" }""", 422, "invalid", "/time")]
    // What the manifest says
    [InlineData("""{ "source": "work-buddy", "type": "mix.published", "data": { "mixId": "m-1" } }""", 422, "unknown_type", "/type")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "topic": "no-such-topic" }""", 422, "invalid", "/topic")]
    [InlineData("""{ "source": "work-buddy", "type": "notification.created" }""", 403, "type_forbidden", "/type")]
    [InlineData("""{ "source": "work-buddy", "type": "notification.read" }""", 403, "type_forbidden", "/type")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "data": { "taskId": "t-1" } }""", 422, "schema_violation", "/data")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "data": { "taskId": 1, "title": "" } }""", 422, "schema_violation", "/data/taskId /data/title")]
    [InlineData("""{ "source": "work-buddy", "type": "task.created", "data": { "taskId": "t", "title": "t", "priority": "none" } }""", 422, "schema_violation", "/data/priority")]
    [InlineData("""{ "source": "work-buddy", "type": "task.assigned", "data": { "taskId": "t", "title": "t", "assignedBy": "b", "dueOn": "soon" } }""", 422, "schema_violation", "/data/dueOn")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": [] }""", 422, "invalid", "/data")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": null }""", 422, "invalid", "/data")]
    // Texts that a store cannot keep
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a": ["b", "\u0000"] } }""", 422, "invalid", "/data/a/1")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a\u0000": 1 } }""", 422, "invalid", "/data")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a": "\ud83d" } }""", 422, "invalid", "/data/a")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "a": "\udc00\ud800" } }""", 422, "invalid", "/data/a")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "data": { "\ud800": 1 } }""", 422, "invalid", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "\ud800": 1 }""", 422, "invalid", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "metadata": { "a": "\u0000" } }""", 422, "invalid", "/metadata/a")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "metadata": { "a": "\ud800" } }""", 422, "invalid", "/metadata/a")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "metadata": { "a\u0000": "b" } }""", 422, "invalid", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "metadata": { "\udc00": "b" } }""", 422, "invalid", null)]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "userId": "\u0000" }""", 422, "invalid", "/userId")]
    [InlineData("""{ "source": "work-buddy", "type": "session.started", "id": "\ud800" }""", 422, "invalid", "/id")]
    public async Task ABadDraft_IsRefusedWithItsCodeAndPointers(string body, int status, string code, string? pointers) =>
        (await Publisher.PublishAsync(body)).ShouldBeProblem(status, code, pointers is null ? [] : pointers.Split(' '));

    [Fact]
    public async Task BytesThatAreNotUtf8_AreMalformed()
    {
        byte[] body = [.. Encoding.UTF8.GetBytes("""{ "source": "work-buddy", "type": "session.started", "data": { "a": """), (byte)'"', 0xC3, 0x28, (byte)'"', .. "}}"u8];
        var answer = await Publisher.PublishAsync(body);
        answer.Status.ShouldBeOneOf([400, 422], answer.Text);
        answer.ShouldBeProblem(answer.Status, answer.Status == 400 ? "malformed" : "invalid");
    }

    [Fact]
    public async Task JsonTooDeep_IsMalformed() =>
        (await Publisher.PublishAsync($$"""{ "source": "work-buddy", "type": "session.started", "data": { "a": {{new string('[', 100_000)}} """)).ShouldBeProblem(400, "malformed");

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/cloudevents+xml")]
    [InlineData("nonsense")]
    public async Task AnotherMediaType_IsRefused(string mediaType) =>
        (await Publisher.PostAsync(ApiCaller.Events, Draft(), mediaType)).ShouldBeProblem(415, "unsupported_media_type");

    [Fact]
    public async Task NoMediaType_IsRefused() =>
        (await Publisher.SendAsync(HttpMethod.Post, ApiCaller.Events, Draft(), null, [])).ShouldBeProblem(415, "unsupported_media_type");

    [Theory]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("application/vnd.acme+json")]
    public async Task AnyJsonMediaType_IsTaken(string mediaType) =>
        (await Publisher.PostAsync(ApiCaller.Events, Draft(), mediaType)).ShouldBe(201);

    [Fact]
    public async Task AnArrayWithTheSameIdTwice_IsRefused()
    {
        var id = New("id");
        (await Publisher.PublishAsync(new[] { Draft(id: id), Draft(id: id) })).ShouldBeProblem(422, "invalid", "/1/id");
    }

    [Fact]
    public async Task AChainOfCauses_LongerThan8Hops_IsRefused()
    {
        var chain = New("chain");
        (await Publisher.PublishAsync(Caused(0))).ShouldBe(201);
        for (var hop = 1; hop <= 8; hop++)
            (await Publisher.PublishAsync(Caused(hop))).ShouldBe(201);

        (await Publisher.PublishAsync(Caused(9))).ShouldBeProblem(422, "causation_loop", "/metadata/causationId");
        (await Publisher.PublishAsync(new[] { Caused(10), Caused(9) })).ShouldBeProblem(422, "causation_loop", "/1/metadata/causationId");

        Dictionary<string, object> Caused(int hop)
        {
            var draft = Draft(id: $"{chain}-{hop}");
            if (hop > 0)
                draft["metadata"] = new { causationId = $"work-buddy/{chain}-{hop - 1}" };
            return draft;
        }
    }

    [Fact]
    public async Task AChainOfCauses_WithinOneArray_IsCountedToo()
    {
        var chain = New("chain");
        var drafts = Enumerable.Range(0, 12).Select(hop =>
        {
            var draft = Draft(id: $"{chain}-{hop}");
            draft["metadata"] = new { causationId = $"work-buddy/{chain}-{hop - 1}" };
            return draft;
        });
        (await Publisher.PublishAsync(drafts.ToArray())).ShouldBeProblem(422, "causation_loop",
            "/8/metadata/causationId", "/9/metadata/causationId", "/10/metadata/causationId", "/11/metadata/causationId");
    }
}
