using System.Text.Json;
using System.Text.Json.Nodes;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// The way to a claim. A name that the payload has as it stands wins, because names may contain dots (<c>https://example.com/apps</c>); otherwise each dot
/// goes one object deeper.
/// </summary>
internal static class ClaimPath
{
    public static JsonElement? Find(JsonElement payload, string path)
    {
        if (payload.TryGetProperty(path, out var named))
            return named;
        var found = payload;
        foreach (var name in path.Split('.'))
        {
            if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(name, out found))
                return null;
        }

        return found;
    }

    /// <summary>Puts the claim where <see cref="Find"/> finds it.</summary>
    public static void Set(JsonObject payload, string path, JsonNode value)
    {
        var names = Split(path);
        var parent = payload;
        foreach (var name in names[..^1])
        {
            if (parent[name] is not JsonObject child)
                parent[name] = child = [];
            parent = child;
        }

        parent[names[^1]] = value;
    }

    /// <summary>Whether a token can have both claims: neither is an object that the other stands in.</summary>
    public static bool CanStandBeside(string path, string other)
    {
        var (names, others) = (Split(path), Split(other));
        var shared = Math.Min(names.Length, others.Length);
        return names.Length == others.Length || !names.AsSpan(0, shared).SequenceEqual(others.AsSpan(0, shared));
    }

    // A URI is a name, never a path.
    private static string[] Split(string path) => path.Contains(':', StringComparison.Ordinal) ? [path] : path.Split('.');
}
