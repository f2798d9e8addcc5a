using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// socket.io over engine.io, protocol 4: a frame is a packet. Of engine.io: 0 open, 2 ping, 3 pong, 4 message; of socket.io behind a 4: 0 connect, 2 event,
/// 3 the answer to an event with a number.
/// </summary>
internal sealed class SocketIo : Dialect
{
    public override string Name => "socket.io";

    public override byte[] Hello { get; } = "40"u8.ToArray();

    public override byte[] Pong { get; } = "3"u8.ToArray();

    public override byte[] Invoke(string method, string arguments) => Encoding.UTF8.GetBytes($"421[\"{method}\",{arguments}]");

    public override JsonElement ReadResult(byte[] answer) => default;

    public override MessageKind KindOf(ReadOnlySpan<byte> message) => message switch
    {
        [(byte)'2'] => MessageKind.Ping,
        [(byte)'4', (byte)'2', ..] => MessageKind.Event,
        [(byte)'4', (byte)'0' or (byte)'3', ..] => MessageKind.Answer,
        [(byte)'1', ..] or [(byte)'4', (byte)'1' or (byte)'4', ..] => MessageKind.Close,
        _ => MessageKind.Other,
    };

    public override bool TryCut(ReadOnlySpan<byte> text, int scanned, bool isFrameEnd, out Range message, out int end)
    {
        (message, end) = (.., text.Length);
        return isFrameEnd && text.Length > 0;
    }

    public override bool TryReadNumber(ReadOnlySpan<byte> value, out long number) => throw new NotSupportedException("socket.io's events have no positions.");

    public override ReadOnlySpan<byte> ReadText(ReadOnlySpan<byte> value) => throw new NotSupportedException("socket.io's events have no streams.");
}
