using System.Text.Json.Serialization;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>What became of an event: where it stands, which rules are on it, and, of one user, what that user got of it and why. Without any event's data.</summary>
/// <param name="NotShared">Other apps that might have had a copy, and why they have none.</param>
/// <param name="User">Null: no user was asked for.</param>
/// <param name="Recipients">Notifications of the event by status, when no user was asked for.</param>
public sealed record EventTrace(
    TracedEvent Event, IReadOnlyList<TracedApp> Apps, IReadOnlyList<NotShared> NotShared, UserTrace? User,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, int>? Recipients);

/// <param name="Kept">False: retention has dropped the event, and its receipt is all that is left; type, actor and time are null then.</param>
public sealed record TracedEvent(
    string Id, string Source, string? Type, string? UserId, string? Topic, string? Actor, DateTimeOffset? Time, DateTimeOffset RecordedAt, bool Kept);

/// <summary>An app in which the event stands.</summary>
/// <param name="ManifestVersion">Of the manifest that stood when the event was recorded; null: it is not known.</param>
/// <param name="Routing">One of <see cref="RoutingState"/>.</param>
public sealed record TracedApp(string App, string Stream, long Seq, DateTimeOffset RecordedAt, long? ManifestVersion, IReadOnlyList<TracedRule> Rules, string Routing);

/// <summary>A rule on the event's type; with a user, what it means for that user.</summary>
/// <param name="Rule">Empty: durable subscriptions that no rule describes.</param>
/// <param name="Reason">One of <see cref="TraceReasons"/>.</param>
public sealed record TracedRule(string Rule, bool Matched, string Reason);

/// <param name="Reason">One of <see cref="TraceReasons"/>.</param>
public sealed record NotShared(string App, string Reason);

/// <param name="Verdict">One of <see cref="Verdicts"/>: the best that came of it, over all apps, connections and channels.</param>
/// <param name="Reason">One of <see cref="TraceReasons"/>, or the reason of a delivery.</param>
/// <param name="Explanation">One sentence.</param>
/// <param name="Missing">What would have had to be true; empty when the user has it.</param>
public sealed record UserTrace(string UserId, string Verdict, string Reason, string Explanation, IReadOnlyList<string> Missing, IReadOnlyList<TraceStep> Steps);

/// <summary>One thing that happened, or did not.</summary>
/// <param name="At">Null: not known exactly.</param>
/// <param name="Step">One of <see cref="TraceSteps"/>.</param>
/// <param name="Detail">A sentence.</param>
public sealed record TraceStep(DateTimeOffset? At, string App, string Step, string Detail)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Connection { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Rule { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? Notification { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Title { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Channel { get; init; }

    /// <summary>Of several places in the channel, which.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Target { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? NextAttemptAt { get; init; }
}
