using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>What came of an event for a user: a closed set.</summary>
public static class Verdicts
{
    public const string Read = "read";
    public const string Acknowledged = "acknowledged";
    public const string Pushed = "pushed";
    public const string Replayed = "replayed";
    public const string Notified = "notified";
    public const string Digested = "digested";
    public const string Retrying = "retrying";
    public const string Held = "held";
    public const string Waiting = "waiting";
    public const string Dead = "dead";
    public const string Recalled = "recalled";
    public const string Throttled = "throttled";
    public const string Suppressed = "suppressed";
    public const string Unknown = "unknown";
    public const string Filtered = "filtered";
    public const string NotSubscribed = "not_subscribed";
    public const string Offline = "offline";
    public const string NotEntitled = "not_entitled";
    public const string NotMember = "not_member";

    /// <summary>The best first. Where the user may have had it for all that is known, that is said before any reason why not.</summary>
    public static IReadOnlyList<string> BestFirst { get; } =
    [
        Read, Acknowledged, Pushed, Replayed, Notified, Digested, Retrying, Held, Waiting, Dead, Recalled, Throttled, Suppressed, Unknown, Filtered, NotSubscribed, Offline,
        NotEntitled, NotMember,
    ];

    /// <summary>The user has it, so that nothing is missing.</summary>
    internal static bool IsDelivered(string verdict) => verdict is Read or Acknowledged or Pushed or Replayed or Notified;
}

/// <summary>Why, in one word. Deliveries bring their own beside these, such as <c>muted</c> or <c>quiet_hours</c>.</summary>
public static class TraceReasons
{
    public const string Seen = "seen";
    public const string Live = "live";
    public const string Collecting = "collecting";
    public const string InDigest = "in_digest";
    public const string Failed = "failed";
    public const string Refused = "refused";
    public const string CircuitOpen = "circuit_open";
    public const string Paused = "paused";
    public const string Due = "due";
    public const string Routing = "routing";
    public const string RoutingFailed = "routing_failed";
    public const string Interest = "interest";
    public const string SubscriptionFilter = "subscription_filter";
    public const string NoSubscription = "no_subscription";
    public const string TopicNotFollowed = "topic_not_followed";
    public const string NoChannel = "no_channel";
    public const string NoConnection = "no_connection";
    public const string NotPushed = "not_pushed";
    public const string OtherUser = "other_user";
    public const string NoUser = "no_user";
    public const string ClaimNeeded = "claim_needed";
    public const string NotShared = "not_shared";
    public const string NotConsumed = "not_consumed";
    public const string TopicNotDeclared = "topic_not_declared";
    public const string UnknownApp = "unknown_app";
    public const string NotKnownYet = "not_known_yet";
    public const string NeverJoined = "never_joined";
    public const string JoinedLater = "joined_later";
    public const string LeftApp = "left_app";
    public const string TooRecent = "too_recent";
    public const string EvidenceGone = "evidence_gone";
    public const string InterestsNotKept = "interests_not_kept";
    public const string EventDropped = "event_dropped";
    public const string NotMade = "not_made";

    // Of rules.
    public const string Notified = "notified";
    public const string Digested = "digested";
    public const string ToUser = "to_user";
    public const string ToFollowers = "to_followers";
    public const string ToMembers = "to_members";
    public const string NotMember = "not_member";
    public const string TemplateError = "template_error";

    /// <summary>What a delivery's reason means. One that this program does not know is shown as it is.</summary>
    internal static string InWords(string? reason) => reason switch
    {
        "muted" => "the user has muted the app",
        "preference" => "the user does not want this type by this channel",
        LeftApp => "the user has left the app",
        "channel_not_configured" => "the service had no such channel when it was routed",
        "no_address" => "the directory has no address of the user for this channel",
        "throttled" => "the rule's throttle let no more through in its window",
        "expired" => "it had expired",
        "recalled" => "it was recalled",
        "acknowledged" => "the user had acknowledged it already",
        "no_push_subscription" => "no browser of the user takes push",
        "subscription_gone" => "the browser's subscription is gone",
        "rule_removed" => "the rule was not in the manifest any more when the digest ended",
        "endpoint_gone" => "the back end wants no more webhooks there",
        "recall_failed" => "it was recalled, and what was to replace it was refused",
        "acked_after_claim" => "the user acknowledged it while it was being sent",
        "recalled_after_claim" => "it was recalled while it was being sent",
        "discarded" => "an operator gave it up",
        "quiet_hours" => "the user has quiet hours",
        "unless_acked" => "it is sent unless the user acknowledges it before",
        CircuitOpen => "its destination does not answer",
        Paused => "an operator has paused it",
        Due => "it is due and not sent yet",
        null => "no reason is recorded",
        _ => reason,
    };
}

public static class TraceSteps
{
    public const string Member = "member";
    public const string Audience = "audience";
    public const string Pushed = "pushed";
    public const string Replayed = "replayed";
    public const string Filtered = "filtered";
    public const string Acknowledged = "acknowledged";
    public const string Offline = "offline";
    public const string Unknown = "unknown";
    public const string Rule = "rule";
    public const string Digest = "digest";
    public const string Notification = "notification";
    public const string Delivery = "delivery";
    public const string Attempt = "attempt";
    public const string NotShared = "not_shared";
}

public static class RoutingState
{
    public const string Done = "done";
    public const string Waiting = "waiting";

    /// <summary>It failed for good: a dead letter of the channel <c>routing</c>.</summary>
    public const string Dead = "dead";

    /// <summary>Neither a rule nor a durable subscription is on the type.</summary>
    public const string None = "none";
}

/// <summary>One thing that speaks for a verdict.</summary>
internal sealed record Finding(string Verdict, string Reason, string Explanation, params string[] Missing)
{
    public int Rank { get; } = Verdicts.BestFirst.ToList().IndexOf(Verdict);

    /// <summary>What a delivery's status says.</summary>
    public static string VerdictOf(string status, string? reason) => (status, reason) switch
    {
        (DeliveryStatus.Suppressed or DeliveryStatus.Cancelled, "throttled") => Verdicts.Throttled,
        (DeliveryStatus.Suppressed or DeliveryStatus.Cancelled, "recalled") => Verdicts.Recalled,
        (DeliveryStatus.Suppressed or DeliveryStatus.Cancelled, _) => Verdicts.Suppressed,
        (DeliveryStatus.Dead, _) => Verdicts.Dead,
        _ => Verdicts.Notified,
    };
}
