using System.Text.Json;

namespace Oriva.Realtime.Core.Storage;

/// <summary>JSON texts that a store can keep. PostgreSQL refuses <c>\u0000</c> and lone surrogates, and one such row would fail its whole group.</summary>
internal static class JsonText
{
    public static bool TryGetString(JsonElement value, out string? text)
    {
        try
        {
            text = value.GetString();
            return text is not null && IsStorable(text);
        }
        catch (InvalidOperationException)
        {
            // A \uD800 without its partner: System.Text.Json cannot make a string of it.
            text = null;
            return false;
        }
    }

    public static bool IsStorable(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\0' || (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i]))))
                return false;
        }

        return true;
    }

    /// <summary>Whether values are nested deeper than that: clients and encoders have limits of their own, around what data is wrapped in.</summary>
    public static bool IsDeeperThan(JsonElement json, int levels) => json.ValueKind switch
    {
        JsonValueKind.Object => levels == 0 || json.EnumerateObject().Any(property => IsDeeperThan(property.Value, levels - 1)),
        JsonValueKind.Array => levels == 0 || json.EnumerateArray().Any(item => IsDeeperThan(item, levels - 1)),
        _ => false,
    };

    /// <returns>The pointer of the first text, or name, that cannot be stored; null when all can.</returns>
    public static string? FindUnstorable(JsonElement json, string pointer)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String:
                return TryGetString(json, out _) ? null : pointer;
            case JsonValueKind.Array:
                return json.EnumerateArray().Select((item, i) => FindUnstorable(item, $"{pointer}/{i}")).FirstOrDefault(found => found is not null);
            case JsonValueKind.Object:
                foreach (var property in json.EnumerateObject())
                {
                    if (!TryGetName(property, out var name))
                        return pointer;
                    if (FindUnstorable(property.Value, $"{pointer}/{Escape(name)}") is { } found)
                        return found;
                }

                return null;
            default:
                return null;
        }
    }

    /// <summary>A name as a step of a JSON pointer: RFC 6901, section 3.</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <returns>False: the name cannot be stored.</returns>
    public static bool TryGetName(JsonProperty property, out string name)
    {
        try
        {
            name = property.Name;
            return IsStorable(name);
        }
        catch (InvalidOperationException)
        {
            name = "";
            return false;
        }
    }
}
