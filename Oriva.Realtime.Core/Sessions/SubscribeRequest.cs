using System.Text.Json.Serialization;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>What <c>Subscribe</c> takes.</summary>
/// <param name="Cursor">Resumes after these positions.</param>
/// <param name="From">Where a stream starts that the cursor lacks: <c>now</c> (default), <c>start</c> or a time.</param>
public sealed record SubscribeRequest(
    string App, IReadOnlyList<string>? Topics = null, IReadOnlyList<InterestRequest>? Interests = null, Cursor? Cursor = null, string? From = null);

/// <summary>An event is sent when any interest matches, or when none is given.</summary>
public sealed record InterestRequest(IReadOnlyList<string>? Types = null, string? Topic = null, IReadOnlyList<FilterRequest>? Filters = null);

/// <param name="Path">Names joined by dots, within <c>data</c>; a number picks from an array.</param>
/// <param name="Op">One of <c>eq ne gt gte lt lte in contains exists</c>.</param>
public sealed record FilterRequest(string Path, string Op)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public System.Text.Json.JsonElement Value { get; init; }
}

/// <summary>What <c>Subscribe</c> returns.</summary>
/// <param name="Streams">Positions after which events follow.</param>
/// <param name="Reset">The cursor could not be honoured: the subscription is live from <paramref name="Streams"/>, and the client fetches its state.</param>
public sealed record SubscribeAnswer(string App, int Subscription, string Epoch, IReadOnlyDictionary<string, long> Streams, bool Reset)
{
    [JsonIgnore]
    public Cursor Cursor => new(Epoch, System.Collections.Immutable.ImmutableDictionary.ToImmutableDictionary(Streams));
}
