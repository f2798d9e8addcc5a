using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class BuiltInTypesTests
{
    [Fact]
    public void BuiltInTypes_AreThoseOfTheContract()
    {
        string[] contract =
        [
            "user.created", "user.updated", "user.profile_changed",
            "session.started", "session.ended", "session.registered",
            "app.installed", "app.uninstalled", "app.updated",
            "notification.created", "notification.read", "notification.updated",
        ];

        BuiltInTypes.All.Order(StringComparer.Ordinal).ShouldBe(contract.Order(StringComparer.Ordinal));
        contract.ShouldAllBe(type => BuiltInTypes.Contains(type) && Names.IsEventType(type));
    }

    [Theory]
    [InlineData("notification.created", true)]
    [InlineData("notification.read", true)]
    [InlineData("notification.updated", true)]
    [InlineData("notification.sent", false)]
    [InlineData("notification", false)]
    [InlineData("session.started", false)]
    [InlineData("app.installed", false)]
    [InlineData("Notification.Created", false)]
    public void Type_OfNotifications_IsReserved(string type, bool reserved) => BuiltInTypes.IsReserved(type).ShouldBe(reserved);

    [Theory]
    [InlineData("session.*")]
    [InlineData("Session.Started")]
    [InlineData("session")]
    [InlineData("mix.published")]
    [InlineData("")]
    public void Type_OfAnApp_IsNotBuiltIn(string type) => BuiltInTypes.Contains(type).ShouldBeFalse();
}
