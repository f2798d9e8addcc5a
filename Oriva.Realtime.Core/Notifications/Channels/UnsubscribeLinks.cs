using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>What a link in an e-mail turns off, for whom.</summary>
/// <param name="Type">An event type, or <see cref="Preferences.AllTypes"/>.</param>
public sealed record Unsubscription(string App, string UserId, string Type, string Channel);

/// <summary>
/// Links that turn one kind of e-mail off without a login (RFC 8058). The token is what it turns off and its HMAC-SHA256, so nothing is kept of it; it does
/// not expire, because people unsubscribe from old e-mails too, and all it can do is what its reader wants.
/// </summary>
public sealed class UnsubscribeLinks
{
    public const string Path = "api/v1/unsubscribe/";

    private const int MaxToken = 2_048;

    // What is signed for something else, with the same key, is no such token.
    private static readonly byte[] s_purpose = "oriva.unsubscribe.v1\0"u8.ToArray();

    private readonly byte[]? _key;
    private readonly string? _root;

    internal UnsubscribeLinks(IOptions<SmtpOptions> options)
    {
        _key = options.Value.UnsubscribeKey is { } key ? Encoding.UTF8.GetBytes(key) : null;
        _root = options.Value.PublicUrl?.TrimEnd('/');
    }

    /// <summary>Null: this service has no public address.</summary>
    internal Uri? LinkTo(string app, string userId, string? type) => _root is null || _key is null
        ? null
        : new Uri($"{_root}/{Path}{Sign(_key, new Unsubscription(app, userId, type ?? Preferences.AllTypes, ChannelNames.Email))}");

    /// <returns>Null: this service did not sign it.</returns>
    public Unsubscription? Read(string token)
    {
        if (_key is null || token.Length > MaxToken || token.Split('.') is not [var content, var signature] || !Base64Url.IsValid(content) || !Base64Url.IsValid(signature))
            return null;
        var signed = Base64Url.DecodeFromChars(content);
        if (!CryptographicOperations.FixedTimeEquals(MacOf(_key, signed), Base64Url.DecodeFromChars(signature)))
            return null;
        return JsonSerializer.Deserialize<string[]>(signed) is [var app, var user, var type, var channel] ? new Unsubscription(app, user, type, channel) : null;
    }

    private static string Sign(byte[] key, Unsubscription what)
    {
        var content = JsonSerializer.SerializeToUtf8Bytes(new[] { what.App, what.UserId, what.Type, what.Channel });
        return $"{Base64Url.EncodeToString(content)}.{Base64Url.EncodeToString(MacOf(key, content))}";
    }

    private static byte[] MacOf(byte[] key, byte[] content) => HMACSHA256.HashData(key, (byte[])[.. s_purpose, .. content]);
}
