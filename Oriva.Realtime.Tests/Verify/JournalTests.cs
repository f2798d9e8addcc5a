using System.Text.Json;
using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Verify;

namespace Oriva.Realtime.Tests.Verify;

/// <summary>What a follower of <c>verify</c> takes for right and for wrong: each wrong message breaks the one promise that it is about.</summary>
public sealed class JournalTests
{
    private const string App = "shop";
    private const string Ada = $"{App}/users/ada";
    private const string Room = $"{App}/topics/room-1";

    private readonly Verdict _verdict = new();
    private readonly Journal _journal;

    public JournalTests()
    {
        _journal = new Journal(new Entitlement(App, "ada", ["room-1"]), _verdict, new Histogram());
        _journal.BeginSubscribing();
    }

    private IEnumerable<string> Broken => _verdict.Checks.Where(check => check.Wrong > 0).Select(check => check.Name);

    [Fact]
    public void BatchesThatFollowOneAnother_AreRight_AndAlsoThoseBeforeTheAnswer()
    {
        _journal.Receive(Batch(Ada, after: 0, through: 1, Event(1))).ShouldBeTrue();
        Subscribe().ShouldBeTrue();
        _journal.Receive(Batch(Ada, after: 1, through: 3, Event(2), Event(3))).ShouldBeTrue();
        _journal.Receive(Batch(Ada, after: 3, through: 3)).ShouldBeTrue();
        Broken.ShouldBeEmpty();
        _journal.Events().Select(e => e.Position).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void AfterACut_ItGoesOnWithItsCursor()
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 0, through: 2, Event(1), Event(2)));
        JsonSerializer.SerializeToElement(_journal.BeginSubscribing()).GetProperty("cursor").GetProperty("streams").GetProperty(Ada).GetInt64().ShouldBe(2);
        Subscribe(ada: 2).ShouldBeTrue();
        _journal.Receive(Batch(Ada, after: 2, through: 3, Event(3))).ShouldBeTrue();
        Broken.ShouldBeEmpty();
    }

    [Fact]
    public void ABatchThatIsMissing_BreaksGapless_AndAsksForANewSubscription()
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 1, through: 2, Event(2))).ShouldBeFalse();
        Broken.ShouldBe(["gapless"]);
        _journal.Received.ShouldBe(0);
    }

    [Fact]
    public void ABatchThatIsMissing_OverLongPolling_AsksForANewSubscriptionOnly()
    {
        var journal = new Journal(new Entitlement(App, "ada", ["room-1"]), _verdict, new Histogram(), mayMiss: true);
        journal.BeginSubscribing();
        Subscribe(journal);
        journal.Receive(Batch(Ada, after: 1, through: 2, Event(2))).ShouldBeFalse();
        Broken.ShouldBeEmpty();
        journal.Received.ShouldBe(0);
        journal.BeginSubscribing();
        Subscribe(journal);
        journal.Receive(Batch(Ada, after: 0, through: 2, Event(1), Event(2))).ShouldBeTrue();
        journal.Receive(Batch(Ada, after: 1, through: 2, Event(2))).ShouldBeFalse();
        Broken.ShouldBe(["gapless"]);
    }

    [Fact]
    public void AnEventThatIsMissingInABatch_BreaksInOrder()
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 0, through: 2, Event(2)));
        Broken.ShouldBe(["in-order"]);
    }

    [Fact]
    public void OneEventAtTwoPositions_BreaksNothingDoubled()
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 0, through: 2, Event(1, id: "one"), Event(2, id: "one")));
        Broken.ShouldBe(["nothing-doubled"]);
    }

    [Theory]
    [InlineData("other", "ada", null)]
    [InlineData(App, "bob", null)]
    [InlineData(App, null, "room-2")]
    public void AnEventOrASignalForSomebodyElse_IsALeak(string app, string? user, string? topic)
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 0, through: 1, Event(1, to: new Addressee(app, user, topic))));
        Broken.ShouldBe(["no-leak"]);
        _journal.Signalled(JsonSerializer.SerializeToElement(new { app = App, data = new { @for = new Addressee(app, user, topic).ToJson() } })).ShouldBeFalse();
        Broken.ShouldBe(["no-leak", "no-signal-leak"]);
    }

    [Fact]
    public void ABatchOfAStreamThatItDoesNotFollow_IsALeak()
    {
        Subscribe();
        _journal.Receive(Batch($"{App}/users/bob", after: 0, through: 0));
        Broken.ShouldBe(["no-leak"]);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public void ACursorThatIsNotHonoured_IsWrong(bool reset, long ada)
    {
        Subscribe();
        _journal.Receive(Batch(Ada, after: 0, through: 2, Event(1), Event(2)));
        _journal.BeginSubscribing();
        Subscribe(ada, reset);
        Broken.ShouldBe(["cursor-honoured"]);
    }

    [Fact]
    public void AMessageWithoutWhatTheContractPromises_IsWrong()
    {
        Subscribe();
        _journal.Receive(JsonElement.Parse("""{ "app": "shop" }""")).ShouldBeFalse();
        Broken.ShouldBe(["well-formed"]);
    }

    private bool Subscribe(long ada = 0, bool reset = false) => Subscribe(_journal, ada, reset);

    private static bool Subscribe(Journal journal, long ada = 0, bool reset = false) => journal.Subscribed(JsonSerializer.SerializeToElement(new
    {
        app = App,
        subscription = 1,
        epoch = "e",
        streams = new Dictionary<string, long> { [App] = 0, [Ada] = ada, [Room] = 0 },
        reset,
    }));

    private static object Event(long seq, string? id = null, Addressee? to = null) =>
        new { id = id ?? $"e-{seq}", seq, data = new { @for = (to ?? new Addressee(App, "ada", null)).ToJson(), due = 0 } };

    private static JsonElement Batch(string stream, long after, long through, params object[] events) =>
        JsonSerializer.SerializeToElement(new { app = App, subscription = 1, stream, after, through, events });
}
