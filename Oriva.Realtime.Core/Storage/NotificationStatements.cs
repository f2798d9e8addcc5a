namespace Oriva.Realtime.Core.Storage;

/// <summary>One store's statements. Parameters are named, times and ids in the store's own form.</summary>
internal sealed record NotificationStatements
{
    public required string ClaimRouting { get; init; }

    public required string HoldRouting { get; init; }

    public required string FinishRouting { get; init; }

    public required string MoveRouting { get; init; }

    public required string FailRouting { get; init; }

    public required string AddRequest { get; init; }

    public required string FindRequest { get; init; }

    public required string AddNotifications { get; init; }

    public required string AddDeliveries { get; init; }

    public required string GrowCounts { get; init; }

    public required string AddToOutbox { get; init; }

    public required string LockCounts { get; init; }

    public required string FindStates { get; init; }

    public required string FindUnread { get; init; }

    public required string MarkNotifications { get; init; }

    public required string SetCounts { get; init; }

    public required string ClaimDeliveries { get; init; }

    public required string FinishDelivery { get; init; }

    public required string AddAttempt { get; init; }

    public required string SuppressDelivery { get; init; }

    public required string PostponeDelivery { get; init; }

    public required string CancelAcknowledged { get; init; }

    public required string CountThrottles { get; init; }

    public required string OpenDigests { get; init; }

    public required string AddDigestItems { get; init; }

    public required string GrowDigests { get; init; }

    public required string ClaimDigests { get; init; }

    public required string FinishDigest { get; init; }

    public required string ClaimScheduled { get; init; }

    public required string FinishScheduled { get; init; }

    public required string RecallScheduled { get; init; }

    public required string LockNotification { get; init; }

    public required string RecallNotification { get; init; }

    public required string FindDeliveries { get; init; }

    public required string RecallDeliveries { get; init; }

    public required string FindOldNotifications { get; init; }

    public required string DropAttempts { get; init; }

    public required string DropDeliveries { get; init; }

    public required string DropNotifications { get; init; }

    public required string DropRequests { get; init; }

    public required string DropDigestItems { get; init; }

    public required string DropThrottles { get; init; }
}
