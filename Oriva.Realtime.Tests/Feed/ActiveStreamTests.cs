using CsCheck;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Feed;

public sealed class ActiveStreamTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly TailBudget _budget = new();
    private readonly ActiveStream _stream;

    public ActiveStreamTests() => _stream = Follow(_budget);

    [Fact]
    public void OnlyAnAdvance_IsGrowth()
    {
        var grown = ((long[])[0, -1, 3, 3, 2, 4, 1, 4, 5]).Where(head => _stream.Advance(head, null));

        grown.ShouldBe([3L, 4L, 5L]);
        _stream.Head.ShouldBe(5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(1_000)]
    public void EveryListener_IsWokenOnce(int count)
    {
        var stream = new ActiveStream(StreamName.OfApp("a1"), _budget, TimeProvider.System);
        var listeners = Enumerable.Range(0, count).Select(_ => new CountingListener()).ToList();
        listeners.ForEach(listener => stream.TryAdd(listener).ShouldBeTrue());

        stream.WakeListeners();

        listeners.ShouldAllBe(listener => listener.Wakes == 1);
    }

    [Fact]
    public void ListenerThatLeft_IsNotWoken_AndTheOthersAre()
    {
        var stream = new ActiveStream(StreamName.OfApp("a1"), _budget, TimeProvider.System);
        var listeners = Enumerable.Range(0, 10).Select(_ => new CountingListener()).ToList();
        listeners.ForEach(listener => stream.TryAdd(listener));
        foreach (var gone in (int[])[0, 4, 9, 1])
            stream.Remove(listeners[gone]).ShouldBeFalse();
        var before = listeners.ConvertAll(listener => listener.Wakes);

        stream.WakeListeners();

        listeners.Select((listener, i) => listener.Wakes - before[i]).ShouldBe([0, 0, 1, 1, 0, 1, 1, 1, 1, 0]);
    }

    [Fact]
    public void ListenerThatLeavesWhileWoken_LeavesNobodyOut()
    {
        var stream = new ActiveStream(StreamName.OfApp("a1"), _budget, TimeProvider.System);
        var listeners = Enumerable.Range(0, 300).Select(_ => new CountingListener()).ToList();
        listeners.ForEach(listener => stream.TryAdd(listener));
        foreach (var leaving in listeners.Where((_, i) => i % 3 == 0))
        {
            leaving.OnWake = () =>
            {
                leaving.OnWake = null;
                stream.Remove(leaving);
            };
        }

        stream.WakeListeners();

        listeners.ShouldAllBe(listener => listener.Wakes >= 1);
    }

    [Fact]
    public void AnyComingsAndGoings_LeaveExactlyThoseWhoStayed() =>
        Gen.Int[0, 9].Array[0, 60].Sample(
            toggled =>
            {
                var stream = new ActiveStream(StreamName.OfApp("a1"), new TailBudget(), TimeProvider.System);
                var listeners = Enumerable.Range(0, 10).Select(_ => new CountingListener()).ToList();
                var anchor = new CountingListener();
                stream.TryAdd(anchor).ShouldBeTrue();
                var present = new HashSet<int>();
                foreach (var i in toggled)
                {
                    if (present.Add(i))
                        stream.TryAdd(listeners[i]).ShouldBeTrue();
                    else if (present.Remove(i))
                        stream.Remove(listeners[i]).ShouldBeFalse();
                }

                var before = listeners.ConvertAll(listener => listener.Wakes);
                stream.WakeListeners();

                listeners.Select((listener, i) => listener.Wakes - before[i]).ShouldBe(Enumerable.Range(0, 10).Select(i => present.Contains(i) ? 1 : 0));
                foreach (var i in present)
                    stream.Remove(listeners[i]).ShouldBeFalse();
                stream.Remove(anchor).ShouldBeTrue();
            },
            iter: 1_000);

    [Fact]
    public void LastListener_RetiresTheStream_AndNobodyComesAfter()
    {
        var stream = new ActiveStream(StreamName.OfApp("a1"), _budget, TimeProvider.System);
        var listener = new CountingListener();
        stream.TryAdd(listener);

        stream.Remove(listener).ShouldBeTrue();

        stream.IsRetired.ShouldBeTrue();
        stream.TryAdd(new CountingListener()).ShouldBeFalse();
        stream.Advance(1, Events(1, 1));
        stream.TryRead(0, new ReadLimit(10), out _).ShouldBeFalse("a retired stream keeps no events");
    }

    [Fact]
    public void Tail_GivesTheEventsAfterAPosition()
    {
        _stream.Advance(5, Events(3, 5));

        Read(2).ShouldBe([3, 4, 5]);
        Read(3).ShouldBe([4, 5]);
        Read(4).ShouldBe([5]);
        Read(2, limit: 2).ShouldBe([3, 4]);
        Read(5).ShouldBeNull("there is nothing after its end");
        Read(1).ShouldBeNull("position 2 is before the tail");
        Read(9).ShouldBeNull();
    }

    [Fact]
    public void EventsThatFollowOn_LengthenTheTail()
    {
        _stream.Advance(2, Events(1, 2));
        _stream.Advance(4, Events(3, 4));

        Read(0).ShouldBe([1, 2, 3, 4]);
    }

    [Fact]
    public void EventsThatAreHeldAlready_AreNotHeldTwice()
    {
        _stream.Advance(4, Events(1, 4));
        _stream.Advance(5, Events(3, 5));
        _stream.Advance(2, Events(1, 2));

        Read(0).ShouldBe([1, 2, 3, 4, 5]);
    }

    [Fact]
    public void EventsAfterAGap_BecomeTheTail_ForWhoeverStandsThere()
    {
        _stream.Advance(2, Events(1, 2));
        _stream.Advance(6, Events(5, 6));

        Read(0).ShouldBe([1, 2]);
        Read(2).ShouldBeNull("3 and 4 are missing: the log has them");
        Read(4).ShouldBe([5, 6]);
        Read(0).ShouldBeNull("nobody is to be held up by who is behind");
    }

    [Fact]
    public async Task EventsAfterASmallGap_AreThereWhenTheGapIsFilled_ForOneRead()
    {
        var log = new ReadableLog(Events(1, 6));
        _stream.Advance(2, Events(1, 2));
        _stream.Advance(6, Events(5, 6));

        (await _stream.TryLoadAsync(log, 2, TestContext.Current.CancellationToken)).ShouldBeTrue("whoever stands at the tail's end fills it for all");

        Read(0).ShouldBe([1, 2, 3, 4, 5, 6]);
        log.Reads.ShouldBe(1);
    }

    [Fact]
    public void AnotherNodesWord_CountsWhenItFollowsOn()
    {
        _stream.Advance(2, Events(1, 2));

        _stream.Follow(4, Events(3, 4)).ShouldBe(Following.Grown);
        _stream.Follow(4, Events(4, 4)).ShouldBe(Following.Known);
        _stream.Follow(5, Events(4, 5)).ShouldBe(Following.Grown, "part of it is known");
        _stream.Head.ShouldBe(5);
        Read(0).ShouldBe([1, 2, 3, 4, 5]);
    }

    [Fact]
    public void AnotherNodesWord_BehindAGap_MovesNothingUntilTheGapIsFilled()
    {
        _stream.Advance(2, Events(1, 2));

        _stream.Follow(6, Events(4, 6)).ShouldBe(Following.Gap);
        _stream.Head.ShouldBe(2);
        _stream.HasGap.ShouldBeTrue();
        Read(2).ShouldBeNull();

        _stream.Follow(3, Events(3, 3)).ShouldBe(Following.Grown);
        _stream.Head.ShouldBe(6);
        _stream.HasGap.ShouldBeFalse();
        Read(0).ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [Fact]
    public void AnotherNodesWord_WithoutEvents_IsForTheLogToConfirm()
    {
        _stream.Advance(2, null);

        _stream.Follow(3, []).ShouldBe(Following.Gap);
        _stream.Head.ShouldBe(2);
        _stream.HasGap.ShouldBeTrue();

        _stream.Advance(3, null);
        _stream.HasGap.ShouldBeFalse();
    }

    [Fact]
    public void MessagesOfTwoNodes_InAnyOrder_LeaveWhatIsTrue_AndHeadsThatTheLogHas() =>
        Gen.Select(Gen.Int[1, 4].Array[1, 12], Gen.Int[0, 1_000_000]).Sample(
            (sizes, seed) =>
            {
                var stream = Follow(new TailBudget());
                var messages = new List<(int From, int To)>();
                foreach (var size in sizes)
                    messages.Add((messages.Count == 0 ? 1 : messages[^1].To + 1, (messages.Count == 0 ? 0 : messages[^1].To) + size));
                var last = messages[^1].To;
                // Shuffled, and some come twice.
                var order = messages.Concat(messages.Take(3)).ToArray();
                new Random(seed).Shuffle(order);
                foreach (var (from, to) in order)
                    stream.Follow(to, Events(from, to));
                stream.Head.ShouldBeInRange(0, last);
                stream.HasGap.ShouldBe(stream.Head < last, "what is missing is known to be missing");
                for (var after = 0; after < last; after++)
                {
                    if (stream.TryRead(after, new ReadLimit(100), out var events))
                        events.Select(e => e.Position).ShouldBe(Enumerable.Range(after + 1, events.Count).Select(position => (long)position));
                }

                // In order once more, as the log has them.
                stream.Advance(last, Events(1, last));
                stream.TryRead(last - 1, new ReadLimit(1), out var newest).ShouldBeTrue();
                newest[0].Position.ShouldBe(last);
            },
            iter: 2_000);

    [Fact]
    public void EventsBesideTheTail_AreCountedInTheBudget_AndGivenBack()
    {
        var large = new string('x', 100_000);
        for (var round = 0; round < 1_000; round++)
        {
            _stream.Advance((10 * round) + 2, Events((10 * round) + 1, (10 * round) + 2, large));
            _stream.Follow((10 * round) + 9, Events((10 * round) + 5, (10 * round) + 9, large));
        }

        _stream.Trim();
        _stream.Trim();
        _stream.Trim();
        var other = Follow(_budget);
        other.Advance(1, Events(1, 1, large));
        other.TryRead(0, new ReadLimit(1), out _).ShouldBeTrue("there is room again");
        _budget.IsScarce.ShouldBeFalse();
    }

    [Fact]
    public void HeadWithoutEvents_LeavesTheTailAsItIs()
    {
        _stream.Advance(2, Events(1, 2));
        _stream.Advance(4, null);

        _stream.Head.ShouldBe(4);
        Read(0).ShouldBe([1, 2]);
    }

    [Fact]
    public void Tail_IsBoundedInEvents()
    {
        _stream.Advance(1_000, Events(1, 1_000));

        Read(1_000 - 512, limit: 1_000)!.Count.ShouldBe(512);
        Read(1_000 - 513).ShouldBeNull();
    }

    [Fact]
    public void Tail_IsBoundedInBytes()
    {
        // Some 32 KB each, as they are counted.
        _stream.Advance(100, Events(1, 100, new string('x', 10_000)));

        var held = Enumerable.Range(0, 100).Count(after => _stream.TryRead(after, new ReadLimit(1), out _));
        held.ShouldBeInRange(2, 40);
        Read(99).ShouldBe([100L]);
    }

    [Fact]
    public void EventLargerThanTheTail_IsHeldAlone()
    {
        _stream.Advance(2, Events(1, 2, new string('x', 600_000)));

        Read(1).ShouldBe([2L]);
        Read(0).ShouldBeNull();
    }

    [Fact]
    public void BudgetOfTheNode_BoundsAllTailsTogether_AndIsGivenBack()
    {
        var large = Events(1, 1, new string('x', 330_000));
        var streams = new List<(ActiveStream Stream, CountingListener Listener)>();
        for (var i = 0; i < 200; i++)
        {
            var listener = new CountingListener();
            var stream = new ActiveStream(StreamName.OfApp("a1"), _budget, TimeProvider.System);
            stream.TryAdd(listener);
            stream.Advance(1, large);
            streams.Add((stream, listener));
        }

        // Some 1 MB each: past 128 MB nothing more is kept.
        streams.Count(each => each.Stream.TryRead(0, new ReadLimit(1), out _)).ShouldBeInRange(100, 135);

        streams.ForEach(each => each.Stream.Remove(each.Listener));
        var after = Follow(_budget);
        after.Advance(1, large);
        after.TryRead(0, new ReadLimit(1), out _).ShouldBeTrue("those who left gave back what they held");
        _budget.TryTake(125 * 1024 * 1024).ShouldBeTrue();
        _budget.TryTake(4 * 1024 * 1024).ShouldBeFalse();
    }

    [Fact]
    public void TailThatMovesOn_GivesBackWhatItDrops()
    {
        // Ten times what the node's budget holds, through one tail that never has more than one of them.
        var text = new string('x', 330_000);
        for (var position = 1; position <= 1_300; position++)
            _stream.Advance(position, [TestEvents.Stored(data: text, position: position, app: "a1")]);

        Read(1_299).ShouldBe([1_300L]);
        _budget.TryTake(125 * 1024 * 1024).ShouldBeTrue();
    }

    [Fact]
    public async Task WhatComesWhileACrowdIsWoken_IsLeftToOneMorePass()
    {
        var crowd = Enumerable.Range(0, 1_000).Select(_ => new CountingListener()).ToList();
        crowd.ForEach(listener => _stream.TryAdd(listener).ShouldBeTrue());
        crowd[10].OnWake = () =>
        {
            for (var i = 0; i < 20; i++)
                _stream.WakeListeners();
            crowd[10].OnWake = null;
        };

        _stream.WakeListeners();

        await Waiting.Eventually("the second pass", () => crowd[^1].Wakes == 2);
        crowd.ShouldAllBe(listener => listener.Wakes == 2);
        _stream.WakeListeners();
        await Waiting.Eventually("a pass of its own, after the rest", () => crowd[^1].Wakes == 3);
    }

    [Fact]
    public void SessionsAtTheSamePlace_ShareABatch()
    {
        _stream.TryAdd(new CountingListener());
        _stream.Advance(5, Events(1, 5));

        var batch = _stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(10)).ShouldNotBeNull();

        (batch.App, batch.Subscription, batch.Stream, batch.After, batch.Through).ShouldBe(("a1", 1, "a1", 2, 5));
        batch.Events.Select(e => e.Position).ShouldBe([3, 4, 5]);
        _stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(10)).ShouldBeSameAs(batch);
        _stream.TryReadBatch("a1", 2, after: 2, new ReadLimit(10)).ShouldNotBeSameAs(batch);
        _stream.TryReadBatch("a1", 1, after: 3, new ReadLimit(10)).ShouldNotBeSameAs(batch);
        _stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(2))!.Through.ShouldBe(4);
    }

    [Fact]
    public void TheOnlySession_SharesItsBatchWithNobody()
    {
        _stream.Advance(5, Events(1, 5));

        _stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(10)).ShouldNotBeSameAs(_stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(10)));
    }

    [Fact]
    public void Batch_IsBoundedInBytes_AndHasAnEventAtLeast()
    {
        _stream.Advance(5, Events(1, 5, new string('x', 1_000)));

        _stream.TryReadBatch("a1", 1, after: 0, new ReadLimit(10, Bytes: 8_000))!.Through.ShouldBe(3); // 3.5 KB each; the one that goes past it is the last
        _stream.TryReadBatch("a1", 1, after: 3, new ReadLimit(10, Bytes: 8_000))!.Through.ShouldBe(5);
        _stream.TryReadBatch("a1", 1, after: 0, new ReadLimit(10, Bytes: 1))!.Through.ShouldBe(1);
        _stream.TryRead(1, new ReadLimit(10, Bytes: 4_000), out var events).ShouldBeTrue();
        events.Select(e => e.Position).ShouldBe([2, 3]);
    }

    [Fact]
    public void SharedBatch_IsNotGivenOutForAStreamThatHasGrown()
    {
        _stream.Advance(2, Events(1, 2));
        var before = _stream.TryReadBatch("a1", 1, after: 0, new ReadLimit(10));
        _stream.Advance(3, Events(3, 3));

        var batch = _stream.TryReadBatch("a1", 1, after: 0, new ReadLimit(10)).ShouldNotBeNull();

        batch.ShouldNotBeSameAs(before);
        batch.Events.Select(e => e.Position).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public void BatchOutsideTheTail_IsReadFromTheLog()
    {
        _stream.TryReadBatch("a1", 1, after: 0, new ReadLimit(10)).ShouldBeNull();
        _stream.Advance(5, Events(4, 5));

        _stream.TryReadBatch("a1", 1, after: 2, new ReadLimit(10)).ShouldBeNull();
        _stream.TryReadBatch("a1", 1, after: 5, new ReadLimit(10)).ShouldBeNull();
    }

    [Fact]
    public void AnyAdvances_LeaveATailThatIsContiguousAndTrue() =>
        Gen.Select(Gen.Int[1, 30], Gen.Int[0, 6]).Array[0, 15].Sample(
            ranges =>
            {
                var stream = Follow(new TailBudget());
                foreach (var (from, count) in ranges)
                    stream.Advance(from + count - 1, Events(from, from + count - 1));
                for (var after = 0; after < 40; after++)
                {
                    if (!stream.TryRead(after, new ReadLimit(100), out var events))
                        continue;
                    events.Select(e => e.Position).ShouldBe(Enumerable.Range(after + 1, events.Count).Select(position => (long)position));
                    events[^1].Position.ShouldBeLessThanOrEqualTo(stream.Head);
                    stream.TryReadBatch("a1", 1, after, new ReadLimit(100))!.Events.ShouldBe(events);
                }
            },
            iter: 1_000);

    [Fact]
    public async Task ManyWhoAsk_CostTheLogOneRead()
    {
        var answering = new TaskCompletionSource();
        var log = new ReadableLog(Events(1, 5)) { Answers = answering.Task };
        _stream.Advance(5, null);

        var asking = Enumerable.Range(0, 20).Select(_ => _stream.TryLoadAsync(log, 2, TestContext.Current.CancellationToken).AsTask()).ToList();
        answering.SetResult();

        (await Task.WhenAll(asking)).ShouldAllBe(loaded => loaded);
        log.Reads.ShouldBe(1);
        Read(2).ShouldBe([3, 4, 5]);
    }

    [Fact]
    public async Task Load_LengthensTheTailFromItsEnd()
    {
        var log = new ReadableLog(Events(1, 6));
        _stream.Advance(3, Events(1, 3));
        _stream.Advance(6, null);

        (await _stream.TryLoadAsync(log, 3, TestContext.Current.CancellationToken)).ShouldBeTrue();

        Read(0).ShouldBe([1, 2, 3, 4, 5, 6]);
    }

    [Theory]
    [InlineData(0, "before the tail's end")]
    [InlineData(2, "within the tail")]
    public async Task PositionThatIsNotTheTailsEnd_IsLeftToTheLog(long after, string why)
    {
        var log = new ReadableLog(Events(1, 6));
        _stream.Advance(3, Events(2, 3));
        _stream.Advance(6, null);

        (await _stream.TryLoadAsync(log, after, TestContext.Current.CancellationToken)).ShouldBeFalse(why);

        log.Reads.ShouldBe(0);
    }

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public async Task PositionFarBehindTheHead_IsLeftToTheLog(long head, bool loads)
    {
        _stream.Advance(head, null);

        (await _stream.TryLoadAsync(new ReadableLog(Events(1, (int)head)), 0, TestContext.Current.CancellationToken)).ShouldBe(loads);
    }

    [Fact]
    public async Task LoadThatFails_IsToldToWhoAsked_AndTheNextTriesAgain()
    {
        _stream.Advance(1, null);
        var down = new ReadableLog([]) { Answers = Task.FromException(new TimeoutException()) };

        await Should.ThrowAsync<TimeoutException>(async () => await _stream.TryLoadAsync(down, 0, TestContext.Current.CancellationToken));

        (await _stream.TryLoadAsync(new ReadableLog(Events(1, 1)), 0, TestContext.Current.CancellationToken)).ShouldBeTrue();
        Read(0).ShouldBe([1L]);
    }

    [Fact]
    public async Task OneWhoStopsWaitingForALoad_DoesNotStopTheOthers()
    {
        var answering = new TaskCompletionSource();
        var log = new ReadableLog(Events(1, 1)) { Answers = answering.Task };
        _stream.Advance(1, null);
        using var giveUp = new CancellationTokenSource();
        var impatient = _stream.TryLoadAsync(log, 0, giveUp.Token).AsTask();
        var patient = _stream.TryLoadAsync(log, 0, TestContext.Current.CancellationToken).AsTask();

        await giveUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => impatient);
        answering.SetResult();

        (await patient.WaitAsync(s_patience, TestContext.Current.CancellationToken)).ShouldBeTrue();
        Read(0).ShouldBe([1L]);
    }

    [Theory]
    [InlineData(null, null, "", "")]
    [InlineData("ada", null, "ada", "")]
    [InlineData(null, "room-1", "", "a1/room-1")]
    public async Task Load_SeesThisStreamAndNoOther(string? userId, string? topic, string sub, string topics)
    {
        var stream = new ActiveStream(StreamName.Of("a1", userId, topic), _budget, TimeProvider.System);
        stream.TryAdd(new CountingListener());
        stream.Advance(1, null);
        var log = new ReadableLog([]);

        await stream.TryLoadAsync(log, 0, TestContext.Current.CancellationToken);

        var scope = log.LastScope.ShouldNotBeNull();
        (scope.Sub, string.Join(' ', scope.Apps), string.Join(' ', scope.Topics), scope.Whole).ShouldBe((sub, "a1", topics, false));
    }

    private static ActiveStream Follow(TailBudget budget)
    {
        var stream = new ActiveStream(StreamName.OfApp("a1"), budget, TimeProvider.System);
        stream.TryAdd(new CountingListener());
        return stream;
    }

    private List<long>? Read(long after, int limit = 100) => _stream.TryRead(after, new ReadLimit(limit), out var events) ? [.. events.Select(e => e.Position)] : null;

    private static List<StoredEvent> Events(int from, int through, string text = "") =>
        [.. Enumerable.Range(from, Math.Max(0, through - from + 1)).Select(position => TestEvents.Stored(data: $$"""{"text":"{{text}}"}""", position: position, app: "a1"))];
}
