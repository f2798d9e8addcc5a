using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class DevelopmentTokensTests
{
    [Fact]
    public async Task Token_IsGood_AndSaysWhatWasAsked()
    {
        await using var host = await AuthenticationHost.StartAsync("Development");

        var issued = await IssueAsync(host,
            """{"sub":"ada","apps":["work-buddy","live-mixers"],"roles":["admin"],"topics":["work-buddy/team-*"],"email":"a@b.c","locale":"de","expiresInSeconds":60,"more":1}""");
        var caller = await host.CallAsync(issued.GetProperty("token").GetString()!);

        caller.Sub.ShouldBe("ada");
        caller.Apps.ShouldBe(["work-buddy", "live-mixers"]);
        caller.Roles.ShouldBe(["admin"]);
        caller.Topics.ShouldBe(["work-buddy/team-*"]);
        caller.Email.ShouldBe("a@b.c");
        caller.Locale.ShouldBe("de");
        caller.ExpiresAt.ShouldBe(host.Time.GetUtcNow().AddSeconds(60));
        issued.GetProperty("expiresAt").GetDateTimeOffset().ShouldBe(caller.ExpiresAt!.Value);
    }

    [Fact]
    public async Task UserIdAlone_IsEnough_AndTheTokenLastsAnHour()
    {
        await using var host = await AuthenticationHost.StartAsync("Development");

        var issued = await IssueAsync(host, """{"sub":"ada","apps":null}""");
        var caller = await host.CallAsync(issued.GetProperty("token").GetString()!);

        caller.Apps.ShouldBeEmpty();
        caller.Roles.ShouldBeEmpty();
        caller.ExpiresAt.ShouldBe(host.Time.GetUtcNow().AddHours(1));
    }

    [Fact]
    public async Task Claims_StandWhereTheServiceReadsThem()
    {
        await using var host = await AuthenticationHost.StartAsync("Development",
            ("Auth:SymmetricKey", AuthenticationHost.Secret), ("Auth:Issuer", "https://id.example"), ("Auth:Audience", "realtime"), ("Auth:Claims:Sub", "email"),
            ("Auth:Claims:Apps", "app_metadata.apps"), ("Auth:Claims:Roles", "app_metadata.roles"), ("Auth:Claims:Topics", "https://example.com/topics"));

        var issued = await IssueAsync(host, """{"sub":"ada@example.com","apps":["work-buddy"],"roles":["publisher"],"topics":["work-buddy/*"]}""");
        var caller = await host.CallAsync(issued.GetProperty("token").GetString()!);

        caller.Sub.ShouldBe("ada@example.com");
        caller.Apps.ShouldBe(["work-buddy"]);
        caller.Roles.ShouldBe(["publisher"]);
        caller.Topics.ShouldBe(["work-buddy/*"]);
    }

    [Theory]
    [InlineData("{}", "/sub")]
    [InlineData("""{"sub":7}""", "/sub")]
    [InlineData("""{"sub":"a b"}""", "/sub")]
    [InlineData("""{"sub":"ada","apps":"work-buddy"}""", "/apps")]
    [InlineData("""{"sub":"ada","apps":["work-buddy","No App"]}""", "/apps/1")]
    [InlineData("""{"sub":"ada","roles":["root"]}""", "/roles/0")]
    [InlineData("""{"sub":"ada","topics":["team"]}""", "/topics/0")]
    [InlineData("""{"sub":"ada","email":7}""", "/email")]
    [InlineData("""{"sub":"ada","expiresInSeconds":0}""", "/expiresInSeconds")]
    [InlineData("""{"sub":"ada","expiresInSeconds":2592001}""", "/expiresInSeconds")]
    [InlineData("""{"sub":"ada","expiresInSeconds":1.5}""", "/expiresInSeconds")]
    [InlineData("""{"sub":"ada","expiresInSeconds":"60"}""", "/expiresInSeconds")]
    [InlineData("[]", "")]
    public async Task BadRequest_IsAnswered422ByPointer(string body, string pointer)
    {
        await using var host = await AuthenticationHost.StartAsync("Development");

        using var response = await PostAsync(host, body);

        await AuthenticationHost.ReadProblemAsync(response, 422, "invalid");
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        problem.GetProperty("errors").EnumerateObject().Select(error => error.Name).ShouldBe([pointer]);
    }

    [Fact]
    public async Task BodyThatIsNoJson_IsAnswered400()
    {
        await using var host = await AuthenticationHost.StartAsync("Development");

        using var response = await PostAsync(host, "sub=ada");

        await AuthenticationHost.ReadProblemAsync(response, 400, "malformed");
    }

    [Fact]
    public async Task OutsideDevelopment_ThereIsNoSuchEndpoint()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        using var response = await PostAsync(host, """{"sub":"ada"}""");

        response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Key_IsKeptBesideTheData_ForItsOwnerAlone()
    {
        await using var host = await AuthenticationHost.StartAsync("Development");
        var path = Path.Combine(host.Folder, ".data", "development-signing-key");

        var key = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);

        key.Trim().Length.ShouldBeGreaterThanOrEqualTo(43);
        Directory.GetFiles(Path.GetDirectoryName(path)!).ShouldBe([path]);
        if (!OperatingSystem.IsWindows())
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public async Task Key_OutlivesARestart()
    {
        var folder = Directory.CreateTempSubdirectory("oriva-key-").FullName;
        try
        {
            (string, string?) data = ("Storage:SqlitePath", Path.Combine(folder, "oriva.db"));
            string token;
            await using (var before = await AuthenticationHost.StartAsync("Development", data))
                token = (await IssueAsync(before, """{"sub":"ada"}""")).GetProperty("token").GetString()!;

            await using var after = await AuthenticationHost.StartAsync("Development", data);
            (await after.CallAsync(token)).Sub.ShouldBe("ada");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Task<HttpResponseMessage> PostAsync(AuthenticationHost host, string body) =>
        host.Client.PostAsync("/dev/token", new StringContent(body, Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

    private static async Task<JsonElement> IssueAsync(AuthenticationHost host, string body)
    {
        using var response = await PostAsync(host, body);
        response.StatusCode.ShouldBe(HttpStatusCode.OK, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }
}
