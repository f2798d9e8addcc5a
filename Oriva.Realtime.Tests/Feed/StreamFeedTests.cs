using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Feed;

public sealed class StreamFeedTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly StreamName s_app = StreamName.OfApp("a1");
    private static readonly StreamName s_user = StreamName.OfUser("a1", "ada");

    private readonly FakeTimeProvider _time = new(TestEvents.Noon);
    private readonly StreamFeed _feed;

    public StreamFeedTests() => _feed = new StreamFeed(_time);

    [Fact]
    public async Task Advance_WakesTheListenersOfItsStreamAlone()
    {
        CountingListener one = new(), same = new(), other = new();
        var stream = _feed.Listen(s_app, one);
        _feed.Listen(s_app, same).ShouldBeSameAs(stream);
        var user = _feed.Listen(s_user, other);

        _feed.Announce([new("a1", 3), new("A1", 9), new("b1", 9)]);

        await one.Woken.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await same.Woken.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        stream.Head.ShouldBe(3);
        user.Head.ShouldBe(0);
        other.Wakes.ShouldBe(0);
    }

    [Fact]
    public void Heads_AreKnownAtOnce_AndOnlyGrow()
    {
        var stream = _feed.Listen(s_app, new CountingListener());

        _feed.Announce([new("a1", 3), new("a1", 2)]);

        stream.Head.ShouldBe(3);
    }

    [Fact]
    public void StreamThatNobodyFollows_IsNotKept()
    {
        _feed.Announce([new("a1", 3)]);

        _feed.Streams.ShouldBeEmpty();
        _feed.IsActive("a1").ShouldBeFalse();
    }

    [Fact]
    public void Streams_AreThoseThatSomebodyFollows()
    {
        CountingListener one = new(), other = new(), user = new();
        var stream = _feed.Listen(s_app, one);
        _feed.Listen(s_app, other);
        var users = _feed.Listen(s_user, user);
        _feed.Streams.ShouldBe(["a1", "a1/users/ada"], ignoreOrder: true);

        _feed.StopListening(stream, one);
        _feed.StopListening(users, user);
        _feed.Streams.ShouldBe(["a1"]);
        _feed.IsActive("a1").ShouldBeTrue();
        _feed.IsActive("a1/users/ada").ShouldBeFalse();

        _feed.StopListening(stream, other);
        _feed.Streams.ShouldBeEmpty();
        stream.IsRetired.ShouldBeTrue();
    }

    [Fact]
    public void StreamThatWasLeft_BeginsAnewForTheNext()
    {
        var listener = new CountingListener();
        var left = _feed.Listen(s_app, listener);
        _feed.Announce([new("a1", 10)]);
        _feed.StopListening(left, listener);

        var stream = _feed.Listen(s_app, listener);
        _feed.Announce([new("a1", 2)]);

        stream.ShouldNotBeSameAs(left);
        stream.Head.ShouldBe(2);
        left.Head.ShouldBe(10);
    }

    [Fact]
    public void StreamThatIsBeingLeft_IsNotJoined()
    {
        // As it stands between the two steps of StopListening.
        var listener = new CountingListener();
        var leaving = _feed.Listen(s_app, listener);
        leaving.Remove(listener).ShouldBeTrue();

        var stream = _feed.Listen(s_app, listener);
        _feed.Announce([new("a1", 1)]);

        stream.ShouldNotBeSameAs(leaving);
        stream.IsRetired.ShouldBeFalse();
        stream.Head.ShouldBe(1);
    }

    [Fact]
    public void EventsOfATail_StayFor5To10Seconds_AlsoWhenItGrowsOn()
    {
        var stream = _feed.Listen(s_app, new CountingListener());
        for (var second = 1; second <= 60; second++)
        {
            _feed.Announce([new("a1", second, [TestEvents.Stored(position: second)])]);
            _time.Advance(TimeSpan.FromSeconds(1));
            _feed.TrimTails();

            for (var position = 1; position <= second; position++)
            {
                var kept = stream.TryRead(position - 1, new ReadLimit(10), out _);
                if (position > second - 5)
                    kept.ShouldBeTrue();
                if (position <= second - 10)
                    kept.ShouldBeFalse();
            }
        }
    }

    [Fact]
    public void EventsOfATail_StayForASecondOrTwo_WhenTheNodesMemoryIsScarce()
    {
        var streams = Enumerable.Range(0, 100).Select(i => _feed.Listen(StreamName.OfApp($"a{i}"), new CountingListener())).ToList();
        var text = new string('x', 330_000); // some 1 MB each
        var unread = 0;
        for (var second = 1; second <= 20; second++)
        {
            foreach (var stream in streams)
                _feed.Announce([new(stream.Name.Text, second, [TestEvents.Stored(data: text, position: second, app: stream.Name.App)])]);
            unread += streams.Count(stream => !stream.TryRead(second - 1, new ReadLimit(10), out _));
            _time.Advance(TimeSpan.FromSeconds(1));
            _feed.TrimTails();
        }

        // Room for 128 of the 200 that two seconds bring: the newest are not always kept, but the old ones never keep them out for longer.
        unread.ShouldBeLessThan(20 * 100 / 2);
    }

    [Fact]
    public async Task TailThatHasNotGrownForAWhile_IsGivenBack_ThoughItsHeadIsPolledEverySecond()
    {
        var e = TestEvents.Stored(position: 1);
        var stream = _feed.Listen(StreamName.OfApp(e.App), new CountingListener());
        _feed.Announce([new(e.Stream, 1, [e])]);
        using var poll = new HeadsPoll(new ReadableLog([e]), _feed, _time, NullLogger<HeadsPoll>.Instance);

        for (var second = 0; second < 60; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await poll.RunOnceAsync(TestContext.Current.CancellationToken);
        }

        stream.TryRead(0, new ReadLimit(10), out _).ShouldBeFalse("a head that is announced again is no growth");
    }

    [Fact]
    public async Task Poll_AsksForTheHeadsOfFollowedStreams_AndForNoneWithoutListeners()
    {
        var e = TestEvents.Stored(position: 7);
        var log = new ReadableLog([e]);
        using var poll = new HeadsPoll(log, _feed, _time, NullLogger<HeadsPoll>.Instance);

        await poll.RunOnceAsync(TestContext.Current.CancellationToken);
        log.Reads.ShouldBe(0);

        var stream = _feed.Listen(StreamName.OfApp(e.App), new CountingListener());
        await poll.RunOnceAsync(TestContext.Current.CancellationToken);
        log.Reads.ShouldBe(1);
        stream.Head.ShouldBe(7);
    }

    [Fact]
    public async Task ListenersThatComeAndGoAtOnce_AlwaysLearnTheHeadsAnnouncedMeanwhile()
    {
        const int Rounds = 5_000;
        var head = 0L;
        var deaf = 0;

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < Rounds; i++)
                {
                    // The race: the last listener retires the stream while this one comes in.
                    var listener = new CountingListener();
                    var stream = _feed.Listen(s_app, listener);
                    var announced = Interlocked.Increment(ref head);
                    _feed.Announce([new("a1", announced)]);
                    if (stream.Head < announced)
                        Interlocked.Increment(ref deaf);
                    _feed.StopListening(stream, listener);
                }
            },
            TestContext.Current.CancellationToken)));

        deaf.ShouldBe(0);
        _feed.Streams.ShouldBeEmpty();
    }

    [Fact]
    public async Task ListenerThatStays_IsWokenForTheLastHead_WhileOthersComeAndGo()
    {
        const int Heads = 2_000;
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var staying = new CountingListener();
        var stream = _feed.Listen(s_app, staying);
        staying.OnWake = () =>
        {
            if (stream.Head == Heads)
                reached.TrySetResult();
        };

        var coming = Task.Run(
            () =>
            {
                for (var i = 0; i < Heads; i++)
                {
                    // They move each other's places in the stream's list, past which a waking in progress may have gone.
                    CountingListener[] passing = [new(), new(), new()];
                    var streams = passing.Select(listener => _feed.Listen(s_app, listener)).ToList();
                    for (var j = 0; j < passing.Length; j++)
                        _feed.StopListening(streams[j], passing[j]);
                }
            },
            TestContext.Current.CancellationToken);
        for (var head = 1; head <= Heads; head++)
            _feed.Announce([new("a1", head)]);

        await reached.Task.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await coming;
        _feed.Streams.ShouldBe(["a1"]);
    }
}
