using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class ObservabilityTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const string Production = "Production";

    [Fact]
    public async Task ANodeThatWorks_IsLiveAndReady_AndSaysSoToAnybody()
    {
        (await As(null).GetAsync("/health/live")).ShouldBe(200).Text("status").ShouldBe("healthy");
        var ready = (await As(null).GetAsync("/health/ready")).ShouldBe(200);
        ready.Text("status").ShouldBe("healthy");
        ready.Text("checks", "store", "status").ShouldBe("healthy");
    }

    [Fact]
    public async Task Metrics_TellOfPublishingAppendingPushingAndSessions()
    {
        var user = New("user");
        await using var stream = await AsUser(user).OpenStreamAsync($"app={WorkBuddy}");
        (await Publisher.PublishAsync(Draft(user))).ShouldBe(201);
        (await Publisher.PublishAsync(new { source = WorkBuddy, type = "no.such_type" })).ShouldBeProblem(422, "unknown_type");
        await stream.ReadEventsAsync(1);

        string[] expected =
        [
            "oriva_publish_events_total{", "app=\"work-buddy\"", "oriva_publish_duration_seconds_bucket{", "oriva_publish_refused_total{", "code=\"",
            "oriva_append_duration_seconds_count", "oriva_append_rows_count", "oriva_push_events_total", "oriva_push_latency_seconds_count",
            "oriva_sessions{", "output=\"stream\"", "oriva_subscriptions",
        ];
        // A scrape may be answered with the one of a moment ago.
        var metrics = "";
        await Waiting.Eventually("oriva_push_events_total is there", async () =>
        {
            var answer = await As(null).GetAsync("/metrics");
            answer.Status.ShouldBe(200);
            return (metrics = answer.Text).Contains("oriva_push_events_total", StringComparison.Ordinal);
        });
        expected.Where(name => !metrics.Contains(name, StringComparison.Ordinal)).ShouldBeEmpty(metrics);
        metrics.ShouldNotContain(user, customMessage: "metrics name no users");
    }

    [Fact]
    public async Task OutsideDevelopment_MetricsAreForAdmins()
    {
        var hub = await StartHubAsync(environment: Production);
        (await hub.As(null).GetAsync("/metrics")).ShouldBeProblem(401, "unauthenticated");
        (await hub.As(Tokens.Publisher(WorkBuddy)).GetAsync("/metrics")).ShouldBeProblem(403, "forbidden");
        (await hub.As(Tokens.Admin()).GetAsync("/metrics")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task OutsideDevelopment_TheServiceWorks_ButMakesNoTokens()
    {
        var hub = await StartHubAsync(environment: Production);
        (await hub.As(null).PostAsync("/dev/token", """{ "sub": "ada" }""")).ShouldBeProblem(404, "not_found");
        (await hub.As(Tokens.Admin()).PostAsync("/dev/token", """{ "sub": "ada" }""")).ShouldBeProblem(404, "not_found");
        (await hub.As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft("ada"))).ShouldBe(201);
        (await hub.As(null).GetAsync("/health/ready")).ShouldBe(200);
        (await hub.As(null).GetAsync("/openapi/v1.json")).ShouldBe(200).At("paths").Names().ShouldNotContain("/dev/token");
    }
}
