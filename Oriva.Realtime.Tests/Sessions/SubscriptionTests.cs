using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class SubscriptionTests
{
    private static readonly ReadScope s_scope = new("ada", ["a1"], [], Whole: false);

    private readonly StreamFeed _feed = new(TimeProvider.System);
    private int _woken;

    [Fact]
    public void Subscription_FollowsItsStreams_UntilItIsDisposed()
    {
        var subscription = Subscribe(StreamName.OfApp("a1"), StreamName.OfUser("a1", "ada"));
        subscription.Streams.Select(stream => stream.Stream.Name.Text).ShouldBe(["a1", "a1/users/ada"]);
        _feed.Streams.ShouldBe(["a1", "a1/users/ada"], ignoreOrder: true);
        subscription.Ended.ShouldBeFalse();

        subscription.Dispose();

        subscription.Ended.ShouldBeTrue();
        _feed.Streams.ShouldBeEmpty();
    }

    [Fact]
    public void Subscription_DisposedTwice_TakesNobodyElsesPlaceAway()
    {
        var subscription = Subscribe(StreamName.OfApp("a1"));
        var other = Subscribe(StreamName.OfApp("a1"));

        subscription.Dispose();
        subscription.Dispose();

        _feed.Streams.ShouldBe(["a1"]);
        other.Streams[0].Stream.IsRetired.ShouldBeFalse();
    }

    [Fact]
    public void Subscription_WithoutStreams_CanBeDisposed() => Should.NotThrow(() => new Subscription("a1", 1, s_scope, [], _feed).Dispose());

    [Theory]
    [InlineData("mix.published", true)]
    [InlineData("chat.sent", true)]
    [InlineData("room.opened", false)]
    public void Event_IsSentWhenAnyInterestMatches(string type, bool matches)
    {
        var interests = Interest.Read([new InterestRequest(["mix.*"]), new InterestRequest(["chat.sent"])], new FaultList());
        var subscription = new Subscription("a1", 1, s_scope, interests, _feed);

        subscription.Matches(TestEvents.Stored(type)).ShouldBe(matches);
        subscription.TakesAll.ShouldBeFalse();
    }

    [Fact]
    public void WithoutInterests_EveryEventIsSent()
    {
        Subscribe().Matches(TestEvents.Stored()).ShouldBeTrue();
        Subscribe().TakesAll.ShouldBeTrue();
    }

    [Fact]
    public void StreamWhoseStartIsNotKnownYet_IsNotBehindAndWakesNobody()
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.Stream.Advance(5, null, now: 0);

        stream.Stream.WakeListeners();

        stream.Position.ShouldBe(-1);
        stream.IsBehind.ShouldBeFalse();
        _woken.ShouldBe(0);
    }

    [Fact]
    public void StreamThatHasGrown_IsBehind_AndWakesItsSession()
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.StartAt(5, TestEvents.Noon);
        (stream.Position, stream.PushedThrough, stream.Since).ShouldBe((5, 5, TestEvents.Noon));

        stream.Stream.Advance(5, null, now: 0);
        stream.Stream.WakeListeners();
        stream.IsBehind.ShouldBeFalse();
        _woken.ShouldBe(0);

        stream.Stream.Advance(6, null, now: 0);
        stream.Stream.WakeListeners();
        stream.IsBehind.ShouldBeTrue();
        _woken.ShouldBe(1);
    }

    [Fact]
    public void EventThatMatchedNothing_MovesTheSessionButNotTheClient()
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.StartAt(0, DateTimeOffset.MinValue);

        stream.MoveTo(TestEvents.Stored(position: 1), pushed: true);
        stream.MoveTo(TestEvents.Stored(position: 2), pushed: false);

        (stream.Position, stream.PushedThrough, stream.Since).ShouldBe((2, 1, TestEvents.Stored().RecordedAt));

        stream.Told();

        stream.PushedThrough.ShouldBe(2);
    }

    private Subscription Subscribe(params StreamName[] streams)
    {
        var subscription = new Subscription("a1", 1, s_scope, [], _feed);
        subscription.Listen(streams, () => _woken++);
        return subscription;
    }
}
