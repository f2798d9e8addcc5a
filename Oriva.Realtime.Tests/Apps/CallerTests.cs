using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class CallerTests
{
    [Theory]
    [InlineData(new string[0], false, false)]
    [InlineData(new[] { "publisher" }, true, false)]
    [InlineData(new[] { "admin" }, true, true)]
    [InlineData(new[] { "publisher", "admin" }, true, true)]
    [InlineData(new[] { "Admin", "ADMIN", "Publisher" }, false, false)]
    [InlineData(new[] { "administrator", "publisher " }, false, false)]
    public void Roles_OfAToken_AreTakenLiterally(string[] roles, bool isPublisher, bool isAdmin)
    {
        var caller = new Caller("ada", ["work-buddy"], roles, []);

        caller.IsPublisher.ShouldBe(isPublisher);
        caller.IsAdmin.ShouldBe(isAdmin);
    }

    [Theory]
    [InlineData(new string[0], "work-buddy", true)]
    [InlineData(new string[0], "hugo-love", false)]
    [InlineData(new string[0], "Work-Buddy", false)]
    [InlineData(new string[0], "work", false)]
    [InlineData(new string[0], "", false)]
    [InlineData(new[] { "publisher" }, "hugo-love", false)]
    [InlineData(new[] { "admin" }, "hugo-love", true)]
    public void Apps_OfAToken_AreHeld_AndAdminsHoldAll(string[] roles, string app, bool holds) =>
        new Caller("ada", ["work-buddy"], roles, []).Holds(app).ShouldBe(holds);

    [Fact]
    public void Service_IsAdminOfEverything()
    {
        Caller.Service.IsAdmin.ShouldBeTrue();
        Caller.Service.IsPublisher.ShouldBeTrue();
        Caller.Service.Holds("any-app").ShouldBeTrue();
        Caller.Service.Sub.ShouldBe("oriva");
        Caller.Service.ExpiresAt.ShouldBeNull();
    }

    [Fact]
    public void Copy_WithoutTheRoles_HasLostTheirRights()
    {
        var admin = new Caller("ada", [], [Caller.AdminRole], []);

        var demoted = admin with { Roles = [] };

        demoted.IsAdmin.ShouldBeFalse();
        demoted.IsPublisher.ShouldBeFalse();
        demoted.Holds("work-buddy").ShouldBeFalse();
    }

    [Fact]
    public void TokensHolder_IsNotTheServiceByTakingItsName()
    {
        // The publish rate limit spares Caller.Service alone.
        new Caller("oriva", [], [Caller.AdminRole], []).ShouldNotBe(Caller.Service);
    }
}
