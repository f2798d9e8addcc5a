using CsCheck;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class SubscriptionTests
{
    private readonly StreamFeed _feed = new();
    private int _woken;

    [Fact]
    public void Subscription_ListensToItsStreams_UntilItIsDisposed()
    {
        var subscription = Subscribe(StreamName.OfApp("a1"), StreamName.OfUser("a1", "ada"));
        subscription.Streams.Select(stream => stream.Stream).ShouldBe(["a1", "a1/users/ada"]);

        _feed.Announce([new("a1/users/ada", 5), new("b1", 1)]);
        subscription.Streams[1].Head.ShouldBe(5);
        subscription.Streams[1].IsBehind.ShouldBeTrue();
        subscription.Streams[0].IsBehind.ShouldBeFalse();
        _woken.ShouldBe(1);

        subscription.Dispose();
        subscription.Dispose();
        _feed.Announce([new("a1", 1), new("a1/users/ada", 6)]);
        subscription.Ended.ShouldBeTrue();
        subscription.Streams[1].Head.ShouldBe(5);
        _woken.ShouldBe(1);
        _feed.Streams.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("mix.published", true)]
    [InlineData("chat.sent", true)]
    [InlineData("room.opened", false)]
    public void Event_IsSentWhenAnyInterestMatches(string type, bool matches)
    {
        var interests = Interest.Read([new InterestRequest(["mix.*"]), new InterestRequest(["chat.sent"])], new FaultList());

        new Subscription("a1", 1, s_scope, interests).Matches(TestEvents.Stored(type)).ShouldBe(matches);
    }

    [Fact]
    public void WithoutInterests_EveryEventIsSent() => Subscribe().Matches(TestEvents.Stored()).ShouldBeTrue();

    [Fact]
    public void Head_OnlyGrows()
    {
        var stream = new StreamPosition("a1");

        stream.Advance(5);
        stream.Advance(3);
        stream.Advance(-1);

        stream.Head.ShouldBe(5);
    }

    [Fact]
    public void Start_IsWhereTheClientStands()
    {
        var stream = new StreamPosition("a1");

        stream.StartAt(7, TestEvents.Noon);

        (stream.Position, stream.PushedThrough, stream.Since, stream.Head, stream.IsBehind).ShouldBe((7, 7, TestEvents.Noon, 7, false));
    }

    [Fact]
    public void Start_BeforeTheHead_IsBehind()
    {
        var stream = new StreamPosition("a1");
        stream.Advance(9);

        stream.StartAt(7, TestEvents.Noon);

        stream.Head.ShouldBe(9);
        stream.IsBehind.ShouldBeTrue();
    }

    [Fact]
    public void HeadsAnnouncedAtOnce_LeaveTheHighest() =>
        Gen.Long[0, 100].Array[1, 50].Sample(
            heads =>
            {
                var stream = new StreamPosition("a1");
                Parallel.ForEach(heads, stream.Advance);
                stream.Head.ShouldBe(heads.Max());
            },
            iter: 200,
            threads: 1);

    private static readonly ReadScope s_scope = new("ada", ["a1"], [], Whole: false);

    private Subscription Subscribe(params StreamName[] streams)
    {
        var subscription = new Subscription("a1", 1, s_scope, []);
        subscription.Listen(_feed, streams, () => _woken++);
        return subscription;
    }
}
