using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>An event as it stands in a stream, and as clients get it. Its JSON is encoded once, whoever reads it.</summary>
[JsonConverter(typeof(StoredEventConverter))]
public sealed class StoredEvent
{
    private byte[]? _json;
    private JsonElement? _data;

    public required string Id { get; init; }

    public required string Source { get; init; }

    public required string Type { get; init; }

    /// <summary>JSON, as published.</summary>
    public required string Data { get; init; }

    public string? UserId { get; init; }

    public string? Topic { get; init; }

    public required DateTimeOffset Time { get; init; }

    /// <summary>JSON, as published.</summary>
    public string? Metadata { get; init; }

    public required string Actor { get; init; }

    public required string App { get; init; }

    public required string Stream { get; init; }

    public required long Position { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary><see cref="Data"/>, parsed once for all filters.</summary>
    internal JsonElement DataElement => _data ??= JsonElement.Parse(Data);

    /// <summary>About how many bytes it takes in memory.</summary>
    internal int Size => 512 + (3 * Data.Length) + (2 * (Metadata?.Length ?? 0));

    /// <summary>The contract's delivered event, UTF-8.</summary>
    public ReadOnlyMemory<byte> Json => _json ??= Encode();

    private byte[] Encode()
    {
        var buffer = new ArrayBufferWriter<byte>(256 + Data.Length);
        using var writer = new Utf8JsonWriter(buffer, s_writerOptions);
        writer.WriteStartObject();
        writer.WriteString("id"u8, Id);
        writer.WriteString("source"u8, Source);
        writer.WriteString("type"u8, Type);
        writer.WritePropertyName("data"u8);
        writer.WriteRawValue(Data, skipInputValidation: true);
        if (UserId is not null)
            writer.WriteString("userId"u8, UserId);
        if (Topic is not null)
            writer.WriteString("topic"u8, Topic);
        writer.WriteString("time"u8, Time.UtcDateTime);
        if (Metadata is not null)
        {
            writer.WritePropertyName("metadata"u8);
            writer.WriteRawValue(Metadata, skipInputValidation: true);
        }

        writer.WriteString("actor"u8, Actor);
        writer.WriteString("app"u8, App);
        writer.WriteString("stream"u8, Stream);
        writer.WriteNumber("seq"u8, Position);
        writer.WriteString("recordedAt"u8, RecordedAt.UtcDateTime);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static readonly JsonWriterOptions s_writerOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
}

/// <summary>Writes the bytes that the event has encoded already.</summary>
internal sealed class StoredEventConverter : JsonConverter<StoredEvent>
{
    public override void Write(Utf8JsonWriter writer, StoredEvent value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.Json.Span, skipInputValidation: true);

    public override StoredEvent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("Events are read from the log, not from JSON.");
}
