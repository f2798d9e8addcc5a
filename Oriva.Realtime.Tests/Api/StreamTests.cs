using System.Text;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>Server-sent events.</summary>
public sealed class StreamTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    private ApiCaller User => AsUser(_user);

    private string Own => $"{WorkBuddy}/users/{_user}";

    [Fact]
    public async Task AStream_BeginsWithTheCursorOfNow_AndThenPushesWhatIsPublished()
    {
        await PublishAsync(Draft(_user));
        await using var stream = await User.OpenStreamAsync($"app={WorkBuddy}");
        stream.MediaType.ShouldBe("text/event-stream");
        var opening = (await stream.ReadAnyAsync())!;
        opening.Data.ShouldBeNull("a browser shows no message for it");
        stream.Retry.ShouldBe("2000");
        Cursor.FromText(opening.LastEventId)!.Streams[Own].ShouldBe(1);

        await PublishAsync(Draft(_user, id: _user + "-1"), Draft("somebody-else"));
        var message = (await stream.ReadAsync().Soon("the event"))!;
        message.Event.ShouldBe("message");
        message.Json.Text("id").ShouldBe(_user + "-1");
        Cursor.FromText(message.LastEventId)!.Streams[Own].ShouldBe(2);
    }

    [Fact]
    public async Task AStream_ResumesAfterTheLastEventId()
    {
        await PublishAsync([.. Enumerable.Range(1, 5).Select(i => Draft(_user, id: $"{_user}-{i}"))]);
        await using var first = await User.OpenStreamAsync($"app={WorkBuddy}&type=task.created&from=start");
        while ((await first.ReadEventsAsync(1))[0].Text("id") != _user + "-3")
        {
        }

        await using var second = await User.OpenStreamAsync($"app={WorkBuddy}&type=task.created", first.LastEventId);
        (await second.ReadEventsAsync(2)).Ids().ShouldBe([_user + "-4", _user + "-5"]);
    }

    [Fact]
    public async Task TypesAndTopics_CanBeRepeated()
    {
        await using var stream = await User.OpenStreamAsync($"app={WorkBuddy}&topic={_topic}&topic=announcements&type=task.*&type=project.created");
        await PublishAsync(
            new { source = WorkBuddy, type = "session.started", topic = _topic },
            Draft(topic: _topic, id: _user + "-1"),
            Draft(topic: New("room")),
            new { source = WorkBuddy, type = "project.created", userId = _user, id = _user + "-2", data = new { projectId = "p", name = "P" } });
        (await stream.ReadEventsAsync(2)).Ids().ShouldBe([_user + "-1", _user + "-2"], ignoreOrder: true);
    }

    [Fact]
    public async Task DataWithLineBreaks_StaysOneMessage()
    {
        await using var stream = await User.OpenStreamAsync($"app={WorkBuddy}");
        await PublishAsync($$"""
            [{ "source": "work-buddy", "type": "session.started", "userId": "{{_user}}", "data": {
              "a": "one\ntwo\r\nthree",

              "b": [ 1,
                2 ] } }]
            """);
        var e = (await stream.ReadEventsAsync(1))[0];
        e.Text("data", "a").ShouldBe("one\ntwo\r\nthree");
        e.At("data", "b").GetArrayLength().ShouldBe(2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ACursorThatCannotBeHonoured_IsReset_AndTheStreamIsLiveFromNow(bool foreign)
    {
        await PublishAsync(Draft(_user));
        var now = (await User.GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}")).ShouldBe(200);
        var cursor = $$"""{"epoch":"{{(foreign ? "another" : now.Text("epoch"))}}","streams":{"{{Own}}":7} }""";
        await using var stream = await User.OpenStreamAsync($"app={WorkBuddy}", Base64Url(cursor));

        var reset = (await stream.ReadAsync().Soon("the reset"))!;
        reset.Event.ShouldBe("reset");
        reset.Json.Text("app").ShouldBe(WorkBuddy);
        await PublishAsync(Draft(_user, id: _user + "-1"));
        (await stream.ReadEventsAsync(1)).Ids().ShouldBe([_user + "-1"]);
    }

    [Fact]
    public async Task TheTokenInTheQuery_IsTakenOnTheStream_AndNowhereElse()
    {
        var token = Tokens.User(_user, WorkBuddy);
        await using var stream = await As(null).OpenStreamAsync($"app={WorkBuddy}&access_token={token}");
        (await stream.ReadAnyAsync().Soon("the opening")).ShouldNotBeNull();
        (await As(null).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&access_token={token}")).ShouldBeProblem(401, "unauthenticated");
        (await As(null).GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}&access_token={token}")).ShouldBeProblem(401, "unauthenticated");
    }

    [Fact]
    public async Task AStream_EndsWhenTheTokenExpires()
    {
        var token = Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy], Lifetime = TimeSpan.FromSeconds(2) });
        await using var stream = await As(token).OpenStreamAsync($"app={WorkBuddy}");
        await PublishAsync(Draft(_user, id: _user + "-1"));
        (await stream.ReadEventsAsync(1)).Ids().ShouldBe([_user + "-1"]);
        (await stream.ReadAsync().Soon("the stream ends")).ShouldBeNull();
    }

    [Fact]
    public async Task ATokenThatHasJustExpired_OpensNoStreamThatStays()
    {
        // Expired, but within the clock skew that is allowed for.
        var token = new TokenIssuer(Microsoft.Extensions.Options.Options.Create(new AuthOptions { SymmetricKey = Tokens.Key }), new Microsoft.Extensions.Time.Testing.FakeTimeProvider(TimeProvider.System.GetUtcNow().AddSeconds(-4)))
            .Issue(new TokenRequest(_user) { Apps = [WorkBuddy], Lifetime = TimeSpan.FromSeconds(1) }).Token;
        var answer = await As(token).GetAsync($"{ApiCaller.Events}/stream?app={WorkBuddy}").Soon("an answer that ends");
        if (answer.Status != 200)
            answer.ShouldBeProblem(401, "unauthenticated");
    }

    [Theory]
    [InlineData("", null, "/app")]
    [InlineData("app=Work+Buddy", null, "/app")]
    [InlineData("app=work-buddy&from=yesterday", null, "/from")]
    [InlineData("app=work-buddy&topic=a/b", null, "/topics/0")]
    [InlineData("app=work-buddy&type=Task", null, "/interests/0/types/0")]
    [InlineData("app=work-buddy&type=task.created&type=*.created", null, "/interests/0/types/1")]
    [InlineData("app=work-buddy", "nonsense", "/Last-Event-ID")]
    [InlineData("app=work-buddy", "e30", "/Last-Event-ID")]
    [InlineData("app=work-buddy", "bnVsbA", "/Last-Event-ID")]
    [InlineData("app=work-buddy", "eyJlcG9jaCI6ImUiLCJzdHJlYW1zIjp7ImEiOi0xfX0", "/Last-Event-ID")]
    [InlineData("app=work-buddy", "*", "/Last-Event-ID")]
    public async Task ABadRequest_IsRefusedBeforeTheStreamBegins(string query, string? lastEventId, string pointer) =>
        (await User.GetAsync($"{ApiCaller.Events}/stream?{query}", lastEventId is null ? [] : [("Last-Event-ID", lastEventId)])).ShouldBeProblem(422, "invalid", pointer);

    [Fact]
    public async Task ACursorThatIsTooLong_IsRefused() =>
        (await User.GetAsync($"{ApiCaller.Events}/stream?app={WorkBuddy}", ("Last-Event-ID", new string('A', 70_000)))).ShouldBeProblem(422, "invalid", "/Last-Event-ID");

    private async Task PublishAsync(params object[] drafts) => (await Publisher.PublishAsync(drafts)).ShouldBe(201);

    private async Task PublishAsync(string json) => (await Publisher.PublishAsync(json)).ShouldBe(201);

    private static string Base64Url(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
}
