using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>Reads drafts from JSON and says at which pointer something has the wrong form.</summary>
public static partial class DraftReader
{
    /// <summary>Reads a draft, or an array of them.</summary>
    public static Outcome<IReadOnlyList<EventDraft>> Read(JsonElement json)
    {
        var faults = new FaultList();
        var drafts = json.ValueKind == JsonValueKind.Array
            ? json.EnumerateArray().Select((item, i) => ReadDraft(item, $"/{i}", faults)).ToList()
            : [ReadDraft(json, "", faults)];
        return faults.IsEmpty ? drafts.ConvertAll(draft => draft!) : faults.ToFault();
    }

    private static EventDraft? ReadDraft(JsonElement json, string pointer, FaultList faults)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            faults.Add(FaultCodes.Invalid, pointer, "An event is a JSON object.");
            return null;
        }

        var before = faults.Count;
        JsonElement source = default, type = default, data = default, id = default, userId = default, topic = default, time = default, metadata = default;
        foreach (var property in json.EnumerateObject())
        {
            if (!JsonText.TryGetName(property, out var name))
            {
                // Nothing more can be asked of such an object: looking a property up compares names.
                faults.Add(FaultCodes.Invalid, pointer, "Has a property whose name is not valid Unicode.");
                return null;
            }

            var value = property.Value;
            _ = name switch
            {
                "source" => source = value,
                "type" => type = value,
                "data" => data = value,
                "id" => id = value,
                "userId" => userId = value,
                "topic" => topic = value,
                "time" => time = value,
                "metadata" => metadata = value,
                _ => Unknown(name),
            };
        }

        var draft = new EventDraft
        {
            Source = Text(source, "source", pointer, faults, required: true)!,
            Type = Text(type, "type", pointer, faults, required: true)!,
            Id = Text(id, "id", pointer, faults),
            UserId = Text(userId, "userId", pointer, faults),
            Topic = Text(topic, "topic", pointer, faults),
            Time = Time(time, pointer, faults),
            Metadata = Metadata(metadata, pointer, faults),
            Data = data.ValueKind == JsonValueKind.Undefined ? EventDraft.NoData : data,
        };
        return faults.Count > before ? null : draft;

        JsonElement Unknown(string name)
        {
            faults.Add(FaultCodes.Invalid, $"{pointer}/{JsonText.Escape(name)}", "Unknown property; known are source, type, data, id, userId, topic, time, metadata.");
            return default;
        }
    }

    private static string? Text(JsonElement value, string name, string pointer, FaultList faults, bool required = false)
    {
        if (value.ValueKind == JsonValueKind.Undefined || (value.ValueKind == JsonValueKind.Null && !required))
        {
            if (required)
                faults.Add(FaultCodes.Invalid, $"{pointer}/{name}", "Required.");
            return null;
        }

        if (value.ValueKind != JsonValueKind.String || !JsonText.TryGetString(value, out var text))
        {
            faults.Add(FaultCodes.Invalid, $"{pointer}/{name}", "Must be a text of valid Unicode.");
            return null;
        }

        return text;
    }

    private static DateTimeOffset? Time(JsonElement value, string pointer, FaultList faults)
    {
        if (Text(value, "time", pointer, faults) is not { } text)
            return null;
        if (TryParseTime(text, out var time))
            return time;
        faults.Add(FaultCodes.Invalid, pointer + "/time", "Must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z.");
        return null;
    }

    /// <summary>RFC 3339: the offset is required, because a time without one means another moment on every machine.</summary>
    public static bool TryParseTime(string text, out DateTimeOffset time)
    {
        time = default;
        return Rfc3339().IsMatch(text) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out time);
    }

    [GeneratedRegex(@"\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Rfc3339();

    private static Dictionary<string, string>? Metadata(JsonElement value, string pointer, FaultList faults)
    {
        if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return null;
        if (value.ValueKind != JsonValueKind.Object)
        {
            faults.Add(FaultCodes.Invalid, pointer + "/metadata", "Must be an object whose values are texts.");
            return null;
        }

        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in value.EnumerateObject())
        {
            if (!JsonText.TryGetName(property, out var name))
                faults.Add(FaultCodes.Invalid, pointer + "/metadata", "Has a property whose name is not valid Unicode.");
            else if (property.Value.ValueKind == JsonValueKind.String && JsonText.TryGetString(property.Value, out var text))
                metadata[name] = text!;
            else
                faults.Add(FaultCodes.Invalid, $"{pointer}/metadata/{JsonText.Escape(name)}", "Must be a text of valid Unicode.");
        }

        return metadata;
    }
}
