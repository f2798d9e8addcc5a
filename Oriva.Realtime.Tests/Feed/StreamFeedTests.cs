using Oriva.Realtime.Core.Feed;

namespace Oriva.Realtime.Tests.Feed;

public sealed class StreamFeedTests
{
    private readonly StreamFeed _feed = new();

    [Fact]
    public void Listener_HearsEachAdvanceOfItsStreamAlone()
    {
        var heard = new List<StreamAdvance>();
        using var listening = _feed.Listen("a1", heard.Add);

        _feed.Announce([new("a1", 1), new("b1", 7), new("a1/users/ada", 3), new("A1", 9), new("a1", 4)]);

        heard.ShouldBe([new StreamAdvance("a1", 1), new StreamAdvance("a1", 4)]);
    }

    [Fact]
    public void HeadThatIsNoAdvance_WakesNobody()
    {
        var heard = new List<long>();
        using var listening = _feed.Listen("a1", advance => heard.Add(advance.Head));

        foreach (var head in (long[])[0, -1, 3, 3, 2, 4, 1, 4, 5])
            _feed.Announce([new("a1", head)]);

        heard.ShouldBe([3, 4, 5]);
    }

    [Fact]
    public void AllListenersOfAStream_AreWoken()
    {
        var (one, other) = (0, 0);
        using var first = _feed.Listen("a1", _ => one++);
        using var second = _feed.Listen("a1", _ => other++);

        _feed.Announce([new("a1", 1)]);

        (one, other).ShouldBe((1, 1));
    }

    [Fact]
    public void DisposedListener_HearsNothingMore_AndTheOthersGoOn()
    {
        var (gone, stays) = (0, 0);
        var leaving = _feed.Listen("a1", _ => gone++);
        using var staying = _feed.Listen("a1", _ => stays++);

        leaving.Dispose();
        leaving.Dispose();
        _feed.Announce([new("a1", 1)]);

        (gone, stays).ShouldBe((0, 1));
    }

    [Fact]
    public void OneWakeListeningTwice_LeavesOnce()
    {
        var woken = 0;
        void Wake(StreamAdvance advance) => woken++;
        var first = _feed.Listen("a1", Wake);
        using var second = _feed.Listen("a1", Wake);

        first.Dispose();
        _feed.Announce([new("a1", 1)]);

        woken.ShouldBe(1);
    }

    [Fact]
    public void Streams_AreThoseThatSomebodyListensTo()
    {
        _feed.Streams.ShouldBeEmpty();
        var one = _feed.Listen("a1", static _ => { });
        var other = _feed.Listen("a1", static advance => _ = advance.Head);
        var user = _feed.Listen("a1/users/ada", static _ => { });
        _feed.Streams.ShouldBe(["a1", "a1/users/ada"], ignoreOrder: true);

        one.Dispose();
        user.Dispose();
        _feed.Streams.ShouldBe(["a1"]);

        other.Dispose();
        other.Dispose();
        _feed.Streams.ShouldBeEmpty();
    }

    [Fact]
    public void StreamThatWasLeft_CanBeListenedToAgain_FromAnyHead()
    {
        _feed.Listen("a1", static _ => { }).Dispose();
        var first = _feed.Listen("a1", static _ => { });
        _feed.Announce([new("a1", 10)]);
        first.Dispose();
        // A store that was replaced begins anew; nobody was there to remember the old head.
        var heard = new List<long>();
        using var second = _feed.Listen("a1", advance => heard.Add(advance.Head));

        first.Dispose();
        _feed.Announce([new("a1", 2)]);

        heard.ShouldBe([2]);
        _feed.Streams.ShouldBe(["a1"]);
    }

    [Fact]
    public void StreamWithoutListeners_IsAnnouncedToNobody() => Should.NotThrow(() => _feed.Announce([new("a1", 1)]));

    [Fact]
    public void Listener_MayLeaveWhileItIsWoken()
    {
        var woken = 0;
        IDisposable? own = null;
        own = _feed.Listen("a1", _ =>
        {
            woken++;
            own!.Dispose();
        });
        using var other = _feed.Listen("a1", _ => woken++);

        _feed.Announce([new("a1", 1), new("a1", 2)]);

        woken.ShouldBe(3);
    }

    [Fact]
    public async Task ListenersThatComeAndGoAtOnce_AlwaysHearWhatIsAnnouncedMeanwhile()
    {
        const int Rounds = 5_000;
        var head = 0L;
        var deaf = 0;

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < Rounds; i++)
                {
                    var heard = 0L;
                    // The race: the last listener takes the stream's entry away while this one comes in.
                    using var listening = _feed.Listen("a1", advance => Volatile.Write(ref heard, Math.Max(Volatile.Read(ref heard), advance.Head)));
                    var announced = Interlocked.Increment(ref head);
                    _feed.Announce([new("a1", announced)]);
                    if (Volatile.Read(ref heard) < announced)
                        Interlocked.Increment(ref deaf);
                }
            },
            TestContext.Current.CancellationToken)));

        deaf.ShouldBe(0);
        _feed.Streams.ShouldBeEmpty();
    }
}
