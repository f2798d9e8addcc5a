using System.Text.Json;
using CloudNative.CloudEvents;
using CloudNative.CloudEvents.SystemTextJson;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>
/// CloudEvents 1.0 in the JSON format, structured and batched (<see href="https://github.com/cloudevents/spec"/>), as drafts. <c>source</c> is the app id;
/// the extensions <c>userid</c> and <c>topic</c> name the audience; other extensions become metadata.
/// </summary>
internal static class CloudEventReader
{
    public const string Single = "application/cloudevents+json";
    public const string Batch = "application/cloudevents-batch+json";

    private static readonly JsonEventFormatter s_formatter = new();

    public static bool Handles(string? contentType) => MediaTypeOf(contentType) is Single or Batch;

    public static bool IsBatch(string? contentType) => MediaTypeOf(contentType) is Batch;

    public static Outcome<IReadOnlyList<EventDraft>> Read(string contentType, ReadOnlyMemory<byte> body)
    {
        // The formatter's own parser takes names that stand twice.
        var parsed = JsonBody.Parse(body);
        if (parsed.Value is not { } json)
            return parsed.Fault!;
        using (json)
        {
            var isBatch = IsBatch(contentType);
            if (isBatch != (json.RootElement.ValueKind == JsonValueKind.Array))
                return Fault.Invalid("", isBatch ? "A batch is a JSON array of CloudEvents." : "A CloudEvent is a JSON object.");
            try
            {
                return (isBatch ? json.RootElement.EnumerateArray() : Enumerable.Repeat(json.RootElement, 1))
                    .Select(item => ToDraft(s_formatter.ConvertFromJsonElement(item, []))).ToList();
            }
            catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
            {
                return Fault.Invalid("", "Not a CloudEvent: " + e.Message);
            }
        }
    }

    private static EventDraft ToDraft(CloudEvent e)
    {
        if (e.Data is not (null or JsonElement))
            throw new FormatException("data must be JSON (datacontenttype application/json)");
        var draft = new EventDraft
        {
            Id = e.Id,
            Source = e.Source!.OriginalString,
            Type = e.Type!,
            Time = e.Time,
            UserId = Extension(e, "userid"),
            Topic = Extension(e, "topic"),
            Metadata = Metadata(e),
        };
        return e.Data is JsonElement data ? draft with { Data = data.Clone() } : draft;
    }

    private static Dictionary<string, string>? Metadata(CloudEvent e)
    {
        var metadata = e.GetPopulatedAttributes()
            .Where(attribute => attribute.Key.IsExtension && attribute.Key.Name is not ("userid" or "topic"))
            .ToDictionary(attribute => NameOf(attribute.Key.Name), attribute => attribute.Key.Format(attribute.Value), StringComparer.Ordinal);
        return metadata.Count == 0 ? null : metadata;
    }

    /// <summary>CloudEvents allows lower-case names only.</summary>
    private static string NameOf(string extension) => extension switch
    {
        "causationid" => "causationId",
        "correlationid" => "correlationId",
        _ => extension,
    };

    private static string? Extension(CloudEvent e, string name) => e[name] as string;

    private static string? MediaTypeOf(string? contentType) => contentType?.Split(';')[0].Trim().ToLowerInvariant();
}
