namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Who sends web push, and how. Section <c>WebPush</c>. Without keys there is no such channel; in Development they are made when none are set.</summary>
public sealed class WebPushOptions
{
    public const string Section = "WebPush";

    public static readonly TimeSpan LongestTimeToLive = TimeSpan.FromDays(28);

    /// <summary>The VAPID key that browsers subscribe with: base64url of an uncompressed P-256 point. When it changes, all subscriptions are void.</summary>
    public string? PublicKey { get; set; }

    /// <summary>Its secret, base64url of 32 bytes.</summary>
    public string? PrivateKey { get; set; }

    /// <summary>Where a push service reaches the sender: <c>mailto:</c> or <c>https:</c>.</summary>
    public string? Subject { get; set; }

    /// <summary>For how long a push service keeps what it cannot deliver. What a notification lives is the bound.</summary>
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Sends to addresses that are not public, and by http: for tests. Browsers choose where this service connects to, so it would open the network that it runs in.</summary>
    public bool AllowPrivateAddresses { get; set; }

    internal bool IsConfigured => PublicKey is not null && PrivateKey is not null;
}
