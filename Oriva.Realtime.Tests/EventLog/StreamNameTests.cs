using CsCheck;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class StreamNameTests
{
    [Theory]
    [InlineData(null, null, "live-mixers")]
    [InlineData("ada", null, "live-mixers/users/ada")]
    [InlineData(null, "room-1", "live-mixers/topics/room-1")]
    [InlineData("日本|é", null, "live-mixers/users/日本|é")]
    public void Audience_HasItsStream(string? userId, string? topic, string text)
    {
        var stream = StreamName.Of("live-mixers", userId, topic);

        stream.Text.ShouldBe(text);
        stream.ToString().ShouldBe(text);
        (stream.App, stream.UserId, stream.Topic).ShouldBe(("live-mixers", userId, topic));
    }

    [Fact]
    public void Streams_OfTheSameAudience_AreEqual()
    {
        StreamName.Of("a1", null, null).ShouldBe(StreamName.OfApp("a1"));
        StreamName.Of("a1", "ada", null).ShouldBe(StreamName.OfUser("a1", "ada"));
        StreamName.Of("a1", null, "room").ShouldBe(StreamName.OfTopic("a1", "room"));
    }

    [Fact]
    public void Streams_OfDifferentAudiences_NeverShareAText()
    {
        var name = Gen.OneOf("a1", "users", "topics", "u", "users-a");
        var audience = Gen.Select(name, Gen.OneOf<string?>(null, "a1", "users", "topics", "u"), Gen.Bool)
            .Select((app, who, isUser) => StreamName.Of(app, isUser ? who : null, isUser ? null : who));

        Gen.Select(audience, audience).Sample((one, other) => (one.Text == other.Text).ShouldBe(one == other), iter: 2_000);
    }
}
