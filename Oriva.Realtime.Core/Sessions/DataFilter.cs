using System.Globalization;
using System.Text.Json;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>A condition on an event's data. A path that leads nowhere, or to a value that cannot be compared, does not match (only <c>ne</c> does).</summary>
internal sealed class DataFilter
{
    private const int MaxPathLength = 256;
    private const int MaxValueLength = 4_096;
    private static readonly string[] s_ops = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "exists"];

    private readonly string[] _path;
    private readonly string _op;
    private readonly JsonElement _value;

    private DataFilter(string[] path, string op, JsonElement value)
    {
        _path = path;
        _op = op;
        _value = value;
    }

    public bool Matches(JsonElement data)
    {
        var found = TryFind(data, out var at);
        return _op switch
        {
            "exists" => found == (_value.ValueKind != JsonValueKind.False),
            "ne" => !found || !Same(at, _value),
            _ when !found => false,
            "eq" => Same(at, _value),
            "in" => _value.EnumerateArray().Any(item => Same(at, item)),
            "contains" => Contains(at),
            "gt" => Compare(at) > 0,
            "gte" => Compare(at) >= 0,
            "lt" => Compare(at) < 0,
            _ => Compare(at) <= 0,
        };
    }

    public static DataFilter? Read(FilterRequest? request, string pointer, FaultList faults)
    {
        if (request is null)
        {
            faults.Add(FaultCodes.Invalid, pointer, "Must be {path, op, value}.");
            return null;
        }

        var before = faults.Count;
        if (string.IsNullOrEmpty(request.Path) || request.Path.Length > MaxPathLength || request.Path.Split('.').Contains(""))
            faults.Add(FaultCodes.Invalid, pointer + "/path", $"Must be names joined by dots, at most {MaxPathLength} characters, such as artist.name.");
        if (!s_ops.Contains(request.Op))
            faults.Add(FaultCodes.Invalid, pointer + "/op", "Must be one of " + string.Join(", ", s_ops) + ".");
        var value = request.Value;
        if (value.ValueKind == JsonValueKind.Undefined && request.Op != "exists")
            faults.Add(FaultCodes.Invalid, pointer + "/value", "Required.");
        else if (request.Op == "in" && value.ValueKind != JsonValueKind.Array)
            faults.Add(FaultCodes.Invalid, pointer + "/value", "Must be an array.");
        else if (request.Op is "gt" or "gte" or "lt" or "lte" && value.ValueKind is not (JsonValueKind.Number or JsonValueKind.String))
            faults.Add(FaultCodes.Invalid, pointer + "/value", "Must be a number or a text.");
        if (value.ValueKind != JsonValueKind.Undefined && value.GetRawText().Length > MaxValueLength)
            faults.Add(FaultCodes.TooLarge, pointer + "/value", $"At most {MaxValueLength} characters.");
        if (value.ValueKind != JsonValueKind.Undefined && JsonText.FindUnstorable(value, "") is not null)
            faults.Add(FaultCodes.Invalid, pointer + "/value", "Texts must not contain \\u0000 or half of a surrogate pair.");
        // Cloned, because the request's document is gone when the filter is used.
        return faults.Count > before ? null : new DataFilter(request.Path.Split('.'), request.Op, value.ValueKind == JsonValueKind.Undefined ? default : value.Clone());
    }

    private bool TryFind(JsonElement data, out JsonElement found)
    {
        found = data;
        foreach (var name in _path)
        {
            if (found.ValueKind == JsonValueKind.Array && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < found.GetArrayLength())
                found = found[index];
            else if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(name, out found))
                return false;
        }

        return true;
    }

    private bool Contains(JsonElement at) => at.ValueKind switch
    {
        JsonValueKind.Array => at.EnumerateArray().Any(item => Same(item, _value)),
        JsonValueKind.String when _value.ValueKind == JsonValueKind.String => at.GetString()!.Contains(_value.GetString()!, StringComparison.Ordinal),
        _ => false,
    };

    /// <summary>Numbers by value, texts by ordinal; null when the two are of different kinds.</summary>
    private int? Compare(JsonElement at)
    {
        if (at.ValueKind != _value.ValueKind)
            return null;
        if (at.ValueKind == JsonValueKind.String)
            return string.CompareOrdinal(at.GetString(), _value.GetString());
        return at.TryGetDecimal(out var one) && _value.TryGetDecimal(out var other) ? one.CompareTo(other) : at.GetDouble().CompareTo(_value.GetDouble());
    }

    private static bool Same(JsonElement one, JsonElement other) =>
        one.ValueKind == other.ValueKind && JsonElement.DeepEquals(one, other);
}
