using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>What a service worker gets.</summary>
internal static class PushPayload
{
    /// <summary>Push services must take 4,096 bytes of ciphertext (RFC 8030, 7.2), of which 103 are the encryption's; some room is left for theirs.</summary>
    public const int MostBytes = 3_900;

    // JSON for a parser and not for a page: letters that are not ASCII stay as short as they are.
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Never longer than <see cref="MostBytes"/>: the data is left out first, then the body shortened, then what leads elsewhere goes.</summary>
    public static byte[] Of(DeliveryWork delivery)
    {
        if (delivery.IsRecalled)
            return JsonSerializer.SerializeToUtf8Bytes(new { id = delivery.NotificationId, app = delivery.App, recalled = true }, s_json);
        var whole = new Content(
            delivery.NotificationId, delivery.App, delivery.Title, delivery.Body, delivery.Link, delivery.Image,
            delivery.Actions is null ? null : JsonElement.Parse(delivery.Actions), delivery.Type, JsonElement.Parse(delivery.Data));
        return TryWrite(whole)
            ?? TryShorten(whole with { Data = null })
            ?? TryShorten(whole with { Data = null, Image = null })
            ?? TryShorten(whole with { Data = null, Image = null, Actions = null })
            ?? TryShorten(whole with { Data = null, Image = null, Actions = null, Link = null })!;
    }

    /// <summary>With as much of the body as there is room for; null: there is none even for the rest.</summary>
    private static byte[]? TryShorten(Content content)
    {
        if (TryWrite(content) is { } fits)
            return fits;
        var body = content.Body ?? "";
        byte[]? longest = null;
        for (var (least, most) = (0, body.Length - 1); least <= most;)
        {
            var middle = (least + most) / 2;
            if (TryWrite(content with { Body = Cut(body, middle) }) is { } written)
                (longest, least) = (written, middle + 1);
            else
                most = middle - 1;
        }

        return longest;
    }

    private static string Cut(string text, int length) => text[..(length > 0 && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)] + "…";

    private static byte[]? TryWrite(Content content) => JsonSerializer.SerializeToUtf8Bytes(content, s_json) is { Length: <= MostBytes } written ? written : null;

    private sealed record Content(
        Guid Id, string App, string Title, string? Body, string? Link, string? Image, JsonElement? Actions, string? Type,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Data);
}
