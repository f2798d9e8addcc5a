using System.Text.Json;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>An event as a publisher words it.</summary>
public sealed record EventDraft
{
    internal static readonly JsonElement NoData = JsonDocument.Parse("{}").RootElement;

    /// <summary>The publishing app.</summary>
    public required string Source { get; init; }

    /// <summary>A built-in type, or one that the app's manifest declares.</summary>
    public required string Type { get; init; }

    /// <summary>A JSON object that fits the type's schema.</summary>
    public JsonElement Data { get; init; } = NoData;

    /// <summary>Idempotency key, unique in <see cref="Source"/>; made when absent.</summary>
    public string? Id { get; init; }

    /// <summary>Audience: that user. Not together with <see cref="Topic"/>; with neither, everyone in the app.</summary>
    public string? UserId { get; init; }

    /// <summary>Audience: who follows that topic.</summary>
    public string? Topic { get; init; }

    /// <summary>When it happened; default: now.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Carried through: <c>correlationId</c>, <c>causationId</c> (<c>source/id</c> of the event that caused this one), <c>traceparent</c>, …</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>A draft whose data is any object that serialises to a JSON object.</summary>
    public static EventDraft Of(string source, string type, object data) =>
        new() { Source = source, Type = type, Data = JsonSerializer.SerializeToElement(data, JsonSerializerOptions.Web) };
}
