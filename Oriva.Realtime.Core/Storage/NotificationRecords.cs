using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Storage;

/// <summary>A claimed entry of the routing queue.</summary>
/// <param name="ResumeRule">Rules before it are done; users up to <paramref name="ResumeUser"/> are done of it. Null: nothing is.</param>
internal sealed record RoutingWork(
    Guid Id, Guid LockId, string App, string Source, string EventId, long ManifestVersion, int Attempts, string? ResumeRule, string? ResumeUser)
{
    /// <summary>Null: the log no longer has it.</summary>
    public StoredEvent? Event { get; init; }
}

/// <summary>How far a queued event has come in a chunk.</summary>
internal sealed record RoutingProgress(RoutingWork Work, bool IsDone, string? ResumeRule = null, string? ResumeUser = null);

/// <param name="Held">Events that were still this router's; of the others nothing was written.</param>
/// <param name="Added">Notifications that were not there before, as they were written: throttles may have suppressed them.</param>
internal sealed record RoutedChunk(IReadOnlySet<Guid> Held, IReadOnlyList<NewNotification> Added);

/// <summary>A notification that is about to be stored.</summary>
internal sealed record NewNotification
{
    public required Guid Id { get; init; }

    /// <summary>The queued event that it comes of.</summary>
    public Guid WorkId { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public string? Type { get; init; }

    public required string Rule { get; init; }

    public required string Source { get; init; }

    public required string EventId { get; init; }

    public required string Title { get; init; }

    public string? Body { get; init; }

    public string? Link { get; init; }

    public string? Image { get; init; }

    public string? Actions { get; init; }

    public required string Data { get; init; }

    public string? TemplateError { get; init; }

    public long? ManifestVersion { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>JSON: what an e-mail says beside or instead of title and body; null: those.</summary>
    public string? EmailContent { get; init; }

    /// <summary>Null: as many as there are.</summary>
    public NewThrottle? Throttle { get; init; }

    public required IReadOnlyList<NewDelivery> Deliveries { get; init; }

    /// <summary>The same, going nowhere.</summary>
    public NewNotification Suppressed(string reason) => this with { Deliveries = [.. Deliveries.Select(delivery => NewDelivery.Suppressed(delivery.Channel, reason) with { Target = delivery.Target })] };

    public bool InInbox => Deliveries.Any(delivery => delivery is { Channel: ChannelNames.InApp, Status: DeliveryStatus.Delivered });
}

/// <summary>A notification counts in a window of its rule, user and key; beyond <paramref name="Most"/> it is suppressed.</summary>
internal sealed record NewThrottle(string Key, int Most, TimeSpan Per);

/// <summary>An event that joins the digest of its rule, user and key, or opens one.</summary>
internal sealed record NewDigestItem
{
    public required Guid WorkId { get; init; }

    public required string App { get; init; }

    public required string Rule { get; init; }

    public required string UserId { get; init; }

    public required string Key { get; init; }

    public required string Source { get; init; }

    public required string EventId { get; init; }

    public required string Data { get; init; }

    /// <summary>Whom a rule merely tells about an event gets its text, and not its data.</summary>
    public required bool SeesEvent { get; init; }

    public required DateTimeOffset At { get; init; }

    public required long Position { get; init; }

    public required TimeSpan Window { get; init; }

    public required int Max { get; init; }
}

/// <summary>A digest that is closed: what comes now opens another.</summary>
internal sealed record DigestWork(Guid Id, Guid LockId, string App, string Rule, string UserId, DateTimeOffset OpenedAt);

/// <summary>A request for notifications whose time has come.</summary>
internal sealed record ScheduledWork(string App, string Id, Guid LockId, string Request);

/// <param name="DueAt">A worker attempts it then, or at once when it has passed; null: its status comes from elsewhere.</param>
/// <param name="Reason">Why it is suppressed, or what it waits for.</param>
internal sealed record NewDelivery(string Channel, string Status, DateTimeOffset? DueAt = null, string? Reason = null)
{
    /// <summary>A browser's subscription; empty in channels that know one place only.</summary>
    public string Target { get; init; } = "";

    public bool UnlessAcked { get; init; }

    /// <summary>JSON: what the channel sends beside the notification's own texts.</summary>
    public string? Content { get; init; }

    public static NewDelivery Suppressed(string channel, string reason) => new(channel, DeliveryStatus.Suppressed, Reason: reason);
}

/// <summary>A user's badge in an app. <paramref name="Rev"/> only grows: of two, the one with the higher is the later.</summary>
public sealed record InboxCounts(int Total, int Unread, int Unseen, long Rev)
{
    internal InboxCounts Plus(NotificationState state) => Add(state, 1);

    internal InboxCounts Less(NotificationState state) => Add(state, -1);

    // Archived ones count nowhere.
    private InboxCounts Add(NotificationState state, int one) => state.Archived ? this : this with
    {
        Total = Total + one,
        Unread = Unread + (state.Read ? 0 : one),
        Unseen = Unseen + (state.Seen ? 0 : one),
    };
}

public enum InboxMark
{
    Seen,
    Read,
    Unread,
    Archived,
    Unarchived,
}

internal sealed record NotificationState(Guid Id, bool Seen, bool Read, bool Archived)
{
    public NotificationState Marked(InboxMark mark) => mark switch
    {
        InboxMark.Seen => this with { Seen = true },
        InboxMark.Read => this with { Seen = true, Read = true },
        InboxMark.Unread => this with { Read = false },
        InboxMark.Archived => this with { Archived = true },
        _ => this with { Archived = false },
    };
}

/// <param name="IsRepeat">The id was there with the same content; nothing was added.</param>
/// <param name="IsScheduled">It waits for its time.</param>
internal sealed record RequestedNotifications(bool IsRepeat, bool IsScheduled, IReadOnlyList<NewNotification> Added);

/// <param name="Found">The ids that are the user's, changed or not.</param>
internal sealed record MarkedInbox(InboxCounts Counts, IReadOnlySet<Guid> Found);

/// <summary>A claimed delivery, with what a channel needs to send it.</summary>
/// <param name="Attempts">Before this one, since it was queued or redriven.</param>
public sealed record DeliveryWork(Guid Id, Guid LockId, Guid NotificationId, string App, string UserId, string Rule, string Channel, int Attempts)
{
    public string? Type { get; init; }

    public required string Title { get; init; }

    public string? Body { get; init; }

    public string? Link { get; init; }

    public string? Image { get; init; }

    /// <summary>JSON.</summary>
    public string? Actions { get; init; }

    /// <summary>JSON.</summary>
    public required string Data { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>It was taken back: what is sent now replaces what was sent before.</summary>
    public bool IsRecalled { get; init; }

    /// <summary>A browser's subscription; empty in channels that know one place only.</summary>
    public string Target { get; init; } = "";

    /// <summary>JSON: what the channel sends beside the notification's own texts; null: nothing.</summary>
    public string? Content { get; init; }

    public string? Email { get; init; }

    public string? Locale { get; init; }

    public string? TimeZone { get; init; }

    /// <summary>It was acknowledged or recalled while another node had it, and that node has not said what came of it: it is not tried again.</summary>
    internal bool IsOver { get; init; }

    /// <summary>JSON: of the user's preferences; null: none.</summary>
    internal string? QuietHours { get; init; }

    internal bool IsMuted { get; init; }

    /// <summary>JSON: <c>{type: {channel: false}}</c>.</summary>
    internal string? MutedChannels { get; init; }

    /// <summary>The user is no member of the app any more.</summary>
    internal bool HasLeft { get; init; }
}

/// <summary>What became of one delivery of a notification that was taken back.</summary>
/// <param name="Outcome">One of <see cref="RecallOutcome"/>.</param>
public sealed record RecalledDelivery(string Channel, string Outcome);

public static class RecallOutcome
{
    /// <summary>It had not been sent, and will not be.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>It is gone from the inbox, and live clients are told so.</summary>
    public const string Removed = "removed";

    /// <summary>It was sent; what replaces it is on its way.</summary>
    public const string Replacing = "replacing";

    /// <summary>It was sent, or is being sent at this moment.</summary>
    public const string NotRecalled = "not_recalled";

    /// <summary>It was never to be sent.</summary>
    public const string None = "none";
}

internal sealed record DeliveryState(Guid Id, string Channel, string Status, bool IsLeased);

/// <param name="Status">Of the delivery after it.</param>
/// <param name="Outcome">Of the attempt alone: <c>sent</c>, <c>delivered</c>, <c>failed</c>, <c>refused</c> or <c>suppressed</c>.</param>
/// <param name="IsSpent">It counts; false for one that only asked whether the destination is back.</param>
internal sealed record DeliveryAttempt(
    DateTimeOffset StartedAt, DateTimeOffset EndedAt, string Status, string Outcome, string? Error, DateTimeOffset? NextAttemptAt, bool IsSpent = true)
{
    /// <summary>Why it is suppressed or cancelled; null: as it was.</summary>
    public string? Reason { get; init; }
}

/// <summary>Where a notification stands in a channel. <c>docs/notifications.md</c> draws the ways between them.</summary>
public static class DeliveryStatus
{
    public const string Pending = "pending";
    public const string Sent = "sent";
    public const string Delivered = "delivered";

    /// <summary>It will be tried again.</summary>
    public const string Failed = "failed";

    /// <summary>A dead letter: it will not, unless somebody redrives it.</summary>
    public const string Dead = "dead";
    public const string Suppressed = "suppressed";
    public const string Cancelled = "cancelled";
}
