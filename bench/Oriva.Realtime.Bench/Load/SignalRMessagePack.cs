using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using MessagePack;

namespace Oriva.Realtime.Bench.Load;

/// <summary>SignalR's MessagePack protocol: after a handshake in JSON, each message is an array that starts with its type, behind its length (7 bits a byte, least first).</summary>
internal sealed class SignalRMessagePack : Dialect
{
    private const byte HandshakeEnd = 0x1E;
    private const int MostLengthBytes = 5;

    public override string Name => "MessagePack";

    public override byte Opcode => WebSocketFrame.Binary;

    public override byte[] Hello { get; } = [.. "{\"protocol\":\"messagepack\",\"version\":1}"u8, HandshakeEnd];

    public override byte[] KeepAlive { get; } = [0x02, 0x91, 0x06];

    /// <summary>A text of 4 bytes, then the head of one of 28.</summary>
    public override byte[] MarkPrefix { get; } = [0xA4, .. "mark"u8, 0xA0 | Mark.Length];

    public override byte[] KeyOf(string name) => [(byte)(0xA0 | name.Length), .. Encoding.ASCII.GetBytes(name)];

    public override byte[] Invoke(string method, string arguments)
    {
        var message = MessagePackSerializer.ConvertFromJson($$"""[1,{},"1","{{method}}",[{{arguments}}],[]]""");
        var length = new List<byte>();
        for (var rest = message.Length; rest > 0 || length.Count == 0; rest >>= 7)
            length.Add((byte)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0)));
        return [.. length, .. message];
    }

    public override JsonElement ReadResult(byte[] answer)
    {
        const int error = 1, nothing = 2;
        if (IsHandshake(answer))
            return default;
        // [type, headers, invocation, kind of result, result]
        var json = JsonElement.Parse(MessagePackSerializer.ConvertToJson(answer));
        return json[3].GetInt32() switch
        {
            error => throw new BenchException($"A call was refused: {json[4].GetString()}"),
            nothing => default,
            _ => json[4],
        };
    }

    public override MessageKind KindOf(ReadOnlySpan<byte> message) => IsHandshake(message) ? MessageKind.Answer : message[1] switch
    {
        1 => MessageKind.Event,
        3 => MessageKind.Answer,
        7 => MessageKind.Close,
        _ => MessageKind.Other,
    };

    public override bool TryCut(ReadOnlySpan<byte> text, int scanned, bool isFrameEnd, out Range message, out int end)
    {
        (message, end) = (default, 0);
        if (IsHandshake(text))
        {
            var found = text.IndexOf(HandshakeEnd);
            (message, end) = found < 0 ? (default, 0) : (..found, found + 1);
            return found >= 0;
        }

        var length = 0;
        for (var i = 0; i < Math.Min(text.Length, MostLengthBytes); i++)
        {
            length |= (text[i] & 0x7F) << (7 * i);
            if ((text[i] & 0x80) != 0)
                continue;
            end = i + 1 + length;
            message = (i + 1)..end;
            return text.Length >= end;
        }

        return false;
    }

    public override bool TryReadNumber(ReadOnlySpan<byte> value, out long number)
    {
        (var isNumber, number) = value[0] switch
        {
            < 0x80 => (true, value[0]),
            0xCC or 0xD0 => (true, value[1]),
            0xCD or 0xD1 => (true, BinaryPrimitives.ReadUInt16BigEndian(value[1..])),
            0xCE or 0xD2 => (true, BinaryPrimitives.ReadUInt32BigEndian(value[1..])),
            0xCF or 0xD3 => (true, BinaryPrimitives.ReadInt64BigEndian(value[1..])),
            _ => (false, 0L),
        };
        return isNumber;
    }

    public override ReadOnlySpan<byte> ReadText(ReadOnlySpan<byte> value) => value[0] == 0xD9 ? value.Slice(2, value[1]) : value.Slice(1, value[0] & 0x1F);

    // A message whose length has the code of '{' starts with an array's head after it, never with a quote or brace.
    private static bool IsHandshake(ReadOnlySpan<byte> text) => text is [(byte)'{', (byte)'}' or (byte)'"', ..];
}
