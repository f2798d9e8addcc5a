using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Tests.EventLog;

namespace Oriva.Realtime.Tests.Feed;

public sealed class FeedMessageTests
{
    private static readonly Guid s_sender = Guid.Parse("0d5e0c2e-7d0a-4a53-9e0c-1f2a3b4c5d6e");
    private static readonly StreamName s_stream = StreamName.OfTopic("live-mixers", "room-1");

    private readonly StreamFeed _feed = new(new FakeTimeProvider());

    [Fact]
    public void WhatIsWritten_IsRead()
    {
        _feed.Listen(s_stream, new CountingListener());
        // Lone surrogates cannot be published.
        var texts = Gen.String.Where(text => !text.Any(char.IsSurrogate));
        Gen.Select(texts, texts.Null(), Gen.Long[0, long.MaxValue / 2], Gen.Long[0, 3_000_000_000_000_000]).Sample(
            (text, maybe, position, microseconds) =>
            {
                var e = new StoredEvent
                {
                    Id = text, Source = "a" + text, Type = text, Data = "{\"é\":\"" + text, UserId = maybe, Topic = maybe, Metadata = maybe, Actor = text, Time = TestEvents.Noon.AddYears(-100),
                    RecordedAt = DateTimeOffset.UnixEpoch.AddMicroseconds(microseconds), App = s_stream.App, Stream = s_stream.Text, Position = position + 1,
                };

                var message = FeedMessage.Write(s_sender, 42, [new StreamAdvance("other", 7, [e]), new StreamAdvance(s_stream.Text, position + 1, [e])]);

                FeedMessage.TryReadSender(message, out var sender, out var clock).ShouldBeTrue();
                (sender, clock).ShouldBe((s_sender, 42));
                FeedMessage.TryRead(message, _feed, out var advances).ShouldBeTrue();
                var (stream, head, events) = advances.ShouldHaveSingleItem("nobody follows the other");
                stream.Name.ShouldBe(s_stream);
                head.ShouldBe(position + 1);
                Fields(events.ShouldHaveSingleItem()).ShouldBe(Fields(e));
            },
            iter: 300);
    }

    [Fact]
    public void SeveralEvents_HaveThePositionsUpToTheHead()
    {
        _feed.Listen(s_stream, new CountingListener());

        FeedMessage.TryRead(Message(head: 9, count: 3), _feed, out var advances).ShouldBeTrue();

        advances.ShouldHaveSingleItem().Events.Select(e => e.Position).ShouldBe([7, 8, 9]);
    }

    [Fact]
    public void EventsThatAreTooLarge_AreLeftToTheLog()
    {
        _feed.Listen(s_stream, new CountingListener());
        var large = TestEvents.Stored(data: new string('x', FeedMessage.MostBytes + 1), topic: "room-1");

        var message = FeedMessage.Write(s_sender, 0, [new StreamAdvance(s_stream.Text, 1, [large])]);

        message.Length.ShouldBeLessThan(200);
        FeedMessage.TryRead(message, _feed, out var advances).ShouldBeTrue();
        var only = advances.ShouldHaveSingleItem();
        only.Head.ShouldBe(1);
        only.Events.ShouldBeEmpty();
    }

    [Fact]
    public void Garbage_SaysNothing_AndHarmsNothing()
    {
        _feed.Listen(s_stream, new CountingListener());
        var good = Message(head: 3, count: 3);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[0, good.Length]).Sample(
            (at, value, length) =>
            {
                var bad = good.ToArray();
                bad[at] = value;
                foreach (var message in new[] { bad, good[..length], bad[..length], [.. good, value] })
                {
                    if (FeedMessage.TryReadSender(message, out _, out _) && FeedMessage.TryRead(message, _feed, out var advances))
                        advances.ShouldAllBe(advance => advance.Stream.Name == s_stream);
                }
            },
            iter: 5_000);
        FeedMessage.TryReadSender([], out _, out _).ShouldBeFalse();
        FeedMessage.TryReadSender([2, .. good.AsSpan(1)], out _, out _).ShouldBeFalse("of another version");
    }

    private static object[] Fields(StoredEvent e) =>
        [e.Id, e.Source, e.Type, e.UserId ?? "none", e.Topic ?? "none", e.Actor, e.Time, e.RecordedAt, e.Data, e.Metadata ?? "none", e.App, e.Stream, e.Position];

    private static byte[] Message(long head, int count) => FeedMessage.Write(
        s_sender,
        0,
        [new StreamAdvance(s_stream.Text, head, [.. Enumerable.Range(0, count).Select(n => TestEvents.Stored(topic: "room-1", position: head - count + 1 + n))])]);
}
