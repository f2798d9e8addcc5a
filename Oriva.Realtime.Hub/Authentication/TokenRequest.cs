using System.Text.Json;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>A token to be made: the body of <c>POST /dev/token</c>, or the command line's.</summary>
internal sealed record TokenRequest(string Sub)
{
    public const int DefaultSeconds = 3_600;
    public const int MostSeconds = 30 * 24 * 3_600;

    public IReadOnlyList<string> Apps { get; init; } = [];

    public IReadOnlyList<string> Roles { get; init; } = [];

    public IReadOnlyList<string> Topics { get; init; } = [];

    public string? Email { get; init; }

    public string? Locale { get; init; }

    public TimeSpan Lifetime { get; init; } = TimeSpan.FromSeconds(DefaultSeconds);

    /// <summary>Unknown properties are ignored, and null is as good as absent.</summary>
    public static Outcome<TokenRequest> Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            return Fault.Invalid("", "A token request is an object.");

        var faults = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var request = new TokenRequest(ReadText(json, "sub", faults) ?? "")
        {
            Apps = ReadNames(json, "apps", Names.IsApp, "is no app id", faults),
            Roles = ReadNames(json, "roles", role => role is Caller.PublisherRole or Caller.AdminRole, "is neither 'publisher' nor 'admin'", faults),
            Topics = ReadNames(json, "topics", CallerReader.IsTopicClaim, "is not of the form app/topic, where the topic may end in '*'", faults),
            Email = ReadText(json, "email", faults),
            Locale = ReadText(json, "locale", faults),
            Lifetime = ReadLifetime(json, "expiresInSeconds", faults),
        };
        if (!Names.IsId(request.Sub))
            faults["/sub"] = ["A user id is required: 1 to 128 printable characters without space or '/'."];
        if (faults.Count > 0)
            return new Fault(FaultCodes.Invalid, "The token request is not valid.", faults);
        return request;
    }

    private static string? ReadText(JsonElement json, string name, Dictionary<string, string[]> faults)
    {
        if (!TryFind(json, name, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.String)
            return value.GetString();
        faults["/" + name] = ["Must be a string."];
        return null;
    }

    private static List<string> ReadNames(JsonElement json, string name, Func<string, bool> isValid, string complaint, Dictionary<string, string[]> faults)
    {
        var names = new List<string>();
        if (!TryFind(json, name, out var value))
            return names;
        if (value.ValueKind != JsonValueKind.Array)
        {
            faults["/" + name] = ["Must be an array of strings."];
            return names;
        }

        foreach (var (index, item) in value.EnumerateArray().Index())
        {
            if (item.ValueKind != JsonValueKind.String)
                faults[$"/{name}/{index}"] = ["Must be a string."];
            else if (!isValid(item.GetString()!))
                faults[$"/{name}/{index}"] = [$"'{item.GetString()}' {complaint}."];
            else
                names.Add(item.GetString()!);
        }

        return names;
    }

    private static TimeSpan ReadLifetime(JsonElement json, string name, Dictionary<string, string[]> faults)
    {
        var seconds = DefaultSeconds;
        if (TryFind(json, name, out var value)
            && (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out seconds) || seconds is < 1 or > MostSeconds))
            faults["/" + name] = [$"Must be a whole number of seconds from 1 to {MostSeconds}."];
        return TimeSpan.FromSeconds(seconds);
    }

    private static bool TryFind(JsonElement json, string name, out JsonElement value) =>
        json.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;
}
