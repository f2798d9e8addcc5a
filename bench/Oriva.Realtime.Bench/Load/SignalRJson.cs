using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Load;

/// <summary>SignalR's JSON protocol: each message ends with 0x1E, and starts with its type, which SignalR writes first.</summary>
internal sealed class SignalRJson : Dialect
{
    private const byte Separator = 0x1E;

    public override string Name => "JSON";

    public override byte[] Hello { get; } = Encode("""{"protocol":"json","version":1}""");

    public override byte[] KeepAlive { get; } = Encode("""{"type":6}""");

    public override byte[] Invoke(string method, string arguments) =>
        Encode($$"""{"type":1,"invocationId":"1","target":"{{method}}","arguments":[{{arguments}}]}""");

    public override JsonElement ReadResult(byte[] answer)
    {
        var json = JsonElement.Parse(answer);
        return json.TryGetProperty("error", out var error)
            ? throw new BenchException($"A call was refused: {error.GetString()}")
            : json.TryGetProperty("result", out var result) ? result : default;
    }

    public override MessageKind KindOf(ReadOnlySpan<byte> message) => message.StartsWith("{\"type\":"u8) && message.Length > 8
        ? message[8] switch
        {
            (byte)'1' => MessageKind.Event,
            (byte)'3' => MessageKind.Answer,
            (byte)'7' => MessageKind.Close,
            _ => MessageKind.Other,
        }
        : MessageKind.Answer;

    public override bool TryCut(ReadOnlySpan<byte> text, int scanned, bool isFrameEnd, out Range message, out int end)
    {
        var found = text[scanned..].IndexOf(Separator);
        (message, end) = found < 0 ? (default, 0) : (..(scanned + found), scanned + found + 1);
        return found >= 0;
    }

    public override bool TryReadNumber(ReadOnlySpan<byte> value, out long number) => Utf8Parser.TryParse(value, out number, out _);

    public override ReadOnlySpan<byte> ReadText(ReadOnlySpan<byte> value) => value[1..(value[1..].IndexOf((byte)'"') + 1)];

    private static byte[] Encode(string message) => [.. Encoding.UTF8.GetBytes(message), Separator];
}
