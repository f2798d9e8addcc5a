using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Oriva.Realtime.Bench.Load;

/// <summary>As much of RFC 6455 as a client needs that sends small texts: the upgrade and masked frames.</summary>
internal static class WebSocketFrame
{
    public const byte Text = 0x1, Binary = 0x2, Close = 0x8, Ping = 0x9, Pong = 0xA;

    private const byte Final = 0x80, Masked = 0x80;
    private const int MediumLength = 126;

    /// <param name="isWritable">Masked with zeros, so that the payload stands in the frame as it is.</param>
    public static byte[] Encode(byte opcode, ReadOnlySpan<byte> payload, bool isWritable = false)
    {
        if (payload.Length > ushort.MaxValue)
            throw new ArgumentException("The bench sends no frame of more than 64 KB.", nameof(payload));
        var extended = payload.Length >= MediumLength ? 2 : 0;
        var frame = new byte[2 + extended + 4 + payload.Length];
        frame[0] = (byte)(Final | opcode);
        frame[1] = (byte)(Masked | (extended == 0 ? payload.Length : MediumLength));
        if (extended > 0)
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
        var mask = frame.AsSpan(2 + extended, 4);
        if (!isWritable)
            RandomNumberGenerator.Fill(mask);
        var masked = frame.AsSpan(2 + extended + 4);
        for (var i = 0; i < payload.Length; i++)
            masked[i] = (byte)(payload[i] ^ mask[i & 3]);
        return frame;
    }

    public static byte[] EncodeUpgrade(string host, string path, string? token) => Encoding.ASCII.GetBytes(
        $"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + $"Sec-WebSocket-Key: {Convert.ToBase64String(RandomNumberGenerator.GetBytes(16))}\r\n"
        + (token is null ? "" : $"Authorization: Bearer {token}\r\n") + "\r\n");

    /// <summary>Reads a frame's head.</summary>
    /// <returns>The bytes of the head; 0 when not all of it has come yet.</returns>
    public static int TryReadHead(ReadOnlySpan<byte> bytes, out byte opcode, out long length)
    {
        (opcode, length) = (0, 0);
        if (bytes.Length < 2)
            return 0;
        opcode = (byte)(bytes[0] & 0xF);
        length = bytes[1] & 0x7F;
        if (length < MediumLength)
            return 2;
        if (length == MediumLength)
        {
            if (bytes.Length < 4)
                return 0;
            length = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
            return 4;
        }

        if (bytes.Length < 10)
            return 0;
        length = BinaryPrimitives.ReadInt64BigEndian(bytes[2..]);
        return 10;
    }
}
