using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>
/// What makes two publishes of one id the same: SHA-256 of type, audience and data as canonical JSON. Canonical as in RFC 8785 (members sorted by name,
/// no white space), except that numbers keep their full precision instead of passing through a double.
/// </summary>
internal static class ContentHash
{
    public static byte[] Of(string type, string? userId, string? topic, JsonElement data)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartArray();
        writer.WriteStringValue(type);
        writer.WriteStringValue(userId);
        writer.WriteStringValue(topic);
        WriteCanonical(writer, data);
        writer.WriteEndArray();
        writer.Flush();
        return SHA256.HashData(buffer.WrittenSpan);
    }

    private static void WriteCanonical(Utf8JsonWriter writer, JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var property in json.EnumerateObject().OrderBy(property => property.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(property.Name);
                    WriteCanonical(writer, property.Value);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in json.EnumerateArray())
                    WriteCanonical(writer, item);
                writer.WriteEndArray();
                break;
            case JsonValueKind.Number:
                writer.WriteRawValue(CanonicalNumber(json.GetRawText()));
                break;
            default:
                json.WriteTo(writer);
                break;
        }
    }

    /// <summary>1, 1.0, 1e0 and 10e-1 are one number: its digits without zeros at the ends, and the power of ten.</summary>
    internal static string CanonicalNumber(string raw)
    {
        var span = raw.AsSpan();
        var negative = span[0] == '-';
        if (negative)
            span = span[1..];
        var exponentAt = span.IndexOfAny('e', 'E');
        var exponent = 0L;
        if (exponentAt >= 0)
        {
            // An exponent that no long holds: the number is only itself.
            if (!long.TryParse(span[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
                return raw;
            span = span[..exponentAt];
        }

        var point = span.IndexOf('.');
        var digits = point < 0 ? span.ToString() : string.Concat(span[..point], span[(point + 1)..]);
        var trimmed = digits.TrimEnd('0');
        // At the ends of long an exponent cannot be moved: the number is only itself.
        if (exponent is > long.MaxValue / 2 or < long.MinValue / 2)
            return raw;
        exponent += digits.Length - trimmed.Length - (point < 0 ? 0 : span.Length - point - 1);
        trimmed = trimmed.TrimStart('0');
        return trimmed.Length == 0 ? "0" : string.Create(CultureInfo.InvariantCulture, $"{(negative ? "-" : "")}{trimmed}e{exponent}");
    }
}
