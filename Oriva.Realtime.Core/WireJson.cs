using System.Text.Json;
using System.Text.Json.Serialization;

namespace Oriva.Realtime.Core;

/// <summary>JSON as the contract has it, on HTTP, on the hub and in what the service publishes itself: camelCase, times in UTC.</summary>
public static class WireJson
{
    public static JsonSerializerOptions Options { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.Converters.Add(new UtcTime());
        return options;
    }

    private sealed class UtcTime : JsonConverter<DateTimeOffset>
    {
        /// <summary>RFC 3339: without an offset it would be another time on every machine.</summary>
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var text = reader.GetString() ?? "";
            var isWhole = text.IndexOf('T', StringComparison.Ordinal) is > 0 and var at && (text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > at);
            return isWhole && reader.TryGetDateTimeOffset(out var time) ? time.ToUniversalTime() : throw new JsonException("Must be a time such as 2026-01-31T12:00:00Z, with Z or an offset.");
        }

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value.UtcDateTime);
    }
}
