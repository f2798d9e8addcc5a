using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using CsCheck;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class CursorTests
{
    [Fact]
    public void AnyCursor_AsText_ComesBackTheSame()
    {
        var stream = Gen.OneOf("a1", "a1/users/ada", "a1/topics/room-1", "a1/users/日本", "a1/users/😀\"\\");
        var streams = Gen.Select(stream, Gen.OneOf(Gen.Long[0, 10], Gen.Long[0, long.MaxValue], Gen.Const(long.MaxValue))).Array[0, 5]
            .Select(pairs => pairs.DistinctBy(pair => pair.Item1).ToImmutableDictionary(pair => pair.Item1, pair => pair.Item2));

        Gen.Select(Gen.OneOf("e", "", "019af0c37d3b7cc08000000000000000", "é"), streams).Select((epoch, at) => new Cursor(epoch, at)).Sample(
            cursor =>
            {
                var text = cursor.ToText();
                text.ShouldAllBe(c => char.IsAsciiLetterOrDigit(c) || c == '-' || c == '_');
                var back = Cursor.FromText(text).ShouldNotBeNull();
                back.Epoch.ShouldBe(cursor.Epoch);
                back.Streams.ShouldBe(cursor.Streams, ignoreOrder: true);
            },
            iter: 1_000);
    }

    [Fact]
    public void Cursor_AsText_IsTheBase64UrlOfTheHubsCursorObject()
    {
        var text = new Cursor("e", ImmutableDictionary<string, long>.Empty.Add("a1", 7)).ToText();

        Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text)).ShouldBe("""{"epoch":"e","streams":{"a1":7}}""");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("!!")]
    [InlineData("a")]
    [InlineData("not a cursor")]
    [InlineData("e30=x")]
    [InlineData("%7B%7D")]
    [InlineData("\n")]
    [InlineData("日本")]
    public void Text_ThatIsNoBase64Url_IsNoCursor(string text) => Cursor.FromText(text).ShouldBeNull();

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{")]
    [InlineData("""{"epoch":"e"}""")]
    [InlineData("""{"streams":{}}""")]
    [InlineData("""{"epoch":null,"streams":{}}""")]
    [InlineData("""{"epoch":"e","streams":null}""")]
    [InlineData("""{"epoch":7,"streams":{}}""")]
    [InlineData("""{"epoch":"e","streams":[]}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":-1}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":1,"a2":-9223372036854775808}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":9223372036854775808}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":1.5}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":1e3}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":null}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":{}}}""")]
    [InlineData("""{"epoch":"e","streams":{"a1":1}} trailing""")]
    [InlineData("""{"epoch":"\ud800","streams":{}}""")]
    [InlineData("""{"epoch":"e","streams":{"\ud800":1}}""")]
    public void Json_ThatIsNoCursor_IsNone(string json) => Cursor.FromText(Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json))).ShouldBeNull();

    [Fact]
    public void Bytes_ThatAreNoUtf8_AreNoCursor() => Cursor.FromText(Base64Url.EncodeToString([0x22, 0xff, 0xfe, 0x22])).ShouldBeNull();

    [Theory]
    [InlineData("""{"epoch":"e","streams":{"a1":0}}""", 0)]
    [InlineData("""{"epoch":"e","streams":{"a1":9223372036854775807}}""", long.MaxValue)]
    [InlineData("""{ "streams": { "a1": 5 }, "epoch": "e", "more": true }""", 5)]
    public void Json_OfACursor_IsRead(string json, long position)
    {
        var cursor = Cursor.FromText(Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json))).ShouldNotBeNull();

        cursor.Epoch.ShouldBe("e");
        cursor.Streams["a1"].ShouldBe(position);
    }

    [Fact]
    public void HugeText_IsRefusedUnread()
    {
        var json = $$$"""{"epoch":"{{{new string('e', 64 * 1024)}}}","streams":{}}""";

        Cursor.FromText(Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json))).ShouldBeNull();
    }

    [Fact]
    public void CursorOfAsManyStreamsAsASubscriptionMayHave_Fits()
    {
        // 100 topics, everyone's and the user's own, with the longest names there may be, each character of which JSON escapes.
        var app = new string('a', 63);
        var streams = Enumerable.Range(0, 100).Select(i => StreamName.OfTopic(app, $"{i:D3}{new string('t', 125)}").Text)
            .Append(app).Append(StreamName.OfUser(app, new string('é', 128)).Text)
            .ToImmutableDictionary(stream => stream, _ => long.MaxValue);
        var cursor = new Cursor(new string('e', 32), streams);

        Cursor.FromText(cursor.ToText()).ShouldNotBeNull().Streams.Count.ShouldBe(102);
    }

    [Fact]
    public void AnyText_IsACursorOrNone_AndNeverAnException() =>
        Gen.OneOf(
            Gen.Char["AZaz09-_=+/ e30iOj"].Array[0, 60].Select(chars => new string(chars)),
            Gen.Char["{}[]\":,epochstreams0123456789-. \\u\0"].Array[0, 60].Select(chars => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(chars))))
            .Sample(
                text =>
                {
                    if (Cursor.FromText(text) is { } cursor)
                        cursor.Streams.Values.ShouldAllBe(position => position >= 0);
                },
                iter: 5_000);

    [Fact]
    public void CursorText_CutAnywhere_IsNoCursor()
    {
        var text = new Cursor("epoch", ImmutableDictionary<string, long>.Empty.Add("a1", 12_345).Add("a1/users/ada", 6)).ToText();

        for (var length = 0; length < text.Length; length++)
            Cursor.FromText(text[..length]).ShouldBeNull($"cut to {length} of {text.Length}");
    }
}
