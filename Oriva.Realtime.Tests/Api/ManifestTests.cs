using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class ManifestTests(ApiFixture fixture) : ManifestSpecification(fixture), IClassFixture<ApiFixture>;

public sealed class ManifestOnPostgresTests(PostgresHub fixture) : ManifestSpecification(fixture), IClassFixture<PostgresHub>;

public abstract class ManifestSpecification(HubFixture fixture) : HubTests(fixture)
{
    private readonly string _app = New("app");

    private string Path => $"/api/v1/apps/{_app}/manifest";

    [Fact]
    public async Task TheAppsOfAToken_AreListed()
    {
        var both = (await As(Tokens.Publisher(WorkBuddy, HugoLove, "no-such-app")).GetAsync("/api/v1/apps")).ShouldBe(200);
        both.Items("items").Select(app => app.Text("app")).ShouldBe([HugoLove, WorkBuddy]);
        both.At("next").ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        both.Items("items")[1].Text("name").ShouldBe("Work Buddy");
        both.Items("items")[1].Items("types").Select(type => type.GetString()).ShouldContain("task.completed");

        (await Admin.GetAsync("/api/v1/apps")).ShouldBe(200).Items("items").Select(app => app.Text("app")).ShouldContain(LiveMixers);
        (await As(Tokens.Publisher()).GetAsync("/api/v1/apps")).ShouldBe(200).Items("items").ShouldBeEmpty();
    }

    [Fact]
    public async Task PuttingAManifest_MakesTheApp_AndItIsUsableAtOnce()
    {
        var put = await Admin.PutAsync(Path, Manifest());
        put.ShouldBe(201).Number("version").ShouldBe(1);
        put.Headers.ETag!.ToString().ShouldBe("\"1\"");
        (await PublishAsync("""{ "n": 1 }""")).ShouldBe(201);

        var got = await Admin.GetAsync(Path);
        got.ShouldBe(200).ToString().ShouldBe(Manifest(), "as it was put");
        got.Headers.ETag!.ToString().ShouldBe("\"1\"");
        (await Admin.GetAsync(Path, ("If-None-Match", "\"1\""))).Status.ShouldBe(304);
        (await Admin.GetAsync(Path, ("If-None-Match", "\"0\", \"1\""))).Status.ShouldBe(304);
        (await Admin.GetAsync(Path, ("If-None-Match", "W/\"1\""))).Status.ShouldBe(304);
        (await Admin.GetAsync(Path, ("If-None-Match", "\"2\""))).Status.ShouldBe(200);
    }

    [Fact]
    public async Task AChange_RaisesTheVersion()
    {
        (await Admin.PutAsync(Path, Manifest())).ShouldBe(201);
        var changed = await Admin.PutAsync(Path, Manifest(name: "Another"));
        changed.ShouldBe(200).Number("version").ShouldBe(2);
        changed.Headers.ETag!.ToString().ShouldBe("\"2\"");
        (await Admin.GetAsync(Path)).ShouldBe(200).Text("name").ShouldBe("Another");
    }

    [Fact]
    public async Task IfMatch_LetsNobodyOverwriteAnothersChange()
    {
        (await Admin.PutAsync(Path, Manifest(), ("If-Match", "\"1\""))).ShouldBeProblem(412, "precondition_failed");
        (await Admin.PutAsync(Path, Manifest(), ("If-None-Match", "*"))).ShouldBe(201);
        (await Admin.PutAsync(Path, Manifest(), ("If-None-Match", "*"))).ShouldBeProblem(412, "precondition_failed");
        (await Admin.PutAsync(Path, Manifest(), ("If-Match", "\"1\""))).ShouldBe(200);
        (await Admin.PutAsync(Path, Manifest(), ("If-Match", "\"1\""))).ShouldBeProblem(412, "precondition_failed");
    }

    [Theory]
    [InlineData("If-Match", "nonsense")]
    [InlineData("If-Match", "\"0\"")]
    [InlineData("If-Match", "\"-1\"")]
    [InlineData("If-None-Match", "\"1\"")]
    public async Task AConditionThatIsNone_IsRefused(string header, string value) =>
        (await Admin.PutAsync(Path, Manifest(), (header, value))).ShouldBeProblem(422, "invalid");

    [Fact]
    public async Task OfManyAtOnce_EachChangeIsSeenOrRefused()
    {
        (await Admin.PutAsync(Path, Manifest())).ShouldBe(201);
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Admin.PutAsync(Path, Manifest(), ("If-Match", "\"1\""))));
        answers.Count(answer => answer.Status == 200).ShouldBe(1);
        foreach (var refused in answers.Where(answer => answer.Status != 200))
            refused.ShouldBeProblem(412, "precondition_failed");
    }

    [Fact]
    public async Task ADryRun_OnlyJudges()
    {
        (await Admin.PutAsync(Path + "?dryRun=true", Manifest())).ShouldBe(200).Flag("dryRun").ShouldBeTrue();
        (await Admin.GetAsync(Path)).ShouldBeProblem(404, "not_found");
        (await Admin.PutAsync(Path + "?dryRun=true", """{ "app": "x" }""")).ShouldBeProblem(422, "invalid");
        (await Admin.PutAsync(Path + "?dryRun=perhaps", Manifest())).ShouldBeProblem(422, "invalid", "/dryRun");
        (await Admin.PutAsync(Path + "?force=1", Manifest())).ShouldBeProblem(422, "invalid", "/force");
    }

    [Fact]
    public async Task AWrongManifest_IsRefusedWhole_EveryFaultWithItsPointer()
    {
        (await Admin.PutAsync(Path, $$"""
            {
              "app": "another", "name": "", "colour": "red",
              "events": {
                "Bad Type": {}, "a/b": {}, "notification.created": {}, "user.created": { "schema": {} },
                "order.placed": { "schema": { "type": "nonsense" }, "publishableBy": ["everybody"], "sharedWith": ["{{_app}}", "No App"] },
                "order.paid": { "schema": { "$ref": "https://example.com/schema.json" } }
              },
              "consumes": [{ "app": "{{_app}}", "types": ["order.*"] }, { "app": "work-buddy", "types": ["order*", "*.placed"] }, { "app": "work-buddy" }],
              "topics": [{ "pattern": "room-*", "access": "nobody" }, { "pattern": "room-1", "access": "members" }, { "pattern": "a b", "access": "claim" }],
              "notifications": [{ "name": "n", "on": "no.such_type", "title": "t", "to": "all", "channels": ["pigeon"], "required": "yes", "unlessAckedWithin": 0 }, {}]
            }
            """)).ShouldBeProblem(422, "invalid",
            "/app", "/name", "/colour", "/events/Bad Type", "/events/a~1b", "/events/notification.created", "/events/user.created/schema",
            "/events/order.placed/schema/type", "/events/order.placed/publishableBy/0", "/events/order.placed/sharedWith/0", "/events/order.placed/sharedWith/1",
            "/events/order.paid/schema", "/consumes/0/app", "/consumes/1/types/0", "/consumes/1/types/1", "/consumes/2/types", "/topics/0/access",
            "/topics/1/pattern", "/topics/2/pattern", "/notifications/0/on", "/notifications/0/to", "/notifications/0/channels/0",
            "/notifications/0/required", "/notifications/0/unlessAckedWithin", "/notifications/1/name", "/notifications/1/on", "/notifications/1/title");
        (await Admin.GetAsync(Path)).ShouldBeProblem(404, "not_found");
    }

    [Theory]
    [InlineData("", 400, "malformed")]
    [InlineData("{", 400, "malformed")]
    [InlineData("""{ "app": "a1", "app": "a2" }""", 400, "malformed")]
    [InlineData("[]", 422, "invalid")]
    [InlineData("null", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "a\u0000b" }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "\ud800" }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "events": { "order.placed": { "title": "\ud800" } } }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "events": { "order.placed": { "title": "\u0000" } } }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "events": { "\ud800": {} } }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "events": { "order.placed": { "schema": { "pattern": "\ud800" } } } }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "events": { "order.placed": { "schema": { "properties": { "a": { "pattern": "(" } } } } } }""", 422, "invalid")]
    [InlineData("""{ "app": "APP", "name": "A", "notifications": [{ "name": "n", "on": "user.created", "title": "t", "locales": { "\ud800": {} } }] }""", 422, "invalid")]
    public async Task ABadBody_IsRefusedWithItsCode(string body, int status, string code) =>
        (await Admin.PutAsync(Path, body.Replace("APP", _app, StringComparison.Ordinal))).ShouldBeProblem(status, code);

    [Fact]
    public async Task AManifestOfMoreThanAMebibyte_IsTooLarge() =>
        (await Admin.PutAsync(Path, new string(' ', 1_100_000))).ShouldBeProblem(413, "too_large");

    [Theory]
    [InlineData("A")]
    [InlineData("-app")]
    [InlineData("a%2Fb")]
    public async Task AnAppIdThatIsNone_IsRefused(string app)
    {
        var answer = await Admin.PutAsync($"/api/v1/apps/{app}/manifest", Manifest());
        answer.ShouldBeProblem(422, "invalid", "/app");
        (await Admin.GetAsync($"/api/v1/apps/{app}/manifest")).ShouldBeProblem(404, "not_found");
    }

    [Fact]
    public async Task AChangeThatBreaksATypeInUse_NeedsForce()
    {
        (await Admin.PutAsync(Path, Manifest())).ShouldBe(201);
        (await PublishAsync("""{ "n": 1 }""")).ShouldBe(201);

        var stricter = Manifest(schema: """{ "type": "object", "required": ["n", "m"] }""");
        (await Admin.PutAsync(Path, stricter)).ShouldBeProblem(422, "invalid", "/events/order.placed/schema");
        (await Admin.PutAsync(Path + "?dryRun=true", stricter)).ShouldBeProblem(422, "invalid", "/events/order.placed/schema");
        (await Admin.PutAsync(Path, $$"""{ "app": "{{_app}}", "name": "Mine" }""")).ShouldBeProblem(422, "invalid", "/events/order.placed");
        (await PublishAsync("""{ "n": 2 }""")).ShouldBe(201);

        (await Admin.PutAsync(Path + "?force=true", stricter)).ShouldBe(200);
        (await PublishAsync("""{ "n": 3 }""")).ShouldBeProblem(422, "schema_violation", "/data");
        (await Admin.PutAsync(Path, Manifest())).ShouldBe(200);
    }

    [Fact]
    public async Task AChangeThatStillFits_NeedsNone()
    {
        (await Admin.PutAsync(Path, Manifest())).ShouldBe(201);
        (await PublishAsync("""{ "n": 1 }""")).ShouldBe(201);
        (await Admin.PutAsync(Path, Manifest(schema: """{ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer", "maximum": 9 } } }"""))).ShouldBe(200);
        (await PublishAsync("""{ "n": 10 }""")).ShouldBeProblem(422, "schema_violation", "/data/n");
    }

    [Fact]
    public async Task OnlyAdmins_PutManifests()
    {
        (await Publisher.PutAsync($"/api/v1/apps/{WorkBuddy}/manifest", Manifest())).ShouldBeProblem(403, "app_forbidden");
        (await AsUser("ada").PutAsync($"/api/v1/apps/{WorkBuddy}/manifest", Manifest())).ShouldBeProblem(403, "app_forbidden");
        (await AsUser("ada").GetAsync($"/api/v1/apps/{WorkBuddy}/manifest")).ShouldBe(200).Text("app").ShouldBe(WorkBuddy);
    }

    private string Manifest(string name = "Mine", string schema = """{ "type": "object", "required": ["n"] }""") =>
        $$"""{ "app": "{{_app}}", "name": "{{name}}", "events": { "order.placed": { "schema": {{schema}} } } }""";

    private Task<HttpAnswer> PublishAsync(string data) =>
        As(Tokens.Publisher(_app)).PublishAsync($$"""{ "source": "{{_app}}", "type": "order.placed", "data": {{data}} }""");
}
