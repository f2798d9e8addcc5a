namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Back ends that are told about their users' notifications, by app. Section <c>Webhooks</c>.</summary>
public sealed class WebhookOptions
{
    public const string Section = "Webhooks";

    public Dictionary<string, WebhookEndpoint> Apps { get; } = new(StringComparer.Ordinal);
}

public sealed class WebhookEndpoint
{
    private const string SecretPrefix = "whsec_";
    private const int LeastSecretBytes = 24;
    private const int MostSecretBytes = 64;

    /// <summary>http or https. The operator vouches for it, so it may be in the service's own network.</summary>
    public string? Url { get; set; }

    /// <summary>Signs what is sent: base64 of 24 to 64 bytes, also behind <c>whsec_</c>.</summary>
    public string? Secret { get; set; }

    /// <summary>While receivers change over from it, signs as well.</summary>
    public string? PreviousSecret { get; set; }

    /// <returns>The key; null: it is none.</returns>
    public static byte[]? ReadSecret(string? secret)
    {
        var text = secret?.StartsWith(SecretPrefix, StringComparison.Ordinal) == true ? secret[SecretPrefix.Length..] : secret ?? "";
        var bytes = new byte[MostSecretBytes + 1];
        return Convert.TryFromBase64String(text, bytes, out var length) && length is >= LeastSecretBytes and <= MostSecretBytes ? bytes[..length] : null;
    }
}
