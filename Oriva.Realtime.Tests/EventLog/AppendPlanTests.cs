using CsCheck;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class AppendPlanTests
{
    private static readonly Dictionary<EventKey, StoredReceipt> s_nothing = [];

    [Fact]
    public void EventsOfOneStream_GetOffsetsUpToItsNewHead()
    {
        var group = Build([Request(TestEvents.New("a1", "1"), TestEvents.New("a1", "2")), Request(TestEvents.New("a1", "3"))]);

        group.Rows.Select(row => (row.Event.Id, row.Stream.Text, row.Offset, row.IsSource)).ShouldBe([("1", "a1", -2, true), ("2", "a1", -1, true), ("3", "a1", 0, true)]);
        group.Streams.Select(stream => (stream.Stream, stream.Count)).ShouldBe([(StreamName.OfApp("a1"), 3)]);
    }

    [Fact]
    public void Event_OfAnAudience_GoesToItsStream()
    {
        var group = Build([Request(TestEvents.New("a1", "1"), TestEvents.New("a1", "2", userId: "ada"), TestEvents.New("a1", "3", topic: "room"))]);

        group.Rows.Select(row => row.Stream.Text).ShouldBe(["a1", "a1/users/ada", "a1/topics/room"]);
        group.Rows.ShouldAllBe(row => row.Offset == 0);
    }

    [Fact]
    public void SharedEvent_IsCopiedToTheMatchingStreamOfEachApp()
    {
        var group = Build([Request(
            TestEvents.New("a1", "1", copyTo: ["b1", "c1"]),
            TestEvents.New("a1", "2", userId: "ada", copyTo: "b1"),
            TestEvents.New("a1", "3", topic: "room", copyTo: "b1"))]);

        group.Rows.Select(row => (row.Event.Id, row.Stream.Text, row.IsSource)).ShouldBe(
            [
                ("1", "a1", true), ("1", "b1", false), ("1", "c1", false),
                ("2", "a1/users/ada", true), ("2", "b1/users/ada", false),
                ("3", "a1/topics/room", true), ("3", "b1/topics/room", false),
            ]);
    }

    [Fact]
    public void CopyAndOwnEvent_InOneStream_FollowEachOther()
    {
        var group = Build([Request(TestEvents.New("b1", "own")), Request(TestEvents.New("a1", "shared", copyTo: "b1")), Request(TestEvents.New("b1", "own-2"))]);

        group.Rows.Where(row => row.Stream.Text == "b1").Select(row => (row.Event.Id, row.Offset)).ShouldBe([("own", -2), ("shared", -1), ("own-2", 0)]);
    }

    [Fact]
    public void Streams_AreInOrdinalOrder_WhateverTheCulture()
    {
        // Every writer locks in this order; two orders would deadlock. Ordinal: '-' before '/', capitals before small letters, 'é' after 'z'.
        var group = Build([Request(
            TestEvents.New("b1", "1"), TestEvents.New("a1", "2", topic: "z"), TestEvents.New("a1", "3", topic: "B"), TestEvents.New("a1", "4", userId: "é"),
            TestEvents.New("a1", "5", userId: "z"), TestEvents.New("a1-x", "6"), TestEvents.New("a1", "7"), TestEvents.New("a1", "8", topic: "b"))]);

        group.Streams.Select(stream => stream.Stream.Text).ShouldBe(
            ["a1", "a1-x", "a1/topics/B", "a1/topics/b", "a1/topics/z", "a1/users/z", "a1/users/é", "b1"]);
    }

    [Fact]
    public void KnownEvent_GetsNoRowAndNoCopy()
    {
        var known = Known("a1", "1");

        var group = AppendPlan.Build([Request(TestEvents.New("a1", "1", copyTo: "b1"), TestEvents.New("a1", "2"), TestEvents.New("b1", "1"))], known, s_noInterest, TestEvents.Noon);

        group.Rows.Select(row => (row.Event.Source, row.Event.Id, row.Offset)).ShouldBe([("a1", "2", 0), ("b1", "1", 0)]);
        group.Streams.Select(stream => (stream.Stream.Text, stream.Count)).ShouldBe([("a1", 1), ("b1", 1)]);
    }

    [Fact]
    public void GroupOfKnownEventsAlone_IsEmpty_ButTakesItsOutboxEntriesAlong()
    {
        var entry = new Guid("019af0c3-7d3b-7cc0-8000-000000000001");

        var group = AppendPlan.Build([new AppendRequest("a1", [TestEvents.New("a1", "1")], entry)], Known("a1", "1"), s_noInterest, TestEvents.Noon);

        group.Rows.ShouldBeEmpty();
        group.Streams.ShouldBeEmpty();
        group.OutboxIds.ShouldBe([entry]);
    }

    [Fact]
    public void Group_CarriesItsTimeAndItsOutboxEntries()
    {
        var entry = new Guid("019af0c3-7d3b-7cc0-8000-000000000002");

        var group = Build([Request(TestEvents.New("a1", "1")), new AppendRequest("a1", [TestEvents.New("a1", "2")], entry)]);

        group.Now.ShouldBe(TestEvents.Noon);
        group.OutboxIds.ShouldBe([entry]);
    }

    [Fact]
    public void AnyGroup_FillsEachStreamWithoutAGapAndInTheOrderOfItsEvents()
    {
        var app = Gen.OneOf("a1", "b1", "c1");
        var drawn = Gen.Select(app, Gen.OneOf<string?>(null, "ada", "bob"), Gen.OneOf<string?>(null, "room"), app.Array[0, 2], Gen.Bool);

        drawn.Array[1, 4].Array[0, 10].Sample(
            requests =>
            {
                var id = 0;
                var known = new Dictionary<EventKey, StoredReceipt>();
                var group = AppendPlan.Build(
                    [.. requests.Select(request => Request([.. request.Select(e =>
                    {
                        var (source, userId, topic, copies, isKnown) = e;
                        var made = TestEvents.New(source, $"{id++}", userId, userId is null ? topic : null, copyTo: [.. copies.Distinct().Where(copy => copy != source)]);
                        if (isKnown)
                            known[made.Key] = new StoredReceipt("s", 1, [], 0, TestEvents.Noon);
                        return made;
                    })]))],
                    known,
                    s_noInterest,
                    TestEvents.Noon);

                group.Streams.Select(stream => stream.Stream.Text).ShouldBe(
                    group.Rows.Select(row => row.Stream.Text).Distinct().Order(StringComparer.Ordinal));
                foreach (var stream in group.Streams)
                {
                    var rows = group.Rows.Where(row => row.Stream.Text == stream.Stream.Text).ToList();
                    rows.Select(row => row.Offset).ShouldBe(Enumerable.Range(1 - stream.Count, stream.Count), stream.Stream.Text);
                    rows.Select(row => int.Parse(row.Event.Id)).ShouldBeInOrder();
                }

                var sources = group.Rows.Where(row => row.IsSource).ToList();
                sources.Count.ShouldBe(id - known.Count);
                sources.ShouldAllBe(row => row.Stream.App == row.Event.Source);
                group.Rows.ShouldAllBe(row => !known.ContainsKey(row.Event.Key));
                group.Rows.Count.ShouldBe(sources.Sum(row => 1 + row.Event.CopyTo.Count));
            },
            iter: 1_000);
    }

    /// <summary>Of apps that nobody knows: nothing of theirs concerns notifications.</summary>
    private static readonly NotificationInterest s_noInterest =
        new(new AppRegistry(null!, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<AppRegistry>.Instance), null!);

    private static AppendGroup Build(List<AppendRequest> requests) => AppendPlan.Build(requests, s_nothing, s_noInterest, TestEvents.Noon);

    private static AppendRequest Request(params NewEvent[] events) => new(events[0].Source, events);

    private static Dictionary<EventKey, StoredReceipt> Known(string source, string id) =>
        new() { [new EventKey(source, id)] = new StoredReceipt(source, 1, new byte[32], 0, TestEvents.Noon) };
}
