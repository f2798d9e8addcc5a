using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>
/// A way to reach a user outside the service. One class and its registration make a channel: the queue, retries, circuits, dead letters and records are the
/// same for all.
/// </summary>
/// <remarks>
/// A delivery may be sent twice when a node dies between sending and recording; where the destination can tell a repeat, give it the delivery's id.
/// </remarks>
public interface INotificationChannel
{
    /// <summary>One of <see cref="ChannelNames"/>; <c>in_app</c> and <c>websocket</c> are the service's own.</summary>
    string Name { get; }

    /// <summary>What fails and recovers together, such as a server's name. Deliveries to one have one circuit.</summary>
    string DestinationOf(DeliveryWork delivery);

    /// <summary>The one destination of all deliveries; null: there are several. While its circuit is open they need not even be looked at.</summary>
    string? SoleDestination => null;

    /// <summary>Sends once. An exception counts as a failure that passes.</summary>
    Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken);
}

/// <summary>What came of one attempt.</summary>
public sealed record ChannelResult
{
    private ChannelResult()
    {
    }

    internal bool IsSuccess => Error is null;

    internal bool IsDelivered { get; private init; }

    internal bool IsPermanent { get; private init; }

    internal string? Error { get; private init; }

    /// <summary>There is nowhere to send it, for this reason.</summary>
    internal string? Suppression { get; private init; }

    /// <summary>The destination answered: it is there, and only this delivery is to come later.</summary>
    internal bool IsAnswered { get; private init; }

    internal TimeSpan? RetryAfter { get; private init; }

    /// <summary>The destination took it; whether the user has it, is not known.</summary>
    public static ChannelResult Sent { get; } = new();

    /// <summary>The user has it.</summary>
    public static ChannelResult Delivered { get; } = new() { IsDelivered = true };

    /// <summary>It may work later. Some of these in a row open the destination's circuit.</summary>
    /// <param name="retryAfter">As the destination asked; not earlier is it tried again.</param>
    public static ChannelResult Failed(string error, TimeSpan? retryAfter = null) => new() { Error = error, RetryAfter = retryAfter };

    /// <summary>It may work later, and the destination itself is well: it asks for patience with this delivery, such as for one recipient. Its circuit does not count it.</summary>
    public static ChannelResult Deferred(string error, TimeSpan? retryAfter = null) => new() { Error = error, RetryAfter = retryAfter, IsAnswered = true };

    /// <summary>It will never work: not retried.</summary>
    public static ChannelResult Refused(string error) => new() { Error = error, IsPermanent = true };

    /// <summary>The user has no address there, or has it no longer: nobody's failure, and no dead letter.</summary>
    /// <param name="reason">A word for the records, such as <c>no_address</c>.</param>
    /// <param name="error">What the destination said, when it was asked.</param>
    public static ChannelResult Suppressed(string reason, string? error = null) => new() { Error = error ?? reason, IsPermanent = true, Suppression = reason };
}
