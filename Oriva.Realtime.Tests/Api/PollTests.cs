using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class PollTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    private ApiCaller User => AsUser(_user);

    private string Own => $"{WorkBuddy}/users/{_user}";

    [Fact]
    public async Task APoll_FromStart_AnswersWhatTheUserMaySee_AndACursorThatGoesOn()
    {
        await PublishAsync(Draft(_user, id: _user + "-1"), Draft("somebody-else"), Draft(topic: _topic, id: _user + "-2"), Draft(topic: New("room")));
        var first = await PollAsync(new { app = WorkBuddy, from = "start", topics = new[] { _topic }, limit = 1_000 });

        first.Names().ShouldBe(["events", "cursor", "reset"]);
        first.Flag("reset").ShouldBeFalse();
        first.Items("events").Where(e => e.Text("stream") != WorkBuddy).Ids().ShouldBe([_user + "-1", _user + "-2"], ignoreOrder: true);
        first.At("cursor", "streams").Names().ShouldBe([WorkBuddy, Own, $"{WorkBuddy}/topics/{_topic}"], ignoreOrder: true);

        await PublishAsync(Draft(_user, id: _user + "-3"));
        var second = await PollAsync(new { app = WorkBuddy, topics = new[] { _topic }, cursor = first.At("cursor"), limit = 1_000 });
        second.Items("events").Where(e => e.Text("stream") != WorkBuddy).Ids().ShouldBe([_user + "-3"]);
        second.Number("cursor", "streams", Own).ShouldBe(2);
    }

    [Fact]
    public async Task APoll_FromNow_StartsWithNothing()
    {
        await PublishAsync(Draft(_user));
        var answer = await PollAsync(new { app = WorkBuddy });
        answer.Items("events").ShouldBeEmpty();
        answer.Number("cursor", "streams", Own).ShouldBe(1);
    }

    [Fact]
    public async Task APoll_FromATime_StartsThere()
    {
        await PublishAsync(Draft(_user, id: _user + "-1"));
        await PublishAsync(Draft(_user, id: _user + "-2"));
        var time = (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}&limit=1")).ShouldBe(200).Items("items")[0].Text("recordedAt");
        (await PollAsync(new { app = WorkBuddy, from = time })).Items("events").Where(e => e.Text("stream") == Own).Ids().ShouldBe([_user + "-2"]);
    }

    [Fact]
    public async Task APoll_ThatFindsNothing_IsHeldUntilSomethingComes()
    {
        var cursor = (await PollAsync(new { app = WorkBuddy })).At("cursor");
        var polling = PollAsync(new { app = WorkBuddy, cursor, interests = new[] { new { types = new[] { "task.created" } } }, waitSeconds = 30 });
        polling.IsCompleted.ShouldBeFalse();

        await PublishAsync(new { source = WorkBuddy, type = "session.started", userId = _user });
        await PublishAsync(Draft(_user, id: _user + "-1"));
        (await polling.Soon("the poll is answered")).Items("events").Ids().ShouldBe([_user + "-1"], "what no interest matches does not end the wait");
    }

    [Fact]
    public async Task APoll_ThatWaitsInVain_IsAnsweredEmpty()
    {
        var answer = await PollAsync(new { app = WorkBuddy, interests = new[] { new { types = new[] { "app.installed" } } }, waitSeconds = 1 }).Soon("the poll is answered");
        answer.Items("events").ShouldBeEmpty();
    }

    [Fact]
    public async Task ACursor_MovesAlsoPastWhatDoesNotMatch()
    {
        await PublishAsync(Draft(_user), Draft(_user), Draft(_user));
        var answer = await PollAsync(new { app = WorkBuddy, from = "start", interests = new[] { new { types = new[] { "app.installed" } } } });
        answer.Items("events").ShouldBeEmpty();
        answer.Number("cursor", "streams", Own).ShouldBe(3);
    }

    [Fact]
    public async Task APoll_AnswersAtMostItsLimit_AndNothingIsLostBetween()
    {
        var drafts = Enumerable.Range(0, 60).Select(i => i % 2 == 0 ? Draft(_user, id: $"{_user}-{i}") : Draft(topic: _topic, id: $"{_user}-{i}")).ToArray();
        await PublishAsync(drafts);
        var seen = new List<string>();
        object request = new { app = WorkBuddy, topics = new[] { _topic }, from = "start", limit = 7, interests = Created };
        while (true)
        {
            var answer = await PollAsync(request);
            answer.Items("events").Count.ShouldBeLessThanOrEqualTo(7);
            if (answer.Items("events").Count == 0)
                break;
            seen.AddRange(answer.Items("events").Where(e => e.Text("stream") != WorkBuddy).Ids());
            request = new { app = WorkBuddy, topics = new[] { _topic }, cursor = answer.At("cursor"), limit = 7, interests = Created };
        }

        seen.Order().ShouldBe(drafts.Select(draft => (string)draft["id"]).Order());
    }

    [Fact]
    public async Task ACursorOfAnotherEpoch_IsReset_WithTheCursorOfNow()
    {
        await PublishAsync(Draft(_user));
        await ShouldResetAsync(new { epoch = "another", streams = new Dictionary<string, long> { [Own] = 0 } });
    }

    [Fact]
    public async Task ACursorBeyondTheHead_IsReset()
    {
        await PublishAsync(Draft(_user));
        var epoch = (await PollAsync(new { app = WorkBuddy })).Text("cursor", "epoch");
        await ShouldResetAsync(new { epoch, streams = new Dictionary<string, long> { [Own] = 2 } });
        await ShouldResetAsync(new { epoch, streams = new Dictionary<string, long> { [Own] = long.MaxValue } });
    }

    [Fact]
    public async Task ACursorWithStreamsOfOthers_GivesNothingOfThem()
    {
        var other = New("other");
        await PublishAsync(Draft(other), Draft(topic: "leads-1"), Draft(_user, id: _user + "-1"));
        var epoch = (await PollAsync(new { app = WorkBuddy })).Text("cursor", "epoch");
        var answer = await PollAsync(new
        {
            app = WorkBuddy,
            interests = Created,
            cursor = new { epoch, streams = new Dictionary<string, long> { [Own] = 0, [$"{WorkBuddy}/users/{other}"] = 0, [$"{WorkBuddy}/topics/leads-1"] = 0, [LiveMixers] = 0 } },
        });
        answer.Items("events").Ids().ShouldBe([_user + "-1"]);
        answer.At("cursor", "streams").Names().ShouldBe([WorkBuddy, Own], ignoreOrder: true);
    }

    [Theory]
    [InlineData("", 400, "malformed", null)]
    [InlineData("{", 400, "malformed", null)]
    [InlineData("[]", 422, "invalid", "")]
    [InlineData("null", 422, "invalid", "")]
    [InlineData("{}", 422, "invalid", "/app")]
    [InlineData("""{ "app": "work-buddy", "app": "live-mixers" }""", 400, "malformed", null)]
    [InlineData("""{ "app": 1 }""", 422, "invalid", "/app")]
    [InlineData("""{ "app": "\ud800" }""", 422, "invalid", "/app")]
    [InlineData("""{ "app": "work-buddy", "waitSeconds": 31 }""", 422, "invalid", "/waitSeconds")]
    [InlineData("""{ "app": "work-buddy", "waitSeconds": -1 }""", 422, "invalid", "/waitSeconds")]
    [InlineData("""{ "app": "work-buddy", "waitSeconds": 0.5 }""", 422, "invalid", "/waitSeconds")]
    [InlineData("""{ "app": "work-buddy", "limit": 0 }""", 422, "invalid", "/limit")]
    [InlineData("""{ "app": "work-buddy", "limit": 1001 }""", 422, "invalid", "/limit")]
    [InlineData("""{ "app": "work-buddy", "from": "yesterday" }""", 422, "invalid", "/from")]
    [InlineData("""{ "app": "work-buddy", "topics": "room-1" }""", 422, "invalid", "/topics")]
    [InlineData("""{ "app": "work-buddy", "topics": [null, "a/b"] }""", 422, "invalid", "/topics/0 /topics/1")]
    [InlineData("""{ "app": "work-buddy", "cursor": "abc" }""", 422, "invalid", "/cursor")]
    [InlineData("""{ "app": "work-buddy", "cursor": {} }""", 422, "invalid", "/cursor")]
    [InlineData("""{ "app": "work-buddy", "cursor": { "epoch": "e", "streams": { "work-buddy": -1 } } }""", 422, "invalid", "/cursor")]
    [InlineData("""{ "app": "work-buddy", "cursor": { "epoch": "e", "streams": { "work-buddy": "x" } } }""", 422, "invalid", "/cursor/streams/work-buddy")]
    [InlineData("""{ "app": "work-buddy", "cursor": { "epoch": "e", "streams": null } }""", 422, "invalid", "/cursor")]
    [InlineData("""{ "app": "work-buddy", "interests": [null] }""", 422, "invalid", "/interests/0")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "types": ["Task"] }] }""", 422, "invalid", "/interests/0/types/0")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "types": [null] }] }""", 422, "invalid", "/interests/0/types/0")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "filters": [null] }] }""", 422, "invalid", "/interests/0/filters/0")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "filters": [{}] }] }""", 422, "invalid", "/interests/0/filters/0/path /interests/0/filters/0/op /interests/0/filters/0/value")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "filters": [{ "path": "a", "op": "like", "value": 1 }] }] }""", 422, "invalid", "/interests/0/filters/0/op")]
    [InlineData("""{ "app": "work-buddy", "interests": [{ "filters": [{ "path": "a", "op": "in", "value": 1 }] }] }""", 422, "invalid", "/interests/0/filters/0/value")]
    public async Task ABadPoll_IsRefusedWithItsCode(string body, int status, string code, string? pointers) =>
        (await User.PollAsync(body)).ShouldBeProblem(status, code, pointers is null ? [] : pointers.Split(' '));

    [Fact]
    public async Task TooMuchOfSomething_IsTooLarge()
    {
        (await User.PollAsync(new { app = WorkBuddy, topics = Enumerable.Range(0, 101).Select(i => $"room-{i}") })).ShouldBeProblem(413, "too_large", "/topics");
        (await User.PollAsync(new { app = WorkBuddy, interests = Enumerable.Range(0, 51).Select(_ => new { }) })).ShouldBeProblem(413, "too_large", "/interests");
        (await User.PollAsync(new { app = WorkBuddy, interests = new[] { new { types = Enumerable.Repeat("task.*", 51) } } })).ShouldBeProblem(413, "too_large", "/interests/0/types");
        (await User.PollAsync(new { app = WorkBuddy, from = new string('x', 300_000) })).ShouldBeProblem(413, "too_large");
    }

    private static object Created { get; } = new[] { new { types = new[] { "task.created" } } };

    private async Task PublishAsync(params object[] drafts) => (await Publisher.PublishAsync(drafts)).ShouldBe(201);

    private async Task<JsonElement> PollAsync(object request) => (await User.PollAsync(request)).ShouldBe(200);

    private async Task ShouldResetAsync(object cursor)
    {
        var answer = await PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 }).Soon("a reset is answered at once");
        answer.Flag("reset").ShouldBeTrue();
        answer.Items("events").ShouldBeEmpty();
        answer.Number("cursor", "streams", Own).ShouldBe(1);
        (await PollAsync(new { app = WorkBuddy, cursor = answer.At("cursor") })).Flag("reset").ShouldBeFalse();
    }
}
