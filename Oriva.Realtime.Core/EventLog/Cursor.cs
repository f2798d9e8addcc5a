using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text.Json;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>
/// Where a reader stands: per stream the position that it has handled, within the epoch of a store's history.
/// The pair position + epoch is Centrifugo's idea of a recoverable position: a gap is refused, not guessed.
/// </summary>
public sealed record Cursor(string Epoch, ImmutableDictionary<string, long> Streams)
{
    private const int MaxTextLength = 64 * 1024;

    /// <summary>As a server-sent event's <c>id</c>: base64url (RFC 4648, section 5) of its JSON.</summary>
    public string ToText() => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(this, JsonSerializerOptions.Web));

    /// <returns>Null when the text is not a cursor.</returns>
    public static Cursor? FromText(string text)
    {
        if (text.Length > MaxTextLength)
            return null;
        try
        {
            var cursor = JsonSerializer.Deserialize<Cursor>(Base64Url.DecodeFromChars(text), JsonSerializerOptions.Web);
            return cursor is { Epoch: not null, Streams: not null } && cursor.Streams.Values.All(position => position >= 0) ? cursor : null;
        }
        catch (Exception e) when (e is FormatException or JsonException or NotSupportedException)
        {
            return null;
        }
    }
}
