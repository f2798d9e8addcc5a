using Oriva.Realtime.Core.Notifications;

namespace Oriva.Realtime.Tests.Notifications;

public sealed class RetryDelayTests
{
    private static readonly TimeSpan[] s_delays = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10)];

    [Theory]
    [InlineData(1, 1.0)]
    [InlineData(2, 10.0)]
    [InlineData(3, null)]
    public void WithoutJitter_DelaysAreAsSet_AndEnd(int failures, double? seconds) =>
        RetryDelay.After(failures, s_delays, jitterPercent: 0, new Random(1))?.TotalSeconds.ShouldBe(seconds!.Value);

    [Fact]
    public void AfterTheLastDelay_ThereIsNone() => RetryDelay.After(3, s_delays, 20, new Random(1), TimeSpan.FromHours(1)).ShouldBeNull();

    [Fact]
    public void Jitter_SpreadsOverItsPercent_AndNoFurther()
    {
        var random = new Random(7);
        var delays = Enumerable.Range(0, 10_000).Select(_ => RetryDelay.After(2, s_delays, jitterPercent: 20, random)!.Value.TotalSeconds).ToList();

        delays.Min().ShouldBeInRange(8.0, 8.1);
        delays.Max().ShouldBeInRange(11.9, 12.0);
        delays.Average().ShouldBe(10, 0.1);
    }

    [Theory]
    [InlineData(0.5, 1)]
    [InlineData(30, 30)]
    [InlineData(1_000_000, 86_400)]
    public void RetryAfter_IsHonoured_WhenItIsLater_ForADayAtMost(double asked, double seconds) =>
        RetryDelay.After(1, s_delays, 0, new Random(1), TimeSpan.FromSeconds(asked))!.Value.TotalSeconds.ShouldBe(seconds);

    [Theory]
    [InlineData("1,2,4,8,16", true)]
    [InlineData("0.5", true)]
    [InlineData("86400", true)]
    [InlineData("", false)]
    [InlineData("1,,2", false)]
    [InlineData("0", false)]
    [InlineData("-1", false)]
    [InlineData("86401", false)]
    [InlineData("1s", false)]
    public void Setting_IsSecondsJoinedByCommas(string text, bool isGood) => DeliveryOptions.AreDelays(text).ShouldBe(isGood);

    [Fact]
    public void Channel_HasItsOwnDelays_OrTheCommonOnes()
    {
        var options = new DeliveryOptions { Channels = { Email = "5,60" } };

        options.DelaysOf("email").ShouldBe([TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(1)]);
        options.DelaysOf("push").Count.ShouldBe(5);
    }
}
