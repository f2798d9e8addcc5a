using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <param name="Data">Null for a message that only moves the cursor, which a browser does not show.</param>
internal sealed record SseMessage(string Event, string? Data, string LastEventId)
{
    public JsonElement Json => JsonElement.Parse(Data.ShouldNotBeNull("the message has no data"));
}

/// <summary>Reads server-sent events as the HTML standard has it (9.2.6): what was cut in the middle of a message is not a message.</summary>
internal sealed class SseReader : IAsyncDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private SseReader(HttpResponseMessage response, Stream body)
    {
        _response = response;
        _lines = new StreamReader(body, Encoding.UTF8);
    }

    /// <summary>Resumes after the last message that was read.</summary>
    public string LastEventId { get; private set; } = "";

    public string? Retry { get; private set; }

    public string? MediaType => _response.Content.Headers.ContentType?.MediaType;

    public static async Task<SseReader> OpenAsync(HttpResponseMessage response) => new(response, await response.Content.ReadAsStreamAsync());

    /// <summary>The next message with data; null at the end of the stream.</summary>
    public async Task<SseMessage?> ReadAsync()
    {
        while (await ReadAnyAsync() is { } message)
        {
            if (message.Data is not null)
                return message;
        }

        return null;
    }

    /// <summary>So many events, which must come soon.</summary>
    public async Task<IReadOnlyList<JsonElement>> ReadEventsAsync(int count)
    {
        var events = new List<JsonElement>();
        while (events.Count < count)
        {
            var message = await ReadAsync().Soon($"event {events.Count + 1} of {count} on the stream");
            message.ShouldNotBeNull("the stream ended");
            message.Event.ShouldBe("message", message.Data);
            events.Add(message.Json);
        }

        return events;
    }

    /// <summary>The next message, also one without data.</summary>
    public async Task<SseMessage?> ReadAnyAsync()
    {
        var data = default(StringBuilder);
        var (type, id, fields) = ("message", LastEventId, 0);
        while (await _lines.ReadLineAsync() is { } line)
        {
            if (line.Length == 0)
            {
                if (fields == 0)
                    continue;
                LastEventId = id;
                return new SseMessage(type, data?.ToString(), id);
            }

            fields++;
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? line : line[..colon];
            var value = colon < 0 ? "" : line[(colon + 1)..];
            value = value.StartsWith(' ') ? value[1..] : value;
            switch (name)
            {
                case "data":
                    data = data is null ? new StringBuilder(value) : data.Append('\n').Append(value);
                    break;
                case "event":
                    type = value;
                    break;
                case "id":
                    id = value;
                    break;
                case "retry":
                    Retry = value;
                    break;
                default:
                    name.ShouldBeEmpty("a field that no browser knows");
                    break;
            }
        }

        return null;
    }

    public void Close() => _response.Dispose();

    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }
}
