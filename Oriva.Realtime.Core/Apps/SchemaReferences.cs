using System.Text.Json;
using Json.Pointer;

namespace Oriva.Realtime.Core.Apps;

/// <summary>A schema's references, checked when it is put: one that leads nowhere would fail every publish of the type.</summary>
internal static class SchemaReferences
{
    // Their values are data and no schemas.
    private static readonly string[] s_data = ["const", "enum", "default", "examples"];

    /// <returns>The first reference that leads out of the schema, or nowhere in it.</returns>
    public static string? FindBroken(JsonElement schema) => References(schema).FirstOrDefault(reference => !Resolves(reference, schema));

    private static IEnumerable<string> References(JsonElement schema) =>
        Properties(schema).Where(property => property.Name is "$ref" or "$dynamicRef" && property.Value.ValueKind == JsonValueKind.String).Select(property => property.Value.GetString()!);

    private static bool Resolves(string reference, JsonElement schema)
    {
        if (!reference.StartsWith('#'))
            return false;
        var fragment = Uri.UnescapeDataString(reference[1..]);
        if (fragment.Length == 0 || fragment[0] == '/')
            return JsonPointer.TryParse(fragment, out var pointer) && pointer.Evaluate(schema) is not null;
        return Properties(schema).Any(property => property.Name is "$anchor" or "$dynamicAnchor" && property.Value.ValueKind == JsonValueKind.String && property.Value.GetString() == fragment);
    }

    private static IEnumerable<JsonProperty> Properties(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(property => s_data.Contains(property.Name) ? [property] : Properties(property.Value).Prepend(property)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Properties),
        _ => [],
    };
}
