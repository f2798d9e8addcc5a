using System.Text.Json;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class InterestTests
{
    private static readonly FilterRequest s_filter = new("a", "exists");

    [Theory]
    [InlineData(null, null, true)]
    [InlineData("", null, true)]
    [InlineData("*", null, true)]
    [InlineData("mix.*", null, true)]
    [InlineData("mix.published", null, true)]
    [InlineData("mix.deleted", null, false)]
    [InlineData("mix.deleted room.* mix.published", null, true)]
    [InlineData(null, "room-1", true)]
    [InlineData(null, "room-2", false)]
    [InlineData("mix.*", "room-2", false)]
    [InlineData("chat.*", "room-1", false)]
    public void Interest_OfTypesAndTopic_MatchesWhatFitsBoth(string? types, string? topic, bool matches)
    {
        var interest = ReadOne(new InterestRequest(types?.Split(' ', StringSplitOptions.RemoveEmptyEntries), topic));

        interest.Matches(TestEvents.Stored("mix.published", topic: "room-1")).ShouldBe(matches);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ada")]
    public void InterestInATopic_MatchesNoEventOfAnotherAudience(string? userId) =>
        ReadOne(new InterestRequest(Topic: "room-1")).Matches(TestEvents.Stored(userId: userId)).ShouldBeFalse();

    [Theory]
    [InlineData("""{"a":1,"b":2}""", true)]
    [InlineData("""{"a":1,"b":3}""", false)]
    [InlineData("""{"a":2,"b":2}""", false)]
    [InlineData("{}", false)]
    public void AllFilters_MustMatch(string data, bool matches) =>
        ReadOne(new InterestRequest(Filters: [new("a", "eq") { Value = JsonElement.Parse("1") }, new("b", "eq") { Value = JsonElement.Parse("2") }]))
            .Matches(TestEvents.Stored(data: data)).ShouldBe(matches);

    [Fact]
    public void NoInterests_AreAnEmptyList()
    {
        var faults = new FaultList();

        Interest.Read(null, faults).ShouldBeEmpty();
        Interest.Read([], faults).ShouldBeEmpty();

        faults.IsEmpty.ShouldBeTrue();
    }

    [Theory]
    [InlineData(50, true)]
    [InlineData(51, false)]
    public void Interests_OfNumber_AreJudged(int count, bool valid) =>
        Judge(Enumerable.Repeat(new InterestRequest(), count), valid ? null : "/interests");

    [Theory]
    [InlineData(50, true)]
    [InlineData(51, false)]
    [InlineData(5_000, false)]
    public void Types_OfNumber_AreJudged(int count, bool valid) =>
        Judge([new InterestRequest([.. Enumerable.Repeat("a.b", count)])], valid ? null : "/interests/0/types");

    [Theory]
    [InlineData(20, true)]
    [InlineData(21, false)]
    public void Filters_OfNumber_AreJudged(int count, bool valid) =>
        Judge([new InterestRequest(), new InterestRequest(Filters: [.. Enumerable.Repeat(s_filter, count)])], valid ? null : "/interests/1/filters");

    [Fact]
    public void HugeRequest_IsNotReadToItsEnd()
    {
        var faults = new FaultList();

        Interest.Read([.. Enumerable.Repeat(new InterestRequest(["?"], Filters: [.. Enumerable.Repeat(new FilterRequest("", ""), 1_000)]), 1_000)], faults);

        // 50 interests, each with its type, and 20 filters of three faults and one for their number; and one for the number of interests.
        faults.Count.ShouldBe((50 * (1 + (20 * 3) + 1)) + 1);
    }

    [Theory]
    [InlineData("mix*")]
    [InlineData("Mix.published")]
    [InlineData("")]
    [InlineData(null)]
    public void Type_OfWrongForm_IsAFaultAtItsPointer(string? type) =>
        ReadFault(new InterestRequest(["mix.published", type!])).Errors!.Keys.ShouldBe(["/interests/0/types/1"]);

    [Theory]
    [InlineData("")]
    [InlineData("room-*")]
    [InlineData("a/b")]
    public void Topic_OfWrongForm_IsAFaultAtItsPointer(string topic) =>
        ReadFault(new InterestRequest(Topic: topic)).Errors!.Keys.ShouldBe(["/interests/0/topic"]);

    [Fact]
    public void Filter_OfWrongForm_IsAFaultAtItsPointer() =>
        ReadFault(new InterestRequest(Filters: [s_filter, new("a", "like") { Value = JsonElement.Parse("1") }])).Errors!.Keys.ShouldBe(["/interests/0/filters/1/op"]);

    [Fact]
    public void Interest_ThatIsNull_IsAFault() => ReadFault(null!).Errors!.Keys.ShouldBe(["/interests/0"]);

    [Fact]
    public void Filter_ThatIsNull_IsAFault() => ReadFault(new InterestRequest(Filters: [null!])).Errors!.Keys.ShouldHaveSingleItem().ShouldStartWith("/interests/0/filters/0");

    [Fact]
    public void Topic_IsKnown_SoThatItsStreamIsSubscribed() => ReadOne(new InterestRequest(Topic: "room-1")).Topic.ShouldBe("room-1");

    private static Interest ReadOne(InterestRequest request)
    {
        var faults = new FaultList();
        var interests = Interest.Read([request], faults);
        faults.IsEmpty.ShouldBeTrue();
        return interests.ShouldHaveSingleItem();
    }

    private static Fault ReadFault(InterestRequest request)
    {
        var faults = new FaultList();
        Interest.Read([request], faults);
        var fault = faults.ToFault();
        fault.Code.ShouldBe(FaultCodes.Invalid);
        return fault;
    }

    private static void Judge(IEnumerable<InterestRequest> requests, string? tooLargeAt)
    {
        var faults = new FaultList();
        Interest.Read([.. requests], faults);
        if (tooLargeAt is null)
        {
            faults.IsEmpty.ShouldBeTrue();
            return;
        }

        faults.ToFault().Code.ShouldBe(FaultCodes.TooLarge);
        faults.ToFault().Errors!.Keys.ShouldBe([tooLargeAt]);
    }
}
