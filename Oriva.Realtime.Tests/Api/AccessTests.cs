using System.Text.RegularExpressions;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>Who may do what, and that a refusal tells nothing of what the caller may not know.</summary>
public sealed partial class AccessTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    [Theory]
    [InlineData("GET", "/api/v1/apps")]
    [InlineData("GET", "/api/v1/apps/work-buddy/manifest")]
    [InlineData("PUT", "/api/v1/apps/work-buddy/manifest")]
    [InlineData("GET", "/api/v1/apps/work-buddy/users/ada")]
    [InlineData("PUT", "/api/v1/apps/work-buddy/users/ada")]
    [InlineData("DELETE", "/api/v1/apps/work-buddy/users/ada")]
    [InlineData("POST", "/api/v1/events")]
    [InlineData("GET", "/api/v1/events?app=work-buddy")]
    [InlineData("POST", "/api/v1/events/poll")]
    [InlineData("GET", "/api/v1/events/stream?app=work-buddy")]
    [InlineData("GET", "/api/v1/events/cursor?app=work-buddy")]
    public async Task WithoutAToken_NothingIsAnswered(string method, string path)
    {
        (await As(null).SendAsync(new HttpMethod(method), path, "{}", "application/json", [])).ShouldBeProblem(401, "unauthenticated");
        var answer = await As("not-a-token").SendAsync(new HttpMethod(method), path, "{}", "application/json", []);
        answer.ShouldBeProblem(401, "unauthenticated");
        answer.Headers.WwwAuthenticate.ToString().ShouldStartWith("Bearer");
    }

    /// <summary>An app that the caller's token lacks looks the same as one that does not exist, whatever is asked.</summary>
    [Theory]
    [InlineData("GET", "/api/v1/apps/{app}/manifest", null)]
    [InlineData("PUT", "/api/v1/apps/{app}/manifest", """{ "app": "{app}", "name": "Mine now" }""")]
    [InlineData("GET", "/api/v1/apps/{app}/users/known", null)]
    [InlineData("PUT", "/api/v1/apps/{app}/users/known", """{ "locale": "en" }""")]
    [InlineData("DELETE", "/api/v1/apps/{app}/users/known", null)]
    [InlineData("POST", "/api/v1/events", """{ "source": "{app}", "type": "set.ended", "data": { "setId": "s-1" } }""")]
    [InlineData("POST", "/api/v1/events", """{ "source": "{app}", "type": "no.such_type", "topic": "room-1" }""")]
    [InlineData("POST", "/api/v1/events", """[{ "source": "{app}", "type": "session.started" }]""")]
    [InlineData("POST", "/api/v1/events", """[{ "source": "hugo-love", "type": "session.started" }, { "source": "{app}", "type": "session.started", "id": "known" }]""")]
    [InlineData("GET", "/api/v1/events?app={app}", null)]
    [InlineData("GET", "/api/v1/events?app={app}&userId=known&type=set.ended", null)]
    [InlineData("POST", "/api/v1/events/poll", """{ "app": "{app}", "from": "start", "topics": ["room-1"] }""")]
    [InlineData("GET", "/api/v1/events/stream?app={app}&topic=room-1&from=start", null)]
    [InlineData("GET", "/api/v1/events/cursor?app={app}&topics=room-1", null)]
    public async Task AnotherApp_IsForbidden_AndLooksAsIfItWereNot(string method, string path, string? body)
    {
        (await Publisher.PublishAsync(new { source = LiveMixers, type = "set.ended", userId = "known", data = new { setId = "s-1" } })).ShouldBe(201);
        foreach (var token in new[] { Tokens.User("ada", HugoLove), Tokens.Publisher(HugoLove), Tokens.User("known", HugoLove) })
        {
            var (existing, missing) = (await AskAsync(token, LiveMixers), await AskAsync(token, "no-such-app"));
            existing.Status.ShouldBe(403, existing.Text);
            existing.Json.Text("code").ShouldBeOneOf("app_forbidden", "user_forbidden");
            Normalise(existing.Text, LiveMixers).ShouldBe(Normalise(missing.Text, "no-such-app"));
        }

        Task<HttpAnswer> AskAsync(string token, string app) => As(token).SendAsync(
            new HttpMethod(method), path.Replace("{app}", app, StringComparison.Ordinal), body?.Replace("{app}", app, StringComparison.Ordinal), "application/json", []);

        static string Normalise(string text, string app) => TraceId().Replace(text.Replace(app, "APP", StringComparison.Ordinal), "");
    }

    [Fact]
    public async Task AnAdmin_IsToldThatAnAppDoesNotExist()
    {
        (await Admin.GetAsync("/api/v1/apps/no-such-app/manifest")).ShouldBeProblem(404, "not_found");
        (await Admin.GetAsync(ApiCaller.Events + "?app=no-such-app")).ShouldBeProblem(404, "not_found");
        (await Admin.GetAsync(ApiCaller.Events + "/stream?app=no-such-app")).ShouldBeProblem(404, "not_found");
        (await Admin.GetAsync(ApiCaller.Events + "/cursor?app=no-such-app")).ShouldBeProblem(404, "not_found");
        (await Admin.PollAsync(new { app = "no-such-app" })).ShouldBeProblem(404, "not_found");
        (await Admin.PublishAsync(new { source = "no-such-app", type = "session.started" })).ShouldBeProblem(404, "not_found", "/source");
    }

    [Theory]
    [InlineData("task.created", "ada", null, "type_forbidden", "/type")]
    [InlineData("session.started", "ada", null, "type_forbidden", "/type")]
    [InlineData("task.completed", "bob", null, "user_forbidden", "/userId")]
    [InlineData("task.completed", null, null, "user_forbidden", "/userId")]
    [InlineData("task.completed", null, "team-1", "topic_forbidden", "/topic")]
    [InlineData("task.completed", null, "no-such-topic", "topic_forbidden", "/topic")]
    [InlineData("notification.created", "ada", null, "type_forbidden", "/type")]
    public async Task AUser_PublishesNeitherForOthersNorWhatIsClosed(string type, string? userId, string? topic, string code, string pointer)
    {
        var draft = new Dictionary<string, object?> { ["source"] = WorkBuddy, ["type"] = type, ["data"] = new { taskId = "t-1", title = "t" } };
        if (userId is not null)
            draft["userId"] = userId;
        if (topic is not null)
            draft["topic"] = topic;
        (await AsUser("ada").PublishAsync(draft)).ShouldBeProblem(403, code, pointer);
    }

    [Fact]
    public async Task AUser_PublishesOneEventAtATime() =>
        (await AsUser("ada").PublishAsync(new[] { new { source = WorkBuddy, type = "task.completed", userId = "ada", data = new { taskId = "t-1" } } }))
            .ShouldBeProblem(403, "user_forbidden");

    [Fact]
    public async Task ATopicByClaim_IsOpenToWhoHasTheClaimInThisApp()
    {
        var draft = new { source = WorkBuddy, type = "task.completed", topic = "team-7", data = new { taskId = "t-1" } };
        (await AsUser("ada", WorkBuddy, "work-buddy/team-7").PublishAsync(draft)).ShouldBe(201);
        (await AsUser("bea", WorkBuddy, "work-buddy/team-*").PublishAsync(draft)).ShouldBe(201);
        (await AsUser("cy", WorkBuddy, "work-buddy/team-8").PublishAsync(draft)).ShouldBeProblem(403, "topic_forbidden", "/topic");
        (await AsUser("dan", WorkBuddy, "live-mixers/team-7").PublishAsync(draft)).ShouldBeProblem(403, "topic_forbidden", "/topic");
        (await AsUser("eve", WorkBuddy, "work-buddy/leads-7").PublishAsync(draft)).ShouldBeProblem(403, "topic_forbidden", "/topic");
    }

    [Theory]
    [InlineData("team-1")]
    [InlineData("no-such-topic")]
    public async Task ATopicThatTheTokenLacks_CannotBeFollowed(string topic)
    {
        var ada = AsUser("ada");
        (await ada.GetAsync($"{ApiCaller.Events}/stream?app={WorkBuddy}&topic=room-1&topic={topic}")).ShouldBeProblem(403, "topic_forbidden", "/topics/1");
        (await ada.GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}&topics=room-1,{topic}")).ShouldBeProblem(403, "topic_forbidden", "/topics/1");
        (await ada.PollAsync(new { app = WorkBuddy, topics = new[] { "room-1", topic } })).ShouldBeProblem(403, "topic_forbidden", "/topics/1");
        (await ada.PollAsync(new { app = WorkBuddy, interests = new[] { new { topic } } })).ShouldBeProblem(403, "topic_forbidden", "/interests/0/topic");
    }

    [Fact]
    public async Task AUser_FindsOnlyWhatItMaySee()
    {
        var (ada, bob, n) = (New("ada"), New("bob"), New("n"));
        string[] topics = [$"project-{n}", $"team-{n}", $"leads-{n}"];
        (await Publisher.PublishAsync(new[] { Draft(ada, id: $"{n}-own"), Draft(bob, id: $"{n}-bobs"), Draft(id: $"{n}-all") }
            .Concat(topics.Select(topic => Draft(topic: topic, id: $"{n}-{topic}"))).ToArray())).ShouldBe(201);

        var page = (await AsUser(ada, WorkBuddy, $"work-buddy/team-{n}").GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&limit=500")).ShouldBe(200);
        page.Items("items").Ids().Where(id => id.StartsWith(n + "-", StringComparison.Ordinal)).Order()
            .ShouldBe(new[] { $"{n}-own", $"{n}-all", $"{n}-project-{n}", $"{n}-team-{n}" }.Order());

        (await AsUser(ada).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={bob}")).ShouldBe(200).Items("items").ShouldBeEmpty();
        (await AsUser(ada).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&topic=leads-{n}")).ShouldBe(200).Items("items").ShouldBeEmpty();
    }

    [Fact]
    public async Task APublisher_FindsEverythingInItsAppsOnly()
    {
        var n = New("n");
        (await Publisher.PublishAsync(new[] { Draft("ada", id: n + "-1"), Draft("bob", id: n + "-2"), Draft(topic: "leads-1", id: n + "-3") })).ShouldBe(201);
        var found = (await As(Tokens.Publisher(WorkBuddy)).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&limit=500")).ShouldBe(200).Items("items").Ids();
        found.Count(id => id.StartsWith(n + "-", StringComparison.Ordinal)).ShouldBe(3);
    }

    [GeneratedRegex(@",""traceId"":""[^""]*""", RegexOptions.NonBacktracking)]
    private static partial Regex TraceId();
}
