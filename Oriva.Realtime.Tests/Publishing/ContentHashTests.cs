using System.Text.Json;
using CsCheck;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.Publishing;

public sealed class ContentHashTests
{
    [Theory]
    [InlineData("""{"a":1,"b":2}""", """{"b":2,"a":1}""")]
    [InlineData("""{"a":{"c":1,"d":2}}""", """{"a":{"d":2,"c":1}}""")]
    [InlineData("""[{"a":1,"b":2}]""", """[{"b":2,"a":1}]""")]
    [InlineData("""{"a":[1,2]}""", "{ \"a\" :\t[ 1 ,\r\n 2 ] }")]
    [InlineData("""{"a":1}""", """{"a":1.0}""")]
    [InlineData("""{"a":1}""", """{"a":1e0}""")]
    [InlineData("""{"a":1}""", """{"a":10e-1}""")]
    [InlineData("""{"a":1}""", """{"a":0.1E+1}""")]
    [InlineData("""{"a":100}""", """{"a":1e2}""")]
    [InlineData("""{"a":-2.50}""", """{"a":-25e-1}""")]
    [InlineData("""{"a":0}""", """{"a":-0}""")]
    [InlineData("""{"a":0}""", """{"a":0.000}""")]
    [InlineData("""{"a":0}""", """{"a":0e99}""")]
    [InlineData("""{"a":"A"}""", """{"a":"\u0041"}""")]
    [InlineData("""{"a":"é"}""", """{"a":"\u00e9"}""")]
    [InlineData("""{"a":"😀"}""", """{"a":"\ud83d\ude00"}""")]
    [InlineData("""{"a":"/"}""", """{"a":"\/"}""")]
    [InlineData("""{"A":1}""", """{"\u0041":1}""")]
    public void SameContent_WordedDifferently_HasTheSameHash(string one, string other) => Hash(one).ShouldBe(Hash(other));

    [Theory]
    [InlineData("""{"a":1}""", """{"a":2}""")]
    [InlineData("""{"a":1}""", """{"a":-1}""")]
    [InlineData("""{"a":1}""", """{"a":10}""")]
    [InlineData("""{"a":1}""", """{"a":"1"}""")]
    [InlineData("""{"a":1}""", """{"b":1}""")]
    [InlineData("""{"a":1}""", """{"A":1}""")]
    [InlineData("""{"a":1}""", """{"a":[1]}""")]
    [InlineData("""{"a":1}""", """{"a":1,"b":null}""")]
    [InlineData("""{"a":null}""", """{}""")]
    [InlineData("""{"a":null}""", """{"a":false}""")]
    [InlineData("""{"a":true}""", """{"a":false}""")]
    [InlineData("""{"a":{}}""", """{"a":[]}""")]
    [InlineData("""{"a":[1,2]}""", """{"a":[2,1]}""")]
    [InlineData("""{"a":[1,2]}""", """{"a":[12]}""")]
    [InlineData("""{"a":"x "}""", """{"a":"x"}""")]
    [InlineData("""{"a":"é"}""", "{\"a\":\"e\u0301\"}")]
    [InlineData("""{"a":9007199254740993}""", """{"a":9007199254740992}""")]
    [InlineData("""{"a":123456789012345678901234567890}""", """{"a":123456789012345678901234567891}""")]
    [InlineData("""{"a":0.1000000000000000055511151231257827}""", """{"a":0.1}""")]
    [InlineData("""{"a":1e400}""", """{"a":1e401}""")]
    [InlineData("""{"a":1e-400}""", """{"a":0}""")]
    public void OtherContent_HasAnotherHash(string one, string other) => Hash(one).ShouldNotBe(Hash(other));

    [Fact]
    public void TypeAndAudience_ArePartOfTheContent()
    {
        var data = JsonElement.Parse("{}");
        byte[][] hashes =
        [
            ContentHash.Of("a.b", null, null, data),
            ContentHash.Of("a.c", null, null, data),
            ContentHash.Of("a.b", "ada", null, data),
            ContentHash.Of("a.b", null, "ada", data),
            ContentHash.Of("a.b", "bob", null, data),
            ContentHash.Of("a.b", "", null, data),
            // What one field ends with must not pass for the beginning of the next.
            ContentHash.Of("a.b\",\"ada", null, null, data),
        ];

        hashes.Select(Convert.ToHexString).Distinct().Count().ShouldBe(hashes.Length);
        hashes.ShouldAllBe(hash => hash.Length == 32);
    }

    [Theory]
    [InlineData("1", "1e0")]
    [InlineData("-1", "-1e0")]
    [InlineData("0", "0")]
    [InlineData("-0.0e-7", "0")]
    [InlineData("1200", "12e2")]
    [InlineData("0.0012", "12e-4")]
    [InlineData("12.00E+3", "12e3")]
    [InlineData("1e-5", "1e-5")]
    [InlineData("1e99999999999999999999", "1e99999999999999999999")]
    public void Number_Canonical_IsItsDigitsAndPowerOfTen(string raw, string canonical) => ContentHash.CanonicalNumber(raw).ShouldBe(canonical);

    [Fact]
    public void NumbersWithExponentsAtTheEndOfLong_StayApart() =>
        ContentHash.CanonicalNumber("10e9223372036854775807").ShouldNotBe(ContentHash.CanonicalNumber("1e-9223372036854775808"));

    [Fact]
    public void AnyDocument_WordedInAnyWay_HasOneHash() =>
        Gen.Select(JsonModel.Any, Gen.Int, Gen.Int).Sample(
            (document, one, other) => Hash(document.Word(new Random(one))).ShouldBe(Hash(document.Word(new Random(other)))),
            iter: 2_000);

    [Fact]
    public void AnyTwoDocuments_HaveTheSameHashExactlyWhenTheyAreTheSame() =>
        Gen.Select(JsonModel.Any, JsonModel.Any, Gen.Int).Sample(
            (one, other, seed) =>
            {
                var same = one.Canonical == other.Canonical;
                Hash(one.Word(new Random(seed))).SequenceEqual(Hash(other.Word(new Random(~seed)))).ShouldBe(same, $"{one.Canonical} and {other.Canonical}");
            },
            iter: 5_000);

    private static byte[] Hash(string json) => ContentHash.Of("a.b", null, null, JsonElement.Parse(json));
}
