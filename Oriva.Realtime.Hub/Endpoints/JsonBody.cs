using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Reads bodies so that whatever is wrong with one has the contract's code.</summary>
internal static class JsonBody
{
    private const int SmallBody = 256 * 1024;

    // A name that stands twice has no one meaning: two readers of the event would disagree.
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    /// <summary>The body as one JSON document, which the caller disposes.</summary>
    public static async Task<Outcome<JsonDocument>> ReadAsync(HttpRequest request, int limit, CancellationToken cancellationToken)
    {
        var bytes = await ReadBytesAsync(request, limit, cancellationToken);
        return bytes.Fault is { } tooLarge ? tooLarge : Parse(bytes.Value);
    }

    /// <summary>The bytes as one JSON document, which the caller disposes.</summary>
    public static Outcome<JsonDocument> Parse(ReadOnlyMemory<byte> bytes)
    {
        // The parser leaves texts undecoded, and whoever decodes one later would fail.
        if (!Utf8.IsValid(bytes.Span))
            return new Fault(FaultCodes.Malformed, "The body is not valid JSON: it is not UTF-8.");
        try
        {
            return JsonDocument.Parse(bytes, s_strict);
        }
        catch (JsonException e)
        {
            return new Fault(FaultCodes.Malformed, "The body is not valid JSON: " + e.Message);
        }
        catch (InvalidOperationException)
        {
            // The search for names that stand twice reads each, and half of a surrogate pair cannot be read.
            return Fault.Invalid("", "The name of a property is not valid Unicode.");
        }
    }

    /// <summary>The body as a request record; what has the wrong kind is named by its pointer.</summary>
    public static async Task<Outcome<T>> ReadAsync<T>(HttpRequest request, JsonSerializerOptions options, CancellationToken cancellationToken)
        where T : class
    {
        var document = await ReadAsync(request, SmallBody, cancellationToken);
        if (document.Value is not { } json)
            return document.Fault!;
        using (json)
        {
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                return Fault.Invalid("", "The body must be a JSON object.");
            try
            {
                return json.RootElement.Deserialize<T>(options)!;
            }
            catch (JsonException e)
            {
                return Fault.Invalid(ToPointer(e.Path), "Has the wrong kind of value, or a required one is missing.");
            }
        }
    }

    public static async Task<Outcome<ReadOnlyMemory<byte>>> ReadBytesAsync(HttpRequest request, int limit, CancellationToken cancellationToken)
    {
        var tooLarge = new Fault(FaultCodes.TooLarge, $"A request has at most {limit} bytes.");
        if (request.ContentLength > limit)
            return tooLarge;
        var body = new ArrayBufferWriter<byte>((int)Math.Max(request.ContentLength ?? 4096, 16));
        while (true)
        {
            var read = await request.Body.ReadAsync(body.GetMemory(4096), cancellationToken);
            if (read == 0)
                return body.WrittenMemory;
            body.Advance(read);
            if (body.WrittenCount > limit)
                return tooLarge;
        }
    }

    /// <summary>System.Text.Json's <c>$.a.b[0]</c> as a JSON pointer.</summary>
    private static string ToPointer(string? path) =>
        (path ?? "").TrimStart('$').Replace("['", "/", StringComparison.Ordinal).Replace("']", "", StringComparison.Ordinal)
            .Replace('[', '/').Replace("]", "", StringComparison.Ordinal).Replace('.', '/');
}
