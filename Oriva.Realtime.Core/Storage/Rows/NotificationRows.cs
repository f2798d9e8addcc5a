namespace Oriva.Realtime.Core.Storage.Rows;

/// <summary>An event that a rule or a durable subscription of its app may concern, until it is routed.</summary>
internal sealed class RoutingQueueRow
{
    public required Guid Id { get; init; }

    /// <summary>Whose rules count: the stream's app, which for a shared event is not the source.</summary>
    public required string App { get; init; }

    public required string Source { get; init; }

    public required string EventId { get; init; }

    public required string Stream { get; init; }

    public required long Position { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary>Of the manifest that flagged the event: a router that knows an older one refreshes first.</summary>
    public required long ManifestVersion { get; init; }

    public required DateTimeOffset DueAt { get; set; }

    public DateTimeOffset? LeasedUntil { get; set; }

    /// <summary>Of the claim that holds it; what is written under another is refused.</summary>
    public Guid? LockId { get; set; }

    public int Attempts { get; set; }

    /// <summary>The rule that is under way, and the last user that it has reached.</summary>
    public string? ResumeRule { get; set; }

    public string? ResumeUser { get; set; }

    public string? LastError { get; set; }

    /// <summary>Set: a dead letter.</summary>
    public DateTimeOffset? FailedAt { get; set; }
}

internal sealed class NotificationRow
{
    public required Guid Id { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public string? Type { get; init; }

    /// <summary>Empty: of a subscription that no rule describes, or without an event.</summary>
    public required string Rule { get; init; }

    /// <summary>The event's; empty for a notification without an event, whose <see cref="EventId"/> is its request's id.</summary>
    public required string Source { get; init; }

    public required string EventId { get; init; }

    public required string Title { get; init; }

    public string? Body { get; init; }

    public string? Link { get; init; }

    public string? Image { get; init; }

    /// <summary>JSON: <c>[{title, link}]</c>.</summary>
    public string? Actions { get; init; }

    /// <summary>JSON: the event's data.</summary>
    public required string Data { get; init; }

    /// <summary>It stands in the inbox and in its counts: one of its channels is <c>in_app</c>.</summary>
    public required bool InInbox { get; init; }

    /// <summary>Why a template was replaced by plain text.</summary>
    public string? TemplateError { get; init; }

    /// <summary>Of the manifest whose rule made it; null: no rule did.</summary>
    public long? ManifestVersion { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>From then on it is not sent any more, and no longer stands in the inbox.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Taken back by who sent it.</summary>
    public DateTimeOffset? RecalledAt { get; set; }

    public DateTimeOffset? SeenAt { get; set; }

    public DateTimeOffset? ReadAt { get; set; }

    public DateTimeOffset? ArchivedAt { get; set; }
}

/// <summary>A notification on its way through one channel. Those with a next attempt are the queue, those that failed for good the dead letters.</summary>
internal sealed class NotificationDeliveryRow
{
    public required Guid Id { get; init; }

    public required Guid NotificationId { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public required string Rule { get; init; }

    public required string Channel { get; init; }

    /// <summary>One of several places in the channel: of web push the id of a browser's subscription. Empty: there is one place only.</summary>
    public required string Target { get; init; }

    public required string Status { get; set; }

    /// <summary>Why it was suppressed or cancelled, or what it waits for.</summary>
    public string? Reason { get; set; }

    /// <summary>An acknowledgement of the notification cancels it, unless it was claimed before.</summary>
    public bool UnlessAcked { get; init; }

    /// <summary>JSON: what the channel sends beside the notification's own texts.</summary>
    public string? Content { get; init; }

    public int Attempts { get; set; }

    public DateTimeOffset? NextAttemptAt { get; set; }

    public DateTimeOffset? LeasedUntil { get; set; }

    public Guid? LockId { get; set; }

    public string? LastError { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? SentAt { get; set; }

    public DateTimeOffset? DeliveredAt { get; set; }

    public DateTimeOffset? FailedAt { get; set; }
}

internal sealed class DeliveryAttemptRow
{
    public required Guid Id { get; init; }

    public required Guid DeliveryId { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public required DateTimeOffset At { get; init; }

    public required int DurationMs { get; init; }

    public required string Outcome { get; init; }

    public string? Error { get; init; }
}

/// <summary>A badge. Whoever changes a user's notifications locks this row first.</summary>
internal sealed class InboxCountsRow
{
    public required string App { get; init; }

    public required string UserId { get; init; }

    public int Total { get; set; }

    public int Unread { get; set; }

    public int Unseen { get; set; }

    public long Rev { get; set; }
}

/// <summary>"Notify me about…", until it is deleted.</summary>
internal sealed class EventSubscriptionRow
{
    public required Guid Id { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    /// <summary>A type pattern.</summary>
    public required string Type { get; init; }

    public string? Topic { get; init; }

    /// <summary>The user could follow the topic by more than membership when it was made; otherwise only while members may.</summary>
    public required bool TopicGranted { get; init; }

    /// <summary>JSON: <c>[{path, op, value}]</c>.</summary>
    public required string Filters { get; init; }

    /// <summary>Null: those of the rule.</summary>
    public string[]? Channels { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Type patterns that some subscription of the app has or had: small enough for every node to keep.</summary>
internal sealed class SubscribedTypeRow
{
    public required string App { get; init; }

    public required string Type { get; init; }
}

/// <summary>Holds what matches all that it names.</summary>
internal sealed class PauseRow
{
    public required Guid Id { get; init; }

    public string? App { get; init; }

    public string? Rule { get; init; }

    public string? Channel { get; init; }

    public required string Reason { get; init; }

    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A request for notifications without an event; what tells a repeat from a reused id.</summary>
internal sealed class NotificationRequestRow
{
    public required string App { get; init; }

    public required string Id { get; init; }

    public required byte[] ContentHash { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>JSON: the request, until it is sent; null for one that was sent at once.</summary>
    public string? Scheduled { get; set; }

    public DateTimeOffset? SendAt { get; init; }

    public DateTimeOffset? LeasedUntil { get; set; }

    public Guid? LockId { get; set; }

    public DateTimeOffset? RecalledAt { get; set; }
}

/// <summary>What a user of an app wants to be told, where and when. Without a row: everything, everywhere, at any time.</summary>
internal sealed class NotificationPreferenceRow
{
    public required string App { get; init; }

    public required string UserId { get; init; }

    public bool Muted { get; set; }

    /// <summary>JSON: <c>{type: {channel: false}}</c>; what is not there is wanted.</summary>
    public required string Channels { get; set; }

    /// <summary>JSON: <c>{from, to, timeZone}</c>.</summary>
    public string? QuietHours { get; set; }

    /// <summary>Of two changes at once, one is refused and done again.</summary>
    public long Version { get; set; }

    public required DateTimeOffset UpdatedAt { get; set; }
}

/// <summary>A browser that takes web push for an app: of the user who used it last.</summary>
internal sealed class PushSubscriptionRow
{
    public required Guid Id { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public required string Endpoint { get; init; }

    /// <summary>The browser's public key and its secret, base64url, as RFC 8291 has them.</summary>
    public required string P256dh { get; set; }

    public required string Auth { get; set; }

    public string? UserAgent { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A digest that still collects; its end makes it a notification and deletes it.</summary>
internal sealed class NotificationDigestRow
{
    public required Guid Id { get; init; }

    public required string App { get; init; }

    public required string Rule { get; init; }

    public required string UserId { get; init; }

    public required string Key { get; init; }

    public required DateTimeOffset OpenedAt { get; init; }

    /// <summary>The window's end, or now when the digest is full.</summary>
    public required DateTimeOffset DueAt { get; set; }

    public int Count { get; set; }

    public DateTimeOffset? LeasedUntil { get; set; }

    public Guid? LockId { get; set; }
}

/// <summary>An event in a digest. It stays when the digest is a notification: the notification's event id is the digest's.</summary>
internal sealed class DigestItemRow
{
    public required string App { get; init; }

    public required string Rule { get; init; }

    public required string UserId { get; init; }

    public required string Source { get; init; }

    public required string EventId { get; init; }

    public required Guid DigestId { get; init; }

    /// <summary>JSON: the event's data, which the texts are made of.</summary>
    public required string Data { get; init; }

    /// <summary>False: the user gets the texts and not the data.</summary>
    public bool SeesEvent { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>In its stream: events of one commit have one time.</summary>
    public long Position { get; init; }
}

/// <summary>How many notifications a user got of a rule in the window that began with the first of them.</summary>
internal sealed class NotificationThrottleRow
{
    public required string App { get; init; }

    public required string Rule { get; init; }

    public required string UserId { get; init; }

    public required string Key { get; init; }

    public int Count { get; set; }

    public required DateTimeOffset EndsAt { get; set; }
}
