using System.Text.Json;
using CsCheck;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class DataFilterTests
{
    [Theory]
    [InlineData("eq", "1", "1", true)]
    [InlineData("eq", "1", "1.0", true)]
    [InlineData("eq", "1", "10e-1", true)]
    [InlineData("eq", "1", "2", false)]
    [InlineData("eq", "1", "\"1\"", false)]
    [InlineData("eq", "9007199254740993", "9007199254740992", false)]
    [InlineData("eq", "\"a\"", "\"a\"", true)]
    [InlineData("eq", "\"a\"", "\"\\u0061\"", true)]
    [InlineData("eq", "\"a\"", "\"A\"", false)]
    [InlineData("eq", "true", "true", true)]
    [InlineData("eq", "true", "false", false)]
    [InlineData("eq", "false", "false", true)]
    [InlineData("eq", "null", "null", true)]
    [InlineData("eq", "null", "0", false)]
    [InlineData("eq", "[1,2]", "[1,2]", true)]
    [InlineData("eq", "[1,2]", "[2,1]", false)]
    [InlineData("eq", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true)]
    [InlineData("eq", "{\"a\":1}", "{\"a\":1,\"b\":2}", false)]
    [InlineData("ne", "1", "2", true)]
    [InlineData("ne", "1", "1.0", false)]
    [InlineData("ne", "1", "\"1\"", true)]
    [InlineData("ne", "null", "null", false)]
    [InlineData("ne", "\"a\"", "\"b\"", true)]
    public void Equality_IsOfKindAndValue(string op, string value, string at, bool matches) => Matches("v", op, value, $$"""{"v":{{at}}}""").ShouldBe(matches);

    [Theory]
    [InlineData("gt", "1", "2", true)]
    [InlineData("gt", "1", "1", false)]
    [InlineData("gt", "1", "0", false)]
    [InlineData("gte", "1", "1.0", true)]
    [InlineData("gte", "1", "0.999", false)]
    [InlineData("lt", "1", "0.999", true)]
    [InlineData("lt", "1", "1", false)]
    [InlineData("lte", "1", "1", true)]
    [InlineData("lte", "1", "1.001", false)]
    [InlineData("gt", "-1", "0", true)]
    [InlineData("lt", "0", "-0.0", false)]
    [InlineData("gt", "9007199254740992", "9007199254740993", true)]
    [InlineData("gt", "0.1", "0.10000000000000000001", true)]
    [InlineData("gt", "1e30", "1e300", true)]
    [InlineData("lt", "1", "-1e300", true)]
    [InlineData("gt", "\"a\"", "\"b\"", true)]
    [InlineData("gt", "\"a\"", "\"B\"", false)]
    [InlineData("gte", "\"a\"", "\"a\"", true)]
    [InlineData("lt", "\"2026-02-01\"", "\"2026-01-31\"", true)]
    [InlineData("lte", "\"b\"", "\"é\"", false)]
    [InlineData("gt", "1", "\"2\"", false)]
    [InlineData("gt", "\"1\"", "2", false)]
    [InlineData("gte", "1", "true", false)]
    [InlineData("gte", "1", "null", false)]
    [InlineData("lte", "1", "null", false)]
    [InlineData("lte", "1", "[0]", false)]
    [InlineData("lte", "1", "{}", false)]
    public void Comparison_IsOfNumbersOrOfTexts_AndFalseOtherwise(string op, string value, string at, bool matches) =>
        Matches("v", op, value, $$"""{"v":{{at}}}""").ShouldBe(matches);

    [Theory]
    [InlineData("[1,2]", "2", true)]
    [InlineData("[1,2]", "2.0", true)]
    [InlineData("[1,2]", "3", false)]
    [InlineData("[]", "1", false)]
    [InlineData("[\"a\",1,null,{\"x\":1}]", "\"a\"", true)]
    [InlineData("[\"a\",1,null,{\"x\":1}]", "null", true)]
    [InlineData("[\"a\",1,null,{\"x\":1}]", "{\"x\":1.0}", true)]
    [InlineData("[\"a\",1,null,{\"x\":1}]", "\"1\"", false)]
    [InlineData("[[1]]", "[1]", true)]
    [InlineData("[[1]]", "1", false)]
    public void In_IsOneOfTheValues(string value, string at, bool matches) => Matches("v", "in", value, $$"""{"v":{{at}}}""").ShouldBe(matches);

    [Theory]
    [InlineData("\"b\"", "[\"a\",\"b\"]", true)]
    [InlineData("\"c\"", "[\"a\",\"b\"]", false)]
    [InlineData("1", "[\"1\",1.0]", true)]
    [InlineData("null", "[null]", true)]
    [InlineData("{\"id\":1}", "[{\"id\":1}]", true)]
    [InlineData("{\"id\":1}", "[{\"id\":1,\"n\":2}]", false)]
    [InlineData("\"x\"", "[]", false)]
    [InlineData("\"ada\"", "\"from ada to bob\"", true)]
    [InlineData("\"Ada\"", "\"from ada to bob\"", false)]
    [InlineData("\"\"", "\"\"", true)]
    [InlineData("1", "\"123\"", false)]
    [InlineData("\"1\"", "123", false)]
    [InlineData("\"a\"", "{\"a\":1}", false)]
    [InlineData("\"a\"", "null", false)]
    public void Contains_IsAnItemOfAnArrayOrAPartOfAText(string value, string at, bool matches) => Matches("v", "contains", value, $$"""{"v":{{at}}}""").ShouldBe(matches);

    [Theory]
    [InlineData(null, """{"v":1}""", true)]
    [InlineData(null, """{"v":null}""", true)]
    [InlineData(null, """{"w":1}""", false)]
    [InlineData("true", """{"v":false}""", true)]
    [InlineData("true", "{}", false)]
    [InlineData("false", "{}", true)]
    [InlineData("false", """{"v":null}""", false)]
    public void Exists_IsWhetherThePathLeadsSomewhere(string? value, string data, bool matches) => Matches("v", "exists", value, data).ShouldBe(matches);

    [Theory]
    [InlineData("eq", "1", false)]
    [InlineData("ne", "1", true)]
    [InlineData("ne", "null", true)]
    [InlineData("eq", "null", false)]
    [InlineData("gt", "0", false)]
    [InlineData("gte", "0", false)]
    [InlineData("lt", "0", false)]
    [InlineData("lte", "0", false)]
    [InlineData("in", "[null]", false)]
    [InlineData("contains", "null", false)]
    [InlineData("exists", "true", false)]
    [InlineData("exists", "false", true)]
    public void PathThatLeadsNowhere_MatchesOnlyNeAndNotExists(string op, string value, bool matches) => Matches("no.such", op, value, """{"v":1}""").ShouldBe(matches);

    [Theory]
    [InlineData("artist.name", """{"artist":{"name":1}}""", true)]
    [InlineData("artist.name", """{"artist.name":1}""", false)]
    [InlineData("artist.name", """{"artist":"name"}""", false)]
    [InlineData("artist.name", """{"artist":null}""", false)]
    [InlineData("Artist.name", """{"artist":{"name":1}}""", false)]
    [InlineData("a.b.c.d", """{"a":{"b":{"c":{"d":1}}}}""", true)]
    [InlineData("tracks.0", """{"tracks":[1,2]}""", true)]
    [InlineData("tracks.1", """{"tracks":[2,1]}""", true)]
    [InlineData("tracks.2", """{"tracks":[1,1]}""", false)]
    [InlineData("tracks.-1", """{"tracks":[1,1]}""", false)]
    [InlineData("tracks.+1", """{"tracks":[1,1]}""", false)]
    [InlineData("tracks.99999999999999999999", """{"tracks":[1,1]}""", false)]
    [InlineData("tracks.length", """{"tracks":[1]}""", false)]
    [InlineData("tracks.0.id", """{"tracks":[{"id":1}]}""", true)]
    [InlineData("0", """{"0":1}""", true)]
    [InlineData("a.0", """{"a":{"0":1}}""", true)]
    [InlineData("a.0", """{"a":"1"}""", false)]
    [InlineData("é", """{"\u00e9":1}""", true)]
    [InlineData("a b", """{"a b":1}""", true)]
    public void Path_PicksByNameAndByIndex(string path, string data, bool found)
    {
        Matches(path, "eq", "1", data).ShouldBe(found);
        Matches(path, "exists", "true", data).ShouldBe(found);
    }

    [Theory]
    [InlineData(null, "eq", "1", "/f/path")]
    [InlineData("", "eq", "1", "/f/path")]
    [InlineData(".", "eq", "1", "/f/path")]
    [InlineData("a.", "eq", "1", "/f/path")]
    [InlineData(".a", "eq", "1", "/f/path")]
    [InlineData("a..b", "eq", "1", "/f/path")]
    [InlineData("a", null, "1", "/f/op")]
    [InlineData("a", "", "1", "/f/op")]
    [InlineData("a", "EQ", "1", "/f/op")]
    [InlineData("a", "==", "1", "/f/op")]
    [InlineData("a", "like", "1", "/f/op")]
    [InlineData("a", "eq", null, "/f/value")]
    [InlineData("a", "ne", null, "/f/value")]
    [InlineData("a", "in", null, "/f/value")]
    [InlineData("a", "contains", null, "/f/value")]
    [InlineData("a", "gt", null, "/f/value")]
    [InlineData("a", "in", "1", "/f/value")]
    [InlineData("a", "in", "\"abc\"", "/f/value")]
    [InlineData("a", "in", "{}", "/f/value")]
    [InlineData("a", "gt", "true", "/f/value")]
    [InlineData("a", "gte", "null", "/f/value")]
    [InlineData("a", "lt", "[1]", "/f/value")]
    [InlineData("a", "lte", "{}", "/f/value")]
    public void Filter_OfWrongForm_IsAFaultAtItsPointer(string? path, string? op, string? value, string pointer)
    {
        var fault = ReadFault(new FilterRequest(path!, op!) { Value = Json(value) });

        fault.Code.ShouldBe(FaultCodes.Invalid);
        fault.Errors.ShouldNotBeNull().ShouldHaveSingleItem().Key.ShouldBe(pointer);
    }

    [Fact]
    public void Filter_WithManyFaults_ListsThemAllAtOnce() =>
        ReadFault(new FilterRequest("", "no")).Errors!.Keys.ShouldBe(["/f/path", "/f/op", "/f/value"], ignoreOrder: true);

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void Path_OfLength_IsJudged(int length, bool valid)
    {
        var faults = new FaultList();

        (DataFilter.Read(new FilterRequest(new string('a', length), "exists"), "/f", faults) is not null).ShouldBe(valid);

        faults.IsEmpty.ShouldBe(valid);
    }

    [Theory]
    [InlineData(4_096, true)]
    [InlineData(4_097, false)]
    public void Value_OfLength_IsJudged(int length, bool valid)
    {
        var faults = new FaultList();
        var value = JsonElement.Parse('"' + new string('a', length - 2) + '"');

        (DataFilter.Read(new FilterRequest("a", "eq") { Value = value }, "/f", faults) is not null).ShouldBe(valid);

        if (!valid)
            faults.ToFault().Code.ShouldBe(FaultCodes.TooLarge);
    }

    [Theory]
    [InlineData("eq", "\"\\ud800\"")]
    [InlineData("gt", "\"\\ud800\"")]
    [InlineData("contains", "\"\\udc00x\"")]
    [InlineData("in", "[\"ok\",\"\\ud800\"]")]
    [InlineData("eq", "{\"\\ud800\":1}")]
    public void Value_WithHalfASurrogatePair_IsAFaultAndNoExceptionLater(string op, string value)
    {
        // It matches no event that can be stored; kept, it would throw at the first text it is compared with and end the whole session.
        ReadFault(new FilterRequest("a", op) { Value = Json(value) }).Errors!.Keys.ShouldBe(["/f/value"]);
    }

    [Fact]
    public void Filter_ThatIsNull_IsAFault() => ReadFault(null!).Code.ShouldBe(FaultCodes.Invalid);

    [Fact]
    public void EqualToNull_CanBeAskedForInJson()
    {
        var request = JsonSerializer.Deserialize<FilterRequest>("""{"path":"v","op":"eq","value":null}""", JsonSerializerOptions.Web)!;
        var faults = new FaultList();

        var filter = DataFilter.Read(request, "/f", faults);

        faults.IsEmpty.ShouldBeTrue("JSON's null is a value: {path, op: 'eq', value: null}");
        filter!.Matches(JsonElement.Parse("""{"v":null}""")).ShouldBeTrue();
    }

    [Fact]
    public void Filter_OutlivesTheDocumentItCameFrom()
    {
        DataFilter? filter;
        using (var request = JsonDocument.Parse("""{"value":["a","b"]}"""))
            filter = DataFilter.Read(new FilterRequest("v", "in") { Value = request.RootElement.GetProperty("value") }, "/f", new FaultList());

        filter!.Matches(JsonElement.Parse("""{"v":"b"}""")).ShouldBeTrue();
    }

    [Fact]
    public void AnyTwoNumbers_AreOrderedByEveryOperatorAlike() =>
        Gen.Select(Gen.Int[-20, 20], Gen.Int[-20, 20]).Sample(
            (at, value) =>
            {
                var data = $$"""{"v":{{at}}e-1}""";
                bool Is(string op) => Matches("v", op, $"{value}e-1", data);
                Is("eq").ShouldBe(at == value);
                Is("ne").ShouldBe(at != value);
                Is("gt").ShouldBe(at > value);
                Is("gte").ShouldBe(at >= value);
                Is("lt").ShouldBe(at < value);
                Is("lte").ShouldBe(at <= value);
            },
            iter: 1_000);

    [Fact]
    public void AnyValue_AgainstAnyData_MatchesOrNot_AndNeverThrows()
    {
        var value = Publishing.JsonModel.Any;

        Gen.Select(Gen.OneOf("eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "exists"), value, value, Gen.Int).Sample(
            (op, wanted, at, seed) =>
            {
                var random = new Random(seed);
                var faults = new FaultList();
                var data = JsonElement.Parse($$"""{"v":{{at.Word(random)}}}""");
                if (DataFilter.Read(new FilterRequest("v", op) { Value = JsonElement.Parse(wanted.Word(random)) }, "/f", faults) is not { } filter)
                    return;
                var matches = filter.Matches(data);
                if (op == "eq")
                    matches.ShouldBe(wanted.Canonical == at.Canonical);
                if (op == "ne")
                    matches.ShouldBe(wanted.Canonical != at.Canonical);
            },
            iter: 3_000);
    }

    private static bool Matches(string path, string op, string? value, string data)
    {
        var faults = new FaultList();
        var filter = DataFilter.Read(new FilterRequest(path, op) { Value = Json(value) }, "/f", faults);
        faults.IsEmpty.ShouldBeTrue();
        return filter!.Matches(JsonElement.Parse(data));
    }

    private static Fault ReadFault(FilterRequest request)
    {
        var faults = new FaultList();
        DataFilter.Read(request, "/f", faults).ShouldBeNull();
        return faults.ToFault();
    }

    private static JsonElement Json(string? value) => value is null ? default : JsonElement.Parse(value);
}
