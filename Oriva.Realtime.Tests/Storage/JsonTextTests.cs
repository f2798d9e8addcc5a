using System.Text.Json;
using CsCheck;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Storage;

public sealed class JsonTextTests
{
    [Theory]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("\u0001\t\n")]
    [InlineData("日本 é")]
    [InlineData("😀")]
    [InlineData("a😀😀b")]
    [InlineData("\ufffd\uffff")]
    public void Text_OfWholeCharacters_IsStorable(string text) => JsonText.IsStorable(text).ShouldBeTrue();

    [Fact]
    public void Text_WithNulOrHalfAPair_IsNotStorable()
    {
        string[] refused = ["\0", "a\0", "\0a", "\ud83d", "\ude00", "a\ud83d", "\ud83da", "\ude00a", "\ude00\ud83d", "\ud83d\ud83d\ude00", "\ud83d\ude00\ude00", "😀\0"];

        refused.ShouldAllBe(text => !JsonText.IsStorable(text));
    }

    [Fact]
    public void AnyText_IsStorableExactlyWhenUtf8CanHoldItWithoutNul()
    {
        var strict = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

        Gen.Char["a\0\ud83d\ude00\udbff\udc00é"].Array[0, 8].Select(chars => new string(chars)).Sample(
            text =>
            {
                var encodable = true;
                try
                {
                    strict.GetByteCount(text);
                }
                catch (System.Text.EncoderFallbackException)
                {
                    encodable = false;
                }

                JsonText.IsStorable(text).ShouldBe(encodable && !text.Contains('\0', StringComparison.Ordinal));
            },
            iter: 5_000);
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"a":"x","b":[1,true,null,"é"],"c":{"d":"\ud83d\ude00"}}""")]
    [InlineData("""{"a":"\\u0000"}""")]
    [InlineData("""{"\\ud800":"\\ud800"}""")]
    [InlineData("""{"a":"\u0001"}""")]
    public void Data_OfWholeCharacters_HasNothingUnstorable(string json) => JsonText.FindUnstorable(JsonElement.Parse(json), "/data").ShouldBeNull();

    [Theory]
    [InlineData("\"\\u0000\"", "/data")]
    [InlineData("\"\\ud800\"", "/data")]
    [InlineData("\"\\udc00\\ud800\"", "/data")]
    [InlineData("""{"a":"\u0000"}""", "/data/a")]
    [InlineData("""{"a":"x\ud83dy"}""", "/data/a")]
    [InlineData("""{"a":"ok","b":"\udc00"}""", "/data/b")]
    [InlineData("""{"a":["ok",["\u0000"]]}""", "/data/a/1/0")]
    [InlineData("""{"a":{"b":{"c":"\ud800"}}}""", "/data/a/b/c")]
    [InlineData("""["ok",{"a":"\u0000"}]""", "/data/1/a")]
    public void Value_ThatNoStoreKeeps_IsFoundAtItsPointer(string json, string pointer) =>
        JsonText.FindUnstorable(JsonElement.Parse(json), "/data").ShouldBe(pointer);

    [Theory]
    [InlineData("""{"\u0000":1}""", "/data")]
    [InlineData("""{"x\ud800":1}""", "/data")]
    [InlineData("""{"ok":1,"a":{"\udc00":1}}""", "/data/a")]
    [InlineData("""{"a":[{"\u0000b":1}]}""", "/data/a/0")]
    public void Name_ThatNoStoreKeeps_IsFoundAtItsObject(string json, string pointer) =>
        JsonText.FindUnstorable(JsonElement.Parse(json), "/data").ShouldBe(pointer);

    [Theory]
    [InlineData("""{"a/b":"\u0000"}""", "/data/a~1b")]
    [InlineData("""{"a~b":{"c":"\u0000"}}""", "/data/a~0b/c")]
    public void Name_WithSlashOrTilde_IsEscapedInThePointer(string json, string pointer) =>
        JsonText.FindUnstorable(JsonElement.Parse(json), "/data").ShouldBe(pointer);

    [Fact]
    public void TwoUnstorables_GiveTheFirst() => JsonText.FindUnstorable(JsonElement.Parse("""{"a":1,"c":"\u0000","b":"\u0000"}"""), "").ShouldBe("/c");

    [Theory]
    [InlineData("1", 0, false)]
    [InlineData("{}", 0, true)]
    [InlineData("{}", 1, false)]
    [InlineData("[]", 0, true)]
    [InlineData("""{"a":1,"b":{"c":1}}""", 1, true)]
    [InlineData("""{"a":1,"b":{"c":1}}""", 2, false)]
    [InlineData("""{"a":[[{}],1]}""", 3, true)]
    [InlineData("""{"a":[[{}],1]}""", 4, false)]
    public void Data_NestedDeeperThanItMay_IsTold(string json, int levels, bool deeper) =>
        JsonText.IsDeeperThan(JsonElement.Parse(json), levels).ShouldBe(deeper);

    [Theory]
    [InlineData("\"x\"", "x")]
    [InlineData("\"\"", "")]
    [InlineData("\"\\ud83d\\ude00\"", "😀")]
    public void String_OfWholeCharacters_IsGot(string json, string expected)
    {
        JsonText.TryGetString(JsonElement.Parse(json), out var text).ShouldBeTrue();

        text.ShouldBe(expected);
    }

    [Theory]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\u0000\"")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("{}")]
    public void String_ThatIsNone_IsRefusedWithoutException(string json) => JsonText.TryGetString(JsonElement.Parse(json), out _).ShouldBeFalse();
}
