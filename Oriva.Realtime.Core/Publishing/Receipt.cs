using System.Text.Json.Serialization;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>The answer to a publish: the event is durable at this position.</summary>
/// <param name="Duplicate">A repeat: the event was published before, and this is its first receipt.</param>
public sealed record Receipt(
    string Id, string Stream, [property: JsonPropertyName("seq")] long Position, DateTimeOffset RecordedAt, bool Duplicate = false);
