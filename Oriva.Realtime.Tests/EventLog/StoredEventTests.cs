using System.Text;
using System.Text.Json;
using CsCheck;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class StoredEventTests
{
    [Fact]
    public void WholeEvent_AsJson_HasTheContractsFields()
    {
        var stored = new StoredEvent
        {
            Id = "m-7",
            Source = "live-mixers",
            Type = "mix.published",
            Data = """{"mixId":"7"}""",
            UserId = "ada",
            Topic = "room-1",
            Time = new DateTimeOffset(2026, 1, 31, 13, 0, 0, TimeSpan.FromHours(1)),
            Metadata = """{"correlationId":"c"}""",
            Actor = "backend",
            App = "work-buddy",
            Stream = "work-buddy/users/ada",
            Position = 42,
            RecordedAt = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero).AddMicroseconds(123_456),
        };

        Text(stored).ShouldBe(
            """
            {"id":"m-7","source":"live-mixers","type":"mix.published","data":{"mixId":"7"},"userId":"ada","topic":"room-1","time":"2026-01-31T12:00:00Z",
            "metadata":{"correlationId":"c"},"actor":"backend","app":"work-buddy","stream":"work-buddy/users/ada","seq":42,"recordedAt":"2026-01-31T12:00:00.123456Z"}
            """.ReplaceLineEndings(""));
    }

    [Fact]
    public void FieldsThatAreNull_AreLeftOut()
    {
        var json = Parse(TestEvents.Stored());

        json.EnumerateObject().Select(field => field.Name)
            .ShouldBe(["id", "source", "type", "data", "time", "actor", "app", "stream", "seq", "recordedAt"]);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{ "b" : 1.00,  "a":"\u0041" }""")]
    [InlineData("""{"big":123456789012345678901234567890,"small":1e-400}""")]
    [InlineData("""{"text":"é 日本 😀 <script>&'"}""")]
    [InlineData("""{"escaped":"\ud83d\ude00\/\b"}""")]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("{\"a\":\n[1,\t2]}")]
    public void Data_InTheEventsJson_IsByteForByteAsPublished(string data)
    {
        var stored = TestEvents.Stored(data: data, metadata: data);

        Parse(stored).GetProperty("data").GetRawText().ShouldBe(data);
        Parse(stored).GetProperty("metadata").GetRawText().ShouldBe(data);
        Text(stored).ShouldContain($"\"data\":{data},");
    }

    [Theory]
    [InlineData("日本語")]
    [InlineData("é😀")]
    [InlineData("quote\"back\\slash")]
    [InlineData("<b>&amp;'")]
    public void UserId_OfAnyCharacters_ComesThrough(string userId)
    {
        var json = Parse(TestEvents.Stored(userId: userId));

        json.GetProperty("userId").GetString().ShouldBe(userId);
        json.GetProperty("stream").GetString().ShouldBe("live-mixers/users/" + userId);
    }

    [Fact]
    public void LongestPosition_IsANumber() => Parse(TestEvents.Stored(position: long.MaxValue)).GetProperty("seq").GetRawText().ShouldBe("9223372036854775807");

    [Fact]
    public void Json_IsEncodedOnce()
    {
        var stored = TestEvents.Stored();

        // ReadOnlyMemory is equal when it is the same place in memory.
        stored.Json.Equals(stored.Json).ShouldBeTrue();
    }

    [Fact]
    public void Event_InAnotherObject_IsWrittenAsItsOwnJson()
    {
        var stored = TestEvents.Stored(data: """{"MixId": 1.0}""", topic: "room-1");

        var json = JsonSerializer.SerializeToElement(new { Items = new[] { stored, stored } }, JsonSerializerOptions.Web);

        var items = json.GetProperty("items");
        items.GetArrayLength().ShouldBe(2);
        items[1].GetRawText().ShouldBe(Text(stored));
    }

    [Fact]
    public void Event_IsNotReadFromJson() =>
        Should.Throw<NotSupportedException>(() => JsonSerializer.Deserialize<StoredEvent>("{}"));

    [Fact]
    public void AnyTime_IsWrittenInUtcAndReadBackTheSame() =>
        Gen.Select(Gen.Long[0, 4_000_000_000_000_000], Gen.Int[-14, 14]).Sample(
            (microseconds, hours) =>
            {
                var time = DateTimeOffset.UnixEpoch.AddMicroseconds(microseconds).ToOffset(TimeSpan.FromHours(hours));
                var stored = new StoredEvent
                {
                    Id = "e", Source = "a1", Type = "b", Data = "{}", Actor = "t", App = "a1", Stream = "a1", Position = 1, Time = time, RecordedAt = time,
                };
                var text = Parse(stored).GetProperty("time").GetString().ShouldNotBeNull();
                text.ShouldEndWith("Z");
                DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture).ShouldBe(time);
                Parse(stored).GetProperty("recordedAt").GetString().ShouldBe(text);
            },
            iter: 1_000);

    private static string Text(StoredEvent stored) => Encoding.UTF8.GetString(stored.Json.Span);

    private static JsonElement Parse(StoredEvent stored) => JsonElement.Parse(stored.Json.Span);
}
