using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Short ways into an answer's JSON; what is missing fails the test with the whole document.</summary>
internal static class JsonAccess
{
    public static JsonElement At(this JsonElement json, params string[] path)
    {
        var at = json;
        foreach (var name in path)
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at))
                throw new ShouldAssertException($"There is no {string.Join('/', path)} in {json}");
        }

        return at;
    }

    public static string Text(this JsonElement json, params string[] path) => json.At(path).GetString()!;

    public static long Number(this JsonElement json, params string[] path) => json.At(path).GetInt64();

    public static bool Flag(this JsonElement json, params string[] path) => json.At(path).GetBoolean();

    public static IReadOnlyList<JsonElement> Items(this JsonElement json, params string[] path) => [.. json.At(path).EnumerateArray()];

    public static IReadOnlyList<string> Names(this JsonElement json) => [.. json.EnumerateObject().Select(property => property.Name)];

    public static IReadOnlyList<string> Ids(this IEnumerable<JsonElement> events) => [.. events.Select(e => e.Text("id"))];
}
