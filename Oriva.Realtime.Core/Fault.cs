namespace Oriva.Realtime.Core;

/// <summary>A refusal that the caller can act on: a stable code, a sentence, and for invalid input the faults by JSON pointer.</summary>
/// <param name="Code">One of <see cref="FaultCodes"/>; clients switch on it, so a code never changes its meaning.</param>
/// <param name="Message">One sentence for the developer who reads the answer. Names no other app's or user's data.</param>
/// <param name="Errors">JSON pointer into the caller's own input → what is wrong there.</param>
public sealed record Fault(string Code, string Message, IReadOnlyDictionary<string, string[]>? Errors = null)
{
    /// <summary>How long to wait before a repeat can succeed; null when a repeat cannot.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The event ids of a refused publish, so that the caller can repeat it with the same ones.</summary>
    public IReadOnlyList<string>? EventIds { get; init; }

    public static Fault Invalid(string pointer, string message) =>
        new(FaultCodes.Invalid, message, new Dictionary<string, string[]> { [pointer] = [message] });

    public static Fault Unavailable(string message) =>
        new(FaultCodes.Unavailable, message) { RetryAfter = TimeSpan.FromSeconds(1) };

    public static Fault AppForbidden(string app) =>
        new(FaultCodes.AppForbidden, $"The token gives no access to the app '{app}'.");

    public static readonly Fault NotFound = new(FaultCodes.NotFound, "There is no such thing, or not for this caller.");
}

/// <summary>The codes of <c>problem+json</c> answers and of hub errors.</summary>
public static class FaultCodes
{
    public const string Malformed = "malformed";
    public const string AppForbidden = "app_forbidden";
    public const string TypeForbidden = "type_forbidden";
    public const string TopicForbidden = "topic_forbidden";
    public const string UserForbidden = "user_forbidden";
    public const string UserBlocked = "user_blocked";
    public const string NotFound = "not_found";
    public const string IdReused = "id_reused";
    public const string Conflict = "conflict";
    public const string PreconditionFailed = "precondition_failed";
    public const string TooLarge = "too_large";
    public const string UnknownType = "unknown_type";
    public const string SchemaViolation = "schema_violation";
    public const string Invalid = "invalid";
    public const string CausationLoop = "causation_loop";
    public const string UnsupportedMediaType = "unsupported_media_type";
    public const string LimitExceeded = "limit_exceeded";
    public const string RateLimited = "rate_limited";
    public const string Unavailable = "unavailable";
    public const string Internal = "internal";
}

/// <summary>A value, or the fault that explains why there is none.</summary>
public readonly record struct Outcome<T>
{
    public T? Value { get; private init; }

    public Fault? Fault { get; private init; }

    public static implicit operator Outcome<T>(T value) => new() { Value = value };

    public static implicit operator Outcome<T>(Fault fault) => new() { Fault = fault };
}
