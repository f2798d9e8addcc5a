using System.Globalization;
using System.Security.Claims;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class GoodTokensTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ClaimsPrincipal _ada = new();

    [Fact]
    public void GoodToken_IsKnownForAMinute()
    {
        var good = new GoodTokens(_time);
        good.Add("token", _ada, _time.GetUtcNow().AddHours(1));

        _time.Advance(TimeSpan.FromSeconds(59));
        good.Find("token").ShouldBeSameAs(_ada);
        good.Find("Token").ShouldBeNull();
        _time.Advance(TimeSpan.FromSeconds(1));
        good.Find("token").ShouldBeNull("its key may have been withdrawn meanwhile");
    }

    [Fact]
    public void GoodToken_IsNotKnownPastItsExpiry()
    {
        var good = new GoodTokens(_time);
        good.Add("token", _ada, _time.GetUtcNow().AddSeconds(10));

        _time.Advance(TimeSpan.FromSeconds(10));

        good.Find("token").ShouldBeNull();
    }

    [Fact]
    public void Tokens_AreBoundedInNumber()
    {
        var good = new GoodTokens(_time);

        for (var i = 0; i < 25_000; i++)
            good.Add(i.ToString(CultureInfo.InvariantCulture), _ada, _time.GetUtcNow().AddHours(1));

        Enumerable.Range(0, 25_000).Count(i => good.Find(i.ToString(CultureInfo.InvariantCulture)) is not null).ShouldBeInRange(1, 10_000);
        good.Find("24999").ShouldBeSameAs(_ada);
    }
}
