using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

/// <summary>What is refused before an endpoint sees it is a problem with a code, too.</summary>
public sealed class ProblemTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    [Theory]
    [InlineData("GET", "/nothing")]
    [InlineData("GET", "/api/v1")]
    [InlineData("GET", "/api/v1/nothing")]
    [InlineData("POST", "/api/v2/events")]
    [InlineData("GET", "/api/v1/events/01a20fe4-9f89-7d70-b9bd-fe9a63eef49a")]
    [InlineData("GET", "/api/v1/apps/no-such-app/manifest")]
    [InlineData("GET", "/api/v1/apps/work-buddy/users/nobody")]
    [InlineData("DELETE", "/api/v1/apps/work-buddy/users/nobody")]
    public async Task WhatDoesNotExist_IsNotFound(string method, string path) =>
        (await Admin.SendAsync(new HttpMethod(method), path, null, null, [])).ShouldBeProblem(404, "not_found");

    [Theory]
    [InlineData("DELETE", "/api/v1/events")]
    [InlineData("PUT", "/api/v1/events/poll")]
    [InlineData("POST", "/api/v1/events/stream")]
    [InlineData("PATCH", "/api/v1/apps/work-buddy/users/ada")]
    [InlineData("DELETE", "/api/v1/apps/work-buddy/manifest")]
    [InlineData("GET", "/dev/token")]
    public async Task AnotherMethod_IsNotAllowed(string method, string path) =>
        (await Admin.SendAsync(new HttpMethod(method), path, null, null, [])).ShouldBeProblem(405, "method_not_allowed");

    [Theory]
    [InlineData("POST", "/api/v1/events/poll")]
    [InlineData("PUT", "/api/v1/apps/work-buddy/users/ada")]
    [InlineData("PUT", "/api/v1/apps/work-buddy/manifest")]
    public async Task AnotherMediaType_IsRefused(string method, string path) =>
        (await Admin.SendAsync(new HttpMethod(method), path, "{}", "text/plain", [])).ShouldBeProblem(415, "unsupported_media_type");

    [Theory]
    [InlineData("http://localhost:3000", true)]
    [InlineData("http://127.0.0.1:5173", true)]
    [InlineData("https://evil.example.com", false)]
    public async Task InDevelopment_PagesOfThisMachineMayCall(string origin, bool allowed) =>
        (await PreflightAsync(Hub, origin)).ShouldBe(allowed ? origin : null);

    [Fact]
    public async Task OutsideDevelopment_PagesOfTheOriginsMayCall()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Cors:Origins:0"] = "https://app.example.com" }, "Production");
        (await PreflightAsync(hub, "https://app.example.com")).ShouldBe("https://app.example.com");
        (await PreflightAsync(hub, "https://evil.example.com")).ShouldBeNull();
        (await PreflightAsync(hub, "http://localhost:3000")).ShouldBeNull();
    }

    [Fact]
    public async Task OriginsInOneSetting_AreTakenToo()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Cors:Origins"] = "https://a.example.com, https://b.example.com" }, "Production");
        (await PreflightAsync(hub, "https://b.example.com")).ShouldBe("https://b.example.com");
    }

    private static async Task<string?> PreflightAsync(HubHost hub, string origin)
    {
        var answer = await hub.As(null).SendAsync(HttpMethod.Options, ApiCaller.Events, null, null,
            [("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type")]);
        return answer.Headers.TryGetValues("Access-Control-Allow-Origin", out var origins) ? origins.Single() : null;
    }
}
