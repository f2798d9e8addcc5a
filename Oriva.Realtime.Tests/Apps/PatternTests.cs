using CsCheck;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Tests.Apps;

public sealed class PatternTests
{
    [Theory]
    [InlineData("*", true)]
    [InlineData("session", false)]
    [InlineData("session.started", false)]
    [InlineData("session.*", true)]
    [InlineData("a.b.*", true)]
    public void TypePattern_InForm_IsRead(string text, bool isPrefix)
    {
        Pattern.TryParseType(text, out var pattern).ShouldBeTrue();

        pattern.Text.ShouldBe(text);
        pattern.ToString().ShouldBe(text);
        pattern.IsPrefix.ShouldBe(isPrefix);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("**")]
    [InlineData(".*")]
    [InlineData("session*")]
    [InlineData("session.")]
    [InlineData("session.**")]
    [InlineData("session.*.x")]
    [InlineData("*.started")]
    [InlineData("Session.*")]
    [InlineData("session. *")]
    [InlineData("session.*\n")]
    [InlineData("room-1")]
    public void TypePattern_OutOfForm_IsRefused(string? text)
    {
        Pattern.TryParseType(text, out var pattern).ShouldBeFalse();

        pattern.ShouldBe(default);
    }

    [Theory]
    [InlineData("*", true)]
    [InlineData("room-1", false)]
    [InlineData("room-*", true)]
    [InlineData("r*", true)]
    [InlineData("Room:1._*", true)]
    public void TopicPattern_InForm_IsRead(string text, bool isPrefix)
    {
        Pattern.TryParseTopic(text, out var pattern).ShouldBeTrue();

        pattern.Text.ShouldBe(text);
        pattern.IsPrefix.ShouldBe(isPrefix);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("**")]
    [InlineData("-*")]
    [InlineData("room-**")]
    [InlineData("*room")]
    [InlineData("ro*om")]
    [InlineData("room *")]
    [InlineData("room/*")]
    [InlineData("app/room-*")]
    [InlineData("room-*\n")]
    public void TopicPattern_OutOfForm_IsRefused(string? text)
    {
        Pattern.TryParseTopic(text, out var pattern).ShouldBeFalse();

        pattern.ShouldBe(default);
    }

    [Theory]
    [InlineData("session.started", "session.started", true)]
    [InlineData("session.started", "session.ended", false)]
    [InlineData("session.started", "session.started.late", false)]
    [InlineData("session.started", "session", false)]
    [InlineData("session.*", "session.started", true)]
    [InlineData("session.*", "session.started.late", true)]
    [InlineData("session.*", "session", false)]
    [InlineData("session.*", "sessions.started", false)]
    [InlineData("session.*", "user.session.started", false)]
    [InlineData("*", "session.started", true)]
    [InlineData("*", "x", true)]
    public void TypePattern_OfName_Matches(string pattern, string name, bool matches) => Type(pattern).Matches(name).ShouldBe(matches);

    [Theory]
    [InlineData("room-*", "room-1", true)]
    [InlineData("room-*", "room-", true)]
    [InlineData("room-*", "room", false)]
    [InlineData("room-*", "Room-1", false)]
    [InlineData("room-1", "room-1", true)]
    [InlineData("room-1", "room-10", false)]
    [InlineData("room-1", "ROOM-1", false)]
    [InlineData("*", "anything", true)]
    public void TopicPattern_OfName_Matches(string pattern, string name, bool matches) => Topic(pattern).Matches(name).ShouldBe(matches);

    [Theory]
    [InlineData("*", "*", "*")]
    [InlineData("*", "room-*", "room-*")]
    [InlineData("*", "room-1", "room-1")]
    [InlineData("room-*", "room-vip-*", "room-vip-*")]
    [InlineData("room-*", "room-1", "room-1")]
    [InlineData("room-*", "room-*", "room-*")]
    [InlineData("room-1", "room-1", "room-1")]
    [InlineData("room-*", "room-", "room-")]
    [InlineData("room-*", "vip-*", null)]
    [InlineData("room-*", "room", null)]
    [InlineData("room-1", "room-2", null)]
    [InlineData("room-1", "room-10", null)]
    [InlineData("room-1*", "room-1", "room-1")]
    public void TwoPatterns_Intersected_GiveTheNarrower(string one, string other, string? both)
    {
        Topic(one).Intersect(Topic(other))?.Text.ShouldBe(both);
        Topic(other).Intersect(Topic(one))?.Text.ShouldBe(both);
        (Topic(one).Intersect(Topic(other)) is null).ShouldBe(both is null);
    }

    [Fact]
    public void AnyTwoPatterns_Intersected_MatchExactlyWhatBothMatch()
    {
        var names = AllNames(alphabet: "ab", longest: 5);
        var name = Gen.Char["ab"].Array[1, 4].Select(chars => new string(chars));
        var pattern = Gen.Frequency((4, name), (4, name.Select(prefix => prefix + "*")), (1, Gen.Const("*"))).Select(Topic);

        Gen.Select(pattern, pattern).Sample(
            (one, other) =>
            {
                var both = one.Intersect(other);
                both.ShouldBe(other.Intersect(one));
                foreach (var each in names)
                {
                    var matchesBoth = one.Matches(each) && other.Matches(each);
                    (both?.Matches(each) ?? false).ShouldBe(matchesBoth, $"{one} ∩ {other} = {both}, of {each}");
                }
            },
            iter: 1_000);
    }

    private static List<string> AllNames(string alphabet, int longest)
    {
        List<string> names = [""];
        for (var from = 0; names[^1].Length < longest;)
        {
            var to = names.Count;
            for (; from < to; from++)
                names.AddRange(alphabet.Select(c => names[from] + c));
        }

        return names[1..];
    }

    private static Pattern Type(string text) => Pattern.TryParseType(text, out var pattern) ? pattern : throw new ArgumentException(text, nameof(text));

    private static Pattern Topic(string text) => Pattern.TryParseTopic(text, out var pattern) ? pattern : throw new ArgumentException(text, nameof(text));
}
