using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class HubContractOnSqliteTests(SqliteHub fixture) : HubContractSpecification(fixture), IClassFixture<SqliteHub>;

public sealed class HubContractOnPostgresTests(PostgresHub fixture) : HubContractSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>What the hub's calls do, seen by an official client.</summary>
public abstract class HubContractSpecification(HubFixture fixture) : HubTests(fixture)
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    private string Own => $"{WorkBuddy}/users/{_user}";

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task ASubscriber_SeesWhatIsPublished_OverEveryTransport(HttpTransportType transport)
    {
        await using var hub = await ConnectAsync(transport);
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        answer.Names().ShouldBe(["app", "subscription", "epoch", "streams", "reset"], ignoreOrder: true);
        answer.Text("app").ShouldBe(WorkBuddy);
        answer.Number("subscription").ShouldBe(1);
        answer.Flag("reset").ShouldBeFalse();
        answer.At("streams").Names().ShouldBe([WorkBuddy, Own, $"{WorkBuddy}/topics/{_topic}"], ignoreOrder: true);

        await PublishAsync(Draft(_user, id: _user + "-1"), Draft(topic: _topic, id: _user + "-2"), Draft(New("other")), Draft(topic: New("room")));
        await hub.ReceiveAsync(2);
        hub.Received.Ids.ShouldBe([_user + "-1", _user + "-2"], ignoreOrder: true);
        var batch = hub.Received.Batches[0];
        batch.Names().ShouldBe(["app", "subscription", "stream", "after", "through", "events"], ignoreOrder: true);
        batch.Items("events")[0].Names().ShouldBe(["id", "source", "type", "data", batch.Text("stream") == Own ? "userId" : "topic", "time", "actor", "app", "stream", "seq", "recordedAt"]);
    }

    [Theory]
    [InlineData(null, 2)]
    [InlineData("now", 2)]
    [InlineData("start", 0)]
    public async Task ASubscription_StartsWhereItIsAsked(string? from, long position)
    {
        await PublishAsync(Draft(_user, id: _user + "-1"), Draft(_user, id: _user + "-2"));
        await using var hub = await ConnectAsync();
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy, from, interests = Created });
        answer.Number("streams", Own).ShouldBe(position);
        await PublishAsync(Draft(_user, id: _user + "-3"));
        await Waiting.Eventually("the newest event", () => hub.Received.Ids.Contains(_user + "-3"));
        Mine(hub).ShouldBe(position == 0 ? [_user + "-1", _user + "-2", _user + "-3"] : [_user + "-3"]);
    }

    [Fact]
    public async Task ASubscription_CanStartAtATime()
    {
        await PublishAsync(Draft(_user, id: _user + "-1"));
        await PublishAsync(Draft(_user, id: _user + "-2"));
        var time = (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}&limit=1")).ShouldBe(200).Items("items")[0].Text("recordedAt");
        await using var hub = await ConnectAsync();
        await hub.SubscribeAsync(new { app = WorkBuddy, from = time, interests = Created });
        await Waiting.Eventually("the second event", () => Mine(hub).Count > 0);
        Mine(hub).ShouldBe([_user + "-2"]);
    }

    [Fact]
    public async Task ACursor_Resumes_AndAStreamThatItLacksStartsAtFrom()
    {
        await PublishAsync(Draft(_user, id: _user + "-1"), Draft(_user, id: _user + "-2"), Draft(topic: _topic, id: _user + "-3"));
        await using var hub = await ConnectAsync();
        var epoch = (await hub.SubscribeAsync(new { app = WorkBuddy })).Text("epoch");
        var cursor = new { epoch, streams = new Dictionary<string, long> { [Own] = 1 } };
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy, cursor, topics = new[] { _topic }, from = "start", interests = Created });
        answer.Flag("reset").ShouldBeFalse();
        answer.Number("subscription").ShouldBe(2);
        answer.Number("streams", Own).ShouldBe(1);
        answer.Number("streams", $"{WorkBuddy}/topics/{_topic}").ShouldBe(0);
        await Waiting.Eventually("both events", () => Mine(hub).Count == 2);
        Mine(hub).ShouldBe([_user + "-2", _user + "-3"], ignoreOrder: true);
    }

    [Theory]
    [InlineData("another", 0)]
    [InlineData(null, 7)]
    public async Task ACursorThatCannotBeHonoured_IsReset_AndTheSubscriptionIsLive(string? epoch, long position)
    {
        await PublishAsync(Draft(_user, id: _user + "-1"));
        await using var hub = await ConnectAsync();
        epoch ??= (await hub.SubscribeAsync(new { app = WorkBuddy })).Text("epoch");
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy, cursor = new { epoch, streams = new Dictionary<string, long> { [Own] = position } }, from = "start" });
        answer.Flag("reset").ShouldBeTrue();
        answer.Number("streams", Own).ShouldBe(1);
        await PublishAsync(Draft(_user, id: _user + "-2"));
        await Waiting.Eventually("the new event", () => Mine(hub).Count > 0);
        Mine(hub).ShouldBe([_user + "-2"]);
    }

    [Fact]
    public async Task SubscribingAgain_ReplacesTheSubscription()
    {
        await using var hub = await ConnectAsync();
        (await hub.SubscribeAsync(new { app = WorkBuddy, interests = Types("task.created") })).Number("subscription").ShouldBe(1);
        (await hub.SubscribeAsync(new { app = LiveMixers })).Number("subscription").ShouldBe(1, "counted by app");
        (await hub.SubscribeAsync(new { app = WorkBuddy, interests = Types("session.ended") })).Number("subscription").ShouldBe(2);

        await PublishAsync(Draft(_user, id: _user + "-1"), new { source = WorkBuddy, type = "session.ended", userId = _user, id = _user + "-2" });
        await Waiting.Eventually("an event", () => Mine(hub).Count > 0);
        Mine(hub).ShouldBe([_user + "-2"]);
        hub.Received.Batches.Where(batch => batch.Text("app") == WorkBuddy).Select(batch => batch.Number("subscription")).Distinct().ShouldBe([2]);
    }

    [Fact]
    public async Task SubscribingAgainAndAgainWhileEventsCome_LosesNone()
    {
        await using var hub = await ConnectAsync();
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy });
        var epoch = answer.Text("epoch");
        for (var i = 0; i < 40; i++)
        {
            var publishing = PublishAsync(Draft(_user, id: $"{_user}-{i}"));
            var streams = new Dictionary<string, long>(hub.Received.Positions.Where(stream => stream.Key == Own));
            streams.TryAdd(Own, 0);
            await hub.SubscribeAsync(new { app = WorkBuddy, cursor = new { epoch, streams } });
            await publishing;
        }

        await Waiting.Eventually("the last event", () => Mine(hub).Contains(_user + "-39"));
        Mine(hub).Distinct().Order().ShouldBe(Enumerable.Range(0, 40).Select(i => $"{_user}-{i}").Order());
    }

    [Fact]
    public async Task Unsubscribing_EndsOneAppsEvents()
    {
        await using var hub = await ConnectAsync();
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await hub.SubscribeAsync(new { app = LiveMixers });
        await hub.InvokeAsync("Unsubscribe", WorkBuddy);
        await hub.InvokeAsync("Unsubscribe", WorkBuddy);
        await hub.InvokeAsync("Unsubscribe", "no-such-app");

        await PublishAsync(Draft(_user, id: _user + "-1"), new { source = LiveMixers, type = "session.started", userId = _user, id = _user + "-2" });
        await Waiting.Eventually("the other app's event", () => Mine(hub).Count > 0);
        Mine(hub).ShouldBe([_user + "-2"]);
        (await hub.SubscribeAsync(new { app = WorkBuddy, from = "start" })).Number("subscription").ShouldBe(2);
        await Waiting.Eventually("the event again", () => Mine(hub).Contains(_user + "-1"));
    }

    [Fact]
    public async Task Interests_SelectByTypeTopicAndData_AndTheChainOfPositionsHolds()
    {
        await using var hub = await ConnectAsync();
        await hub.SubscribeAsync(new
        {
            app = WorkBuddy,
            interests = new object[]
            {
                new { types = new[] { "task.created" }, filters = new object[] { new { path = "priority", op = "in", value = new[] { "high", "urgent" } } } },
                new { types = new[] { "session.*" }, topic = _topic },
                new { types = new[] { "focus.session_ended" }, filters = new object[] { new { path = "focusedMinutes", op = "gte", value = 30 }, new { path = "endedAt", op = "exists", value = false } } },
            },
        });
        await PublishAsync(
            Task("1", "high"), Task("2", "low"), Task("3", "urgent"), Task("4", null),
            new { source = WorkBuddy, type = "session.started", userId = _user, id = _user + "-5" },
            new { source = WorkBuddy, type = "session.started", topic = _topic, id = _user + "-6" },
            Draft(topic: _topic, id: _user + "-7"),
            Focus("8", 30), Focus("9", 29));
        await hub.ReceiveAsync(4);
        hub.Received.Ids.ShouldBe([_user + "-1", _user + "-3", _user + "-6", _user + "-8"], ignoreOrder: true);

        object Task(string n, string? priority) => priority is null
            ? Draft(_user, id: $"{_user}-{n}")
            : new { source = WorkBuddy, type = "task.created", userId = _user, id = $"{_user}-{n}", data = new { taskId = n, title = n, priority } };
        object Focus(string n, int focusedMinutes) =>
            new { source = WorkBuddy, type = "focus.session_ended", userId = _user, id = $"{_user}-{n}", data = new { sessionId = n, outcome = "completed", focusedMinutes } };
    }

    [Fact]
    public async Task AThousandEventsThatDoNotMatch_MoveThePositionByAnEmptyBatch()
    {
        await using var hub = await ConnectAsync();
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Types("app.installed") });
        await PublishAsync([.. Enumerable.Range(0, 1_000).Select(_ => Draft(_user))]);
        await PublishAsync([.. Enumerable.Range(0, 200).Select(_ => Draft(_user))]);
        await Waiting.Eventually("the position has moved", () => hub.Received.Positions.GetValueOrDefault(Own) >= 1_000);
        hub.Received.Events.ShouldBeEmpty();
    }

    [Fact]
    public async Task PublishingOnTheHub_AnswersTheReceipt_AndIsSeenLikeAnyOther()
    {
        await using var hub = await ConnectAsync();
        await hub.SubscribeAsync(new { app = WorkBuddy });
        var draft = new { source = WorkBuddy, type = "task.reaction_added", userId = _user, id = _user + "-1", data = new { taskId = "t-1", reaction = "heart" } };
        var receipt = await hub.PublishAsync(draft);
        receipt.Names().ShouldBe(["id", "stream", "seq", "recordedAt", "duplicate"], ignoreOrder: true);
        receipt.Number("seq").ShouldBe(1);
        (await hub.PublishAsync(draft)).Flag("duplicate").ShouldBeTrue();
        await Waiting.Eventually("its own event", () => Mine(hub).Count > 0);
        hub.Received.Events.First(e => e.Text("stream") == Own).Text("actor").ShouldBe(_user);
    }

    [Fact]
    public async Task ARefusedCall_BeginsWithItsCode()
    {
        await using var hub = await ConnectAsync();
        await hub.RefusedAsync("invalid", "Subscribe", new { });
        await hub.RefusedAsync("invalid", "Subscribe", new object?[] { null });
        await hub.RefusedAsync("invalid", "Subscribe", new { app = WorkBuddy, from = "yesterday" });
        await hub.RefusedAsync("invalid", "Subscribe", new { app = WorkBuddy, cursor = new { epoch = "e", streams = new { a = -1 } } });
        await hub.RefusedAsync("invalid", "Subscribe", new { app = WorkBuddy, interests = new object?[] { null } });
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = HugoLove });
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = "no-such-app" });
        await hub.RefusedAsync("topic_forbidden", "Subscribe", new { app = WorkBuddy, topics = new[] { "team-1" } });
        await hub.RefusedAsync("too_large", "Subscribe", new { app = WorkBuddy, topics = Enumerable.Range(0, 101).Select(i => $"room-{i}") });

        await hub.RefusedAsync("invalid", "Publish", new { });
        await hub.RefusedAsync("invalid", "Publish", new object?[] { null });
        await hub.RefusedAsync("invalid", "Publish", new object[] { new[] { new { source = WorkBuddy, type = "task.completed" } } });
        await hub.RefusedAsync("app_forbidden", "Publish", new { source = HugoLove, type = "session.started", userId = _user });
        await hub.RefusedAsync("type_forbidden", "Publish", Draft(_user));
        await hub.RefusedAsync("user_forbidden", "Publish", Completed("bob", "t"));
        await hub.RefusedAsync("unknown_type", "Publish", new { source = WorkBuddy, type = "no.such_type", userId = _user });
        (await hub.RefusedAsync("schema_violation", "Publish", Completed(_user, ""))).ShouldContain("\"/data/taskId\"");
        await hub.RefusedAsync("too_large", "Publish", Completed(_user, "t", new string('x', 66_000)));
        await hub.RefusedAsync("too_large", "Publish", Completed(_user, "t", new string('ä', 66_000)));
        await hub.RefusedAsync("invalid", "Publish", JsonElement.Parse($$"""{ "source": "work-buddy", "type": "task.completed", "userId": "{{_user}}", "data": { "taskId": "\u0000" } }"""));
        await hub.PublishAsync(Completed(_user, "t", id: _user + "-1"));
        await hub.RefusedAsync("id_reused", "Publish", Completed(_user, "other", id: _user + "-1"));
        (await hub.PublishAsync(Completed(_user, "t", id: _user + "-2"))).Number("seq").ShouldBe(2, "the connection works as before");

        static object Completed(string userId, string taskId, string? title = null, string? id = null) =>
            new { source = WorkBuddy, type = "task.reaction_added", userId, id, data = title is null ? new { taskId, reaction = "heart" } : (object)new { taskId, reaction = "heart", title } };
    }

    [Fact]
    public async Task ACallThatTheHubDoesNotUnderstand_BeginsWithACodeToo()
    {
        await using var hub = await ConnectAsync();
        await hub.RefusedAsync("not_found", "NoSuchMethod");
        await hub.RefusedAsync("malformed", "Subscribe", "work-buddy");
        await hub.RefusedAsync("malformed", "Subscribe", new { app = 1 });
        await hub.RefusedAsync("malformed", "Subscribe");
        await hub.RefusedAsync("malformed", "Publish", JsonElement.Parse("""{ "source": "work-buddy", "source": "live-mixers", "type": "task.completed" }"""));
        await hub.SubscribeAsync(new { app = WorkBuddy });
    }

    [Fact]
    public async Task WithoutAGoodToken_ThereIsNoConnection()
    {
        await Should.ThrowAsync<HttpRequestException>(async () => await HubClient.ConnectAsync(Hub.Address, null));
        await Should.ThrowAsync<HttpRequestException>(async () => await HubClient.ConnectAsync(Hub.Address, "not-a-token"));
    }

    [Fact]
    public async Task AConnectionWhoseTokenExpires_IsClosed()
    {
        var token = Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy], Lifetime = TimeSpan.FromSeconds(2) });
        await using var hub = await HubClient.ConnectAsync(Hub.Address, token);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await hub.Closed.Soon("the connection is closed");
    }

    private Task<HubClient> ConnectAsync(HttpTransportType transport = HttpTransportType.WebSockets) =>
        HubClient.ConnectAsync(Hub.Address, Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy, LiveMixers] }), transport);

    private async Task PublishAsync(params object[] drafts) => (await Publisher.PublishAsync(drafts)).ShouldBe(201);

    /// <summary>Other tests publish to everyone.</summary>
    private IReadOnlyList<string> Mine(HubClient hub) => [.. hub.Received.Ids.Where(id => id.StartsWith(_user + "-", StringComparison.Ordinal))];

    private static object Created { get; } = Types("task.created");

    private static object Types(params string[] types) => new[] { new { types } };
}
