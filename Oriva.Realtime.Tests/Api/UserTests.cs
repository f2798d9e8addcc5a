using System.Text.Json;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class UserTests(ApiFixture fixture) : UserSpecification(fixture), IClassFixture<ApiFixture>;

public sealed class UserOnPostgresTests(PostgresHub fixture) : UserSpecification(fixture), IClassFixture<PostgresHub>;

public abstract class UserSpecification(HubFixture fixture) : HubTests(fixture)
{
    private readonly string _user = New("user");

    private string Path => $"/api/v1/apps/{WorkBuddy}/users/{_user}";

    [Fact]
    public async Task ABackEnd_AddsAndUpdatesAUser()
    {
        var added = (await Publisher.PutAsync(Path, new { email = "ada@example.com", locale = "pt-BR", timeZone = "Europe/Vienna" })).ShouldBe(200);
        added.Names().ShouldBe(["app", "userId", "email", "locale", "timeZone", "joinedAt", "leftAt"], ignoreOrder: true);
        added.Text("email").ShouldBe("ada@example.com");
        added.At("leftAt").ValueKind.ShouldBe(JsonValueKind.Null);

        var updated = (await Publisher.PutAsync(Path, new { locale = "de" })).ShouldBe(200);
        updated.Text("locale").ShouldBe("de");
        updated.At("email").ValueKind.ShouldBe(JsonValueKind.Null, "a PUT says everything");
        var got = (await Publisher.GetAsync(Path)).ShouldBe(200);
        got.Text("locale").ShouldBe("de");
        got.At("joinedAt").GetDateTimeOffset().ShouldBe(added.At("joinedAt").GetDateTimeOffset(), TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task ATokensFirstUse_AddsItsHolder_WithWhatTheTokenSays()
    {
        (await Publisher.GetAsync(Path)).ShouldBeProblem(404, "not_found");
        var token = Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy], Email = "ada@example.com", Locale = "de" });
        (await As(token).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}")).ShouldBe(200);
        var user = (await Publisher.GetAsync(Path)).ShouldBe(200);
        user.Text("email").ShouldBe("ada@example.com");
        user.Text("locale").ShouldBe("de");
    }

    [Fact]
    public async Task AUserWhoLeaves_LosesTheAppButKeepsOthers_UntilItIsPutAgain()
    {
        var token = Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy, LiveMixers] });
        (await As(token).PollAsync(new { app = WorkBuddy })).ShouldBe(200);
        (await Publisher.DeleteAsync(Path)).ShouldBe(204);

        (await As(token).PollAsync(new { app = WorkBuddy })).ShouldBeProblem(403, "app_forbidden");
        (await As(token).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}")).ShouldBeProblem(403, "app_forbidden");
        (await As(token).GetAsync($"{ApiCaller.Events}/stream?app={WorkBuddy}")).ShouldBeProblem(403, "app_forbidden");
        (await As(token).GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}")).ShouldBeProblem(403, "app_forbidden");
        (await As(token).PublishAsync(new { source = WorkBuddy, type = "task.completed", userId = _user, data = new { taskId = "t" } })).ShouldBeProblem(403, "app_forbidden");
        (await As(token).PollAsync(new { app = LiveMixers })).ShouldBe(200);

        (await Publisher.GetAsync(Path)).ShouldBe(200).At("leftAt").ValueKind.ShouldBe(JsonValueKind.String);
        (await Publisher.DeleteAsync(Path)).ShouldBeProblem(404, "not_found");
        (await Publisher.PutAsync(Path, "{}")).ShouldBe(200).At("leftAt").ValueKind.ShouldBe(JsonValueKind.Null);
        (await As(token).PollAsync(new { app = WorkBuddy })).ShouldBe(200);
    }

    [Fact]
    public async Task PuttingTheSameUserManyTimesAtOnce_AddsItOnce()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Publisher.PutAsync(Path, new { locale = "de" })));
        foreach (var answer in answers)
            answer.ShouldBe(200).Text("locale").ShouldBe("de");
    }

    [Fact]
    public async Task TheDirectory_IsForPublishers()
    {
        (await AsUser(_user).GetAsync(Path)).ShouldBeProblem(403, "user_forbidden");
        (await AsUser(_user).PutAsync(Path, "{}")).ShouldBeProblem(403, "user_forbidden");
        (await AsUser(_user).DeleteAsync(Path)).ShouldBeProblem(403, "user_forbidden");
        (await As(Tokens.Publisher(LiveMixers)).GetAsync(Path)).ShouldBeProblem(403, "app_forbidden");
        (await Admin.PutAsync(Path, "{}")).ShouldBe(200);
    }

    [Fact]
    public async Task AnUnknownUser_IsNotFound()
    {
        (await Publisher.GetAsync(Path)).ShouldBeProblem(404, "not_found");
        (await Publisher.DeleteAsync(Path)).ShouldBeProblem(404, "not_found");
    }

    [Theory]
    [InlineData("", 400, "malformed", null)]
    [InlineData("{", 400, "malformed", null)]
    [InlineData("""{ "email": "a@b", "email": "c@d" }""", 400, "malformed", null)]
    [InlineData("[]", 422, "invalid", "")]
    [InlineData("null", 422, "invalid", "")]
    [InlineData("""{ "email": 1 }""", 422, "invalid", "/email")]
    [InlineData("""{ "email": "nobody" }""", 422, "invalid", "/email")]
    [InlineData("""{ "email": "a b@example.com" }""", 422, "invalid", "/email")]
    [InlineData("""{ "email": "a@b\r\nBcc: c@d" }""", 422, "invalid", "/email")]
    [InlineData("""{ "email": "a\u0000@b" }""", 422, "invalid", "/email")]
    [InlineData("""{ "email": "\ud800@b" }""", 422, "invalid", "/email")]
    [InlineData("""{ "locale": "German, please" }""", 422, "invalid", "/locale")]
    [InlineData("""{ "timeZone": "Middle/Earth" }""", 422, "invalid", "/timeZone")]
    [InlineData("""{ "timeZone": "../../etc/passwd" }""", 422, "invalid", "/timeZone")]
    [InlineData("""{ "timeZone": "\u0000" }""", 422, "invalid", "/timeZone")]
    [InlineData("""{ "timeZone": "" }""", 422, "invalid", "/timeZone")]
    public async Task ABadBody_IsRefusedWithItsCode(string body, int status, string code, string? pointer) =>
        (await Publisher.PutAsync(Path, body)).ShouldBeProblem(status, code, pointer is null ? [] : [pointer]);

    [Theory]
    [InlineData("a%2Fb")]
    [InlineData("a%2fb")]
    [InlineData("a%20b")]
    [InlineData("%E2%80%83")]
    [InlineData("a%0Ab")]
    public async Task AUserIdThatIsNone_IsRefused(string id)
    {
        var path = $"/api/v1/apps/{WorkBuddy}/users/{id}";
        foreach (var answer in new[] { await Publisher.PutAsync(path, "{}"), await Publisher.GetAsync(path), await Publisher.DeleteAsync(path) })
            answer.ShouldBeProblem(422, "invalid", "/userId");
    }

    [Fact]
    public async Task AUserIdOf128Characters_IsTheLongest()
    {
        (await Publisher.PutAsync($"/api/v1/apps/{WorkBuddy}/users/{_user}{new string('x', 128 - _user.Length)}", "{}")).ShouldBe(200);
        (await Publisher.PutAsync($"/api/v1/apps/{WorkBuddy}/users/{_user}{new string('x', 129 - _user.Length)}", "{}")).ShouldBeProblem(422, "invalid", "/userId");
    }

    [Fact]
    public async Task AnIdWithSpecialCharacters_IsTheSameEverywhere()
    {
        var id = _user + "|auth0:ü@x%y";
        (await Publisher.PutAsync($"/api/v1/apps/{WorkBuddy}/users/{Uri.EscapeDataString(id)}", "{}")).ShouldBe(200).Text("userId").ShouldBe(id);
        (await Publisher.PublishAsync(Draft(id))).ShouldBe(201).Text("stream").ShouldBe($"{WorkBuddy}/users/{id}");
        (await AsUser(id).PollAsync(new { app = WorkBuddy, from = "start" })).ShouldBe(200).Items("events").ShouldContain(e => e.Text("stream") == $"{WorkBuddy}/users/{id}");
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={Uri.EscapeDataString(id)}")).ShouldBe(200).Items("items").Count.ShouldBe(1);
    }
}
