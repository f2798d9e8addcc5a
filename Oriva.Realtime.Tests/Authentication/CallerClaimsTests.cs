using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class CallerClaimsTests
{
    [Fact]
    public async Task DottedPath_LeadsIntoThePayload()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync(
            ("Auth:Claims:Apps", "app_metadata.apps"), ("Auth:Claims:Roles", "app_metadata.access.roles"), ("Auth:Claims:Sub", "user.id"));

        var caller = await host.CallAsync(host.Sign(
            """{"sub":"ignored","user":{"id":"ada"},"apps":["hugo-love"],"app_metadata":{"apps":["work-buddy"],"access":{"roles":["publisher"]}}}"""));

        caller.Sub.ShouldBe("ada");
        caller.Apps.ShouldBe(["work-buddy"]);
        caller.Roles.ShouldBe(["publisher"]);
    }

    [Theory]
    [InlineData("https://example.com/apps", """{"sub":"ada","https://example.com/apps":["work-buddy"]}""")]
    [InlineData("app_metadata.apps", """{"sub":"ada","app_metadata.apps":"work-buddy"}""")]
    public async Task NameWithDots_IsFoundAsItStands(string name, string claims)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync(("Auth:Claims:Apps", name));

        (await host.CallAsync(host.Sign(claims))).Apps.ShouldBe(["work-buddy"]);
    }

    [Theory]
    [InlineData("""["work-buddy","live-mixers"]""", "work-buddy live-mixers")]
    [InlineData("\"work-buddy\"", "work-buddy")]
    [InlineData("\"work-buddy,live-mixers\"", "work-buddy live-mixers")]
    [InlineData("\" work-buddy  live-mixers \"", "work-buddy live-mixers")]
    [InlineData("""["work-buddy","work-buddy"]""", "work-buddy")]
    [InlineData("""["work-buddy",7,null,"No App","x","*"]""", "work-buddy")]
    [InlineData("[]", "")]
    [InlineData("null", "")]
    [InlineData("7", "")]
    [InlineData("""{"work-buddy":true}""", "")]
    public async Task Apps_ComeAsAnArrayOrAString_AndOnlyAppIdsCount(string apps, string expected)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        var caller = await host.CallAsync(host.Sign($$"""{"sub":"ada","apps":{{apps}}}"""));

        caller.Apps.ShouldBe(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task RolesAndTopicsOfOtherServices_AreLeftOut()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        var caller = await host.CallAsync(host.Sign(
            """{"sub":"ada","roles":["authenticated","publisher","Admin"],"topics":["work-buddy/team-*","work-buddy/*","team","/team","work-buddy/","*/team","a b/c"]}"""));

        caller.Roles.ShouldBe(["publisher"]);
        caller.Topics.ShouldBe(["work-buddy/team-*", "work-buddy/*"]);
    }

    [Theory]
    [InlineData("uid")]
    [InlineData("sub")]
    public async Task Number_IsAUserId(string name)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync(("Auth:Claims:Sub", name));

        (await host.CallAsync(host.Sign($$"""{"{{name}}":4711}"""))).Sub.ShouldBe("4711");
    }

    [Theory]
    [InlineData("\"a\\u0000b\"")]
    [InlineData("\"\"")]
    [InlineData("{}")]
    public async Task AddressThatCannotBeKept_IsNone(string email)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        (await host.CallAsync(host.Sign($$"""{"sub":"ada","email":{{email}},"locale":"{{new string('x', 36)}}"}"""))).ShouldSatisfyAllConditions(
            caller => caller.Email.ShouldBeNull(),
            caller => caller.Locale.ShouldBeNull());
    }

    [Fact]
    public void CallerOfNobody_IsABug()
    {
        Should.Throw<InvalidOperationException>(() => new System.Security.Claims.ClaimsPrincipal().GetCaller());
    }

    [Fact]
    public void Caller_SurvivesTheCopyingOfItsPrincipal()
    {
        var caller = new Core.Apps.Caller("ada", ["work-buddy"], ["admin"], []);
        var principal = new System.Security.Claims.ClaimsPrincipal(new CallerIdentity(caller));

        var copy = principal.Clone();

        copy.GetCaller().ShouldBeSameAs(caller);
        copy.Identity!.IsAuthenticated.ShouldBeTrue();
        copy.Identity.Name.ShouldBe("ada");
        copy.IsInRole("admin").ShouldBeTrue();
    }
}
