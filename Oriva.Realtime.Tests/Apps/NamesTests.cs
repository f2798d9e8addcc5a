using System.Globalization;
using CsCheck;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class NamesTests
{
    [Theory]
    [InlineData("ab")]
    [InlineData("a1")]
    [InlineData("1a")]
    [InlineData("00")]
    [InlineData("a-")]
    [InlineData("work-buddy")]
    [InlineData("a--b")]
    public void AppId_InForm_IsAccepted(string app) => Names.IsApp(app).ShouldBeTrue();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("-ab")]
    [InlineData("Ab")]
    [InlineData("aB")]
    [InlineData("a_b")]
    [InlineData("a.b")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData(" ab")]
    [InlineData("ab\n")]
    [InlineData("ab\0")]
    [InlineData("äb")]
    [InlineData("a٣")]
    [InlineData("a*")]
    public void AppId_OutOfForm_IsRefused(string? app) => Names.IsApp(app).ShouldBeFalse();

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void AppId_OfLength_IsJudged(int length, bool valid) => Names.IsApp(new string('a', length)).ShouldBe(valid);

    [Theory]
    [InlineData("a")]
    [InlineData("A")]
    [InlineData("0")]
    [InlineData("room-1")]
    [InlineData("Room:1.2_3")]
    [InlineData("a.")]
    [InlineData("a..b")]
    public void Topic_InForm_IsAccepted(string topic) => Names.IsTopic(topic).ShouldBeTrue();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData(".a")]
    [InlineData(":a")]
    [InlineData("_a")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a*")]
    [InlineData("*")]
    [InlineData("a\n")]
    [InlineData("é")]
    [InlineData("aé")]
    [InlineData("a\0")]
    public void Topic_OutOfForm_IsRefused(string? topic) => Names.IsTopic(topic).ShouldBeFalse();

    [Theory]
    [InlineData(1, true)]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void Topic_OfLength_IsJudged(int length, bool valid) => Names.IsTopic(new string('t', length)).ShouldBe(valid);

    [Theory]
    [InlineData("a")]
    [InlineData("session.started")]
    [InlineData("user.profile_changed")]
    [InlineData("a.b.c.d.e")]
    [InlineData("mix2.take3")]
    public void EventType_InForm_IsAccepted(string type) => Names.IsEventType(type).ShouldBeTrue();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a.")]
    [InlineData(".a")]
    [InlineData("a..b")]
    [InlineData("A.b")]
    [InlineData("a.B")]
    [InlineData("a-b")]
    [InlineData("a b")]
    [InlineData("a.*")]
    [InlineData("*")]
    [InlineData("a/b")]
    [InlineData("a.b\n")]
    [InlineData("ä.b")]
    [InlineData("a.ß")]
    public void EventType_OutOfForm_IsRefused(string? type) => Names.IsEventType(type).ShouldBeFalse();

    [Theory]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void EventType_OfLength_IsJudged(int length, bool valid) => Names.IsEventType(new string('t', length)).ShouldBe(valid);

    [Theory]
    [InlineData("a")]
    [InlineData("auth0|5f7c8ec7c33c6c004bbafe82")]
    [InlineData("ada@example.com")]
    [InlineData("019af0c3-7d3b-7cc0-8000-000000000000")]
    [InlineData("ü")]
    [InlineData("日本語")]
    [InlineData("😀")]
    [InlineData("a\\b")]
    [InlineData("%2F")]
    [InlineData("\"quoted\"")]
    [InlineData("*")]
    [InlineData("e\u0301")]
    public void Id_InForm_IsAccepted(string id) => Names.IsId(id).ShouldBeTrue();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a b")]
    [InlineData("a ")]
    [InlineData("/")]
    [InlineData("a/b")]
    [InlineData("a\tb")]
    [InlineData("a\n")]
    [InlineData("a\0b")]
    [InlineData("\u001b[31m")]
    [InlineData("a\u007f")]
    [InlineData("a\u0085")]
    [InlineData("a\u00a0b")]
    [InlineData("a\u2028b")]
    [InlineData("a\u3000b")]
    [InlineData("a\ufffd")]
    public void Id_OutOfForm_IsRefused(string? id) => Names.IsId(id).ShouldBeFalse();

    [Theory]
    [InlineData(1, true)]
    [InlineData(128, true)]
    [InlineData(129, false)]
    [InlineData(100_000, false)]
    public void Id_OfLength_IsJudged(int length, bool valid) => Names.IsId(new string('i', length)).ShouldBe(valid);

    [Fact]
    public void Id_WithHalfASurrogatePair_IsRefused()
    {
        // Not as theory data: attributes are stored as UTF-8, which cannot hold them.
        string[] broken = ["\ud83d", "\ude00", "a\ud83d", "\ude00b", "\ude00\ud83d", "a\ud83db", "\ud83d\ud83d\ude00"];

        broken.Where(Names.IsId).ShouldBeEmpty();
    }

    [Fact]
    public void Id_WithInvisibleCharacters_IsRefused()
    {
        // "Printable": two ids that look the same, or that turn the text around them, must not both be users.
        string[] invisible = ["ada\u200b", "\ufeffada", "ada\u202e", "ada\u2066", "a\u00adda", "ada\uffff"];

        invisible.Where(Names.IsId).Select(Spell).ShouldBeEmpty();
    }

    [Fact]
    public void Id_OfPrintableAscii_IsAcceptedExceptSpaceAndSlash()
    {
        var accepted = Enumerable.Range(0, 128).Select(code => ((char)code).ToString()).Where(Names.IsId).ToList();

        accepted.ShouldBe(Enumerable.Range('!', '~' - '!' + 1).Where(code => code != '/').Select(code => ((char)code).ToString()));
    }

    [Fact]
    public void EveryForm_OfAnyText_NeverHoldsSlashOrSpace()
    {
        // Stream names, routes and topic claims are put together with '/', so a name that carried one could forge another's.
        var text = Gen.Char["ab1-._:/ *\n"].Array[1, 6].Select(chars => new string(chars));

        text.Sample(
            name =>
            {
                if (name.AsSpan().IndexOfAny("/ \n") >= 0)
                    (Names.IsApp(name) || Names.IsTopic(name) || Names.IsEventType(name) || Names.IsId(name)).ShouldBeFalse();
            },
            iter: 5_000);
    }

    private static string Spell(string text) =>
        string.Join(' ', text.Select(c => ((int)c).ToString("X4", CultureInfo.InvariantCulture)));
}
