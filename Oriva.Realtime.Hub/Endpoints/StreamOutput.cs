using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>
/// Server-sent events (<see href="https://html.spec.whatwg.org/multipage/server-sent-events.html"/>). A message without data is not dispatched by
/// browsers, but its <c>id</c> counts: so beacons move the cursor and keep proxies from closing the connection.
/// </summary>
/// <param name="end">Ends the response after what was written.</param>
internal sealed class StreamOutput(HttpResponse response, Action end) : ISessionOutput
{
    private const int RetryMilliseconds = 2_000;

    private Cursor _cursor = new("", ImmutableDictionary<string, long>.Empty);

    public string Kind => "stream";

    public async Task StartAsync(SubscribeAnswer answer, CancellationToken cancellationToken)
    {
        _cursor = answer.Cursor;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // nginx would hold events back
        var opening = new StringBuilder().Append("retry: ").Append(RetryMilliseconds).Append('\n').Append(IdLine());
        if (answer.Reset)
            opening.Append(ResetLines(answer.App, "The cursor cannot be honoured; events follow from now on."));
        await WriteAsync(opening.Append('\n').ToString(), cancellationToken);
    }

    public async ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken)
    {
        var writer = response.BodyWriter;
        foreach (var e in batch.Events)
        {
            Advance(batch.Stream, e.Position);
            Write(IdLine());
            writer.Write("data: "u8);
            writer.Write(e.Json.Span); // on one line, as all events in the log are
            writer.Write("\n\n"u8);
        }

        if (batch.Through > _cursor.Streams.GetValueOrDefault(batch.Stream) || batch.Events.Count == 0)
        {
            Advance(batch.Stream, batch.Through);
            Write(IdLine() + "\n");
        }

        await writer.FlushAsync(cancellationToken);
    }

    public async ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken)
    {
        await WriteAsync(ResetLines(app, reason) + "\n", cancellationToken);
        // The client's next request comes with a cursor that is too old, and is told where now is.
        end();
    }

    private void Advance(string stream, long position) => _cursor = _cursor with { Streams = _cursor.Streams.SetItem(stream, position) };

    private string IdLine() => $"id: {_cursor.ToText()}\n";

    private static string ResetLines(string app, string reason) =>
        $"event: reset\ndata: {JsonSerializer.Serialize(new SubscriptionReset(app, reason), WireJson.Options)}\n";

    private void Write(string text) => Encoding.UTF8.GetBytes(text, response.BodyWriter);

    private async Task WriteAsync(string text, CancellationToken cancellationToken)
    {
        Write(text);
        await response.BodyWriter.FlushAsync(cancellationToken);
    }
}
