using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class DevelopmentTokenTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const string Path = "/dev/token";

    [Fact]
    public async Task AToken_IsMadeForTheAsking_AndIsGood()
    {
        var made = (await As(null).PostAsync(Path,
            """{ "sub": "ada", "apps": ["work-buddy"], "roles": ["publisher"], "topics": ["work-buddy/team-*"], "expiresInSeconds": 60 }""")).ShouldBe(200);
        made.Names().ShouldBe(["token", "expiresAt"]);
        made.At("expiresAt").GetDateTimeOffset().ShouldBe(TimeProvider.System.GetUtcNow().AddSeconds(60), TimeSpan.FromSeconds(15));
        (await As(made.Text("token")).PublishAsync(Draft("bob"))).ShouldBe(201);
        (await As(made.Text("token")).PublishAsync(new { source = LiveMixers, type = "session.started" })).ShouldBeProblem(403, "app_forbidden", "/source");
    }

    [Fact]
    public async Task ATokenWithASubOnly_IsAUserWithoutApps()
    {
        var token = (await As(null).PostAsync(Path, """{ "sub": "ada" }""")).ShouldBe(200).Text("token");
        (await As(token).GetAsync("/api/v1/apps")).ShouldBe(200).Items("items").ShouldBeEmpty();
        (await As(token).PollAsync(new { app = WorkBuddy })).ShouldBeProblem(403, "app_forbidden");
    }

    [Theory]
    [InlineData("", 400, "malformed", null)]
    [InlineData("{", 400, "malformed", null)]
    [InlineData("[]", 422, "invalid", "")]
    [InlineData("{}", 422, "invalid", "/sub")]
    [InlineData("""{ "sub": "a b" }""", 422, "invalid", "/sub")]
    [InlineData("""{ "sub": 1 }""", 422, "invalid", "/sub")]
    [InlineData("""{ "sub": "ada", "apps": "work-buddy" }""", 422, "invalid", "/apps")]
    [InlineData("""{ "sub": "ada", "apps": ["work-buddy", "No App", 1] }""", 422, "invalid", "/apps/1 /apps/2")]
    [InlineData("""{ "sub": "ada", "roles": ["king"] }""", 422, "invalid", "/roles/0")]
    [InlineData("""{ "sub": "ada", "topics": ["team-1"] }""", 422, "invalid", "/topics/0")]
    [InlineData("""{ "sub": "ada", "expiresInSeconds": 0 }""", 422, "invalid", "/expiresInSeconds")]
    [InlineData("""{ "sub": "ada", "expiresInSeconds": "60" }""", 422, "invalid", "/expiresInSeconds")]
    public async Task ABadRequest_IsRefusedWithItsCode(string body, int status, string code, string? pointers) =>
        (await As(null).PostAsync(Path, body)).ShouldBeProblem(status, code, pointers is null ? [] : pointers.Split(' '));
}
