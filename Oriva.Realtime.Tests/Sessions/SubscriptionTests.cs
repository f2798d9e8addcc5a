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
    public void Subscription_WithoutStreams_CanBeDisposed() => Should.NotThrow(() => new Subscription("s-1", "ada", "a1", 1, s_scope, [], _feed).Dispose());

    [Theory]
    [InlineData("mix.published", true)]
    [InlineData("chat.sent", true)]
    [InlineData("room.opened", false)]
    public void Event_IsSentWhenAnyInterestMatches(string type, bool matches)
    {
        var interests = Interest.Read([new InterestRequest(["mix.*"]), new InterestRequest(["chat.sent"])], new FaultList());
        var subscription = new Subscription("s-1", "ada", "a1", 1, s_scope, interests, _feed);

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
        stream.Stream.Advance(5, null);

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

        stream.Stream.Advance(5, null);
        stream.Stream.WakeListeners();
        stream.IsBehind.ShouldBeFalse();
        _woken.ShouldBe(0);

        stream.Stream.Advance(6, null);
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

    [Theory]
    [InlineData(6, 6)]
    [InlineData(7, 7)]
    [InlineData(8, 7)]
    [InlineData(long.MaxValue, 7)]
    [InlineData(4, 5)]
    [InlineData(-1, 5)]
    [InlineData(long.MinValue, 5)]
    public void Acknowledgement_CountsUpToWhatWasPushed(long position, long acked)
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.StartAt(5, DateTimeOffset.MinValue);
        stream.MoveTo(TestEvents.Stored(position: 7), pushed: true);
        stream.MoveTo(TestEvents.Stored(position: 9), pushed: false);

        stream.Ack(position);

        stream.Acked.ShouldBe(acked);
    }

    [Fact]
    public void Acknowledgement_IsCumulative()
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.StartAt(0, DateTimeOffset.MinValue);
        stream.MoveTo(TestEvents.Stored(position: 7), pushed: true);

        stream.Ack(6);
        stream.Ack(2);

        stream.Acked.ShouldBe(6);
    }

    [Fact]
    public void Evidence_SaysWhereASessionBegan_WhatItWasPushedAndWhatItAcknowledged()
    {
        var subscription = Subscribe(StreamName.OfTopic("a1", "room-1"));
        var stream = subscription.Streams[0];
        stream.StartAt(5, DateTimeOffset.MinValue);
        stream.MoveTo(TestEvents.Stored(position: 8), pushed: true);
        stream.Ack(7);

        subscription.Evidence(stream).ShouldBe(new EvidenceInterval("s-1", "ada", "a1", "a1/topics/room-1", From: 5, Pushed: 8, Acked: 7));
    }

    [Fact]
    public void Topics_AreThoseOfItsStreams() =>
        Subscribe(StreamName.OfApp("a1"), StreamName.OfUser("a1", "ada"), StreamName.OfTopic("a1", "room-1"), StreamName.OfTopic("a1", "lobby"))
            .Topics.ShouldBe(["room-1", "lobby"]);

    [Theory]
    [InlineData(5, 5, true)]
    [InlineData(5, 4, false)]
    [InlineData(0, 0, true)]
    public void Start_AtTheHead_IsLive(long head, long position, bool isLive)
    {
        var stream = Subscribe(StreamName.OfApp("a1")).Streams[0];
        stream.Stream.Advance(head, null);

        stream.StartAt(position, DateTimeOffset.MinValue);

        (stream.IsLive, stream.StartedAt, stream.Acked).ShouldBe((isLive, position, position));
    }

    private Subscription Subscribe(params StreamName[] streams)
    {
        var subscription = new Subscription("s-1", "ada", "a1", 1, s_scope, [], _feed);
        subscription.Listen(streams, () => _woken++);
        return subscription;
    }
}
