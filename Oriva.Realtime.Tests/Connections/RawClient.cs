using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>A SignalR client on a bare socket. It reads only when told to, and sends whatever it is told to.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    public const byte Separator = 0x1E;

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly byte[] _buffer = new byte[32 * 1024];
    private readonly MemoryStream _unread = new();
    private int _start;
    private int _end;
    private int _invocations;

    private RawClient(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>An open TCP connection, nothing sent.</summary>
    public static async Task<RawClient> OpenAsync(Uri address, int? receiveBuffer = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        // Before connecting: later the window has been announced.
        if (receiveBuffer is { } bytes)
            socket.ReceiveBufferSize = bytes;
        await socket.ConnectAsync(IPAddress.Loopback, address.Port);
        return new RawClient(socket);
    }

    /// <summary>A WebSocket, without SignalR's handshake.</summary>
    public static async Task<RawClient> UpgradeAsync(Uri address, string token, int? receiveBuffer = null, string path = "/hubs/realtime")
    {
        var client = await OpenAsync(address, receiveBuffer);
        await client.SendAsync(Encoding.ASCII.GetBytes(
            $"GET {path}?access_token={token} HTTP/1.1\r\nHost: 127.0.0.1:{address.Port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        var status = await client.ReadLineAsync().Soon("the upgrade is answered");
        status.ShouldStartWith("HTTP/1.1 101");
        while ((await client.ReadLineAsync().Soon("the upgrade is answered")).Length > 0)
        {
        }

        return client;
    }

    /// <summary>Ready to be called on.</summary>
    public static async Task<RawClient> ConnectAsync(Uri address, string token, int? receiveBuffer = null, string path = "/hubs/realtime", string protocol = "json")
    {
        var client = await UpgradeAsync(address, token, receiveBuffer, path);
        await client.SendTextAsync($$"""{"protocol":"{{protocol}}","version":1}""" + (char)Separator);
        (await client.ReadRecordAsync().Soon("the handshake is answered")).ShouldBe("{}");
        return client;
    }

    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => _stream.WriteAsync(bytes);

    /// <summary>Any answer that it gives to a raw request, up to the connection's end.</summary>
    public async Task<string> ReadToEndAsync()
    {
        var text = new StringBuilder();
        while (await FillAsync())
        {
            text.Append(Encoding.Latin1.GetString(_buffer, _start, _end - _start));
            _start = _end;
        }

        return text.ToString();
    }

    public ValueTask SendTextAsync(string text) => SendFrameAsync(1, Encoding.UTF8.GetBytes(text));

    public ValueTask SendJsonAsync(string json) => SendTextAsync(json + (char)Separator);

    /// <param name="declared">The length that the frame's head says, where it lies.</param>
    public ValueTask SendFrameAsync(int opcode, ReadOnlySpan<byte> payload, bool isFinal = true, ulong? declared = null)
    {
        var length = declared ?? (ulong)payload.Length;
        var frame = new byte[14 + payload.Length];
        frame[0] = (byte)(opcode | (isFinal ? 0x80 : 0));
        int at;
        if (length < 126)
        {
            frame[1] = (byte)length;
            at = 2;
        }
        else if (length <= ushort.MaxValue)
        {
            frame[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)length);
            at = 4;
        }
        else
        {
            frame[1] = 127;
            BinaryPrimitives.WriteUInt64BigEndian(frame.AsSpan(2), length);
            at = 10;
        }

        // A mask of zeros leaves the payload as it is.
        frame[1] |= 0x80;
        at += 4;
        payload.CopyTo(frame.AsSpan(at));
        return _stream.WriteAsync(frame.AsMemory(0, at + payload.Length));
    }

    /// <summary>Calls a hub method and reads on until its completion comes; what comes before goes to <paramref name="meanwhile"/>.</summary>
    public async Task<JsonElement> InvokeAsync(string target, object? argument, Action<JsonElement>? meanwhile = null)
    {
        var id = $"i{++_invocations}";
        await SendJsonAsync(JsonSerializer.Serialize(new { type = 1, invocationId = id, target, arguments = new[] { argument } }));
        return await CompletionAsync(id, meanwhile).Soon(target + " is answered");
    }

    /// <summary>The completion's result; a refusal fails the test.</summary>
    public async Task<JsonElement> CallAsync(string target, object? argument, Action<JsonElement>? meanwhile = null)
    {
        var completion = await InvokeAsync(target, argument, meanwhile);
        completion.TryGetProperty("error", out var error).ShouldBeFalse(error.ToString());
        return completion.TryGetProperty("result", out var result) ? result : default;
    }

    public async Task<JsonElement> CompletionAsync(string id, Action<JsonElement>? meanwhile = null)
    {
        while (true)
        {
            var message = await ReadAsync() ?? throw new ShouldAssertException("The connection ended before the call was answered.");
            if (message.Number("type") == 3 && message.Text("invocationId") == id)
                return message;
            meanwhile?.Invoke(message);
        }
    }

    /// <summary>The next call of the server's to this method; null when the connection has ended.</summary>
    public async Task<JsonElement?> NextAsync(string target)
    {
        while (await ReadAsync() is { } message)
        {
            if (message.Number("type") == 1 && message.Text("target") == target)
                return message.At("arguments")[0];
        }

        return null;
    }

    /// <summary>The next message; null when the connection has ended.</summary>
    public async Task<JsonElement?> ReadAsync() => await ReadRecordAsync() is { } record ? JsonElement.Parse(record) : null;

    /// <summary>The next text up to SignalR's separator; null when the connection has ended.</summary>
    public async Task<string?> ReadRecordAsync()
    {
        while (true)
        {
            var bytes = _unread.GetBuffer().AsMemory(0, (int)_unread.Length);
            var at = bytes.Span.IndexOf(Separator);
            if (at >= 0)
            {
                var record = Encoding.UTF8.GetString(bytes.Span[..at]);
                var left = bytes[(at + 1)..].ToArray();
                _unread.SetLength(0);
                _unread.Write(left);
                return record;
            }

            if (await ReadFrameAsync() is not { } payload)
                return null;
            _unread.Write(payload);
        }
    }

    /// <summary>The next data frame's payload; null when the connection has ended.</summary>
    public async Task<byte[]?> ReadFrameAsync()
    {
        while (true)
        {
            if (await ReadExactlyAsync(2) is not { } head)
                return null;
            long length = head[1] & 0x7F;
            if (length == 126)
            {
                if (await ReadExactlyAsync(2) is not { } two)
                    return null;
                length = BinaryPrimitives.ReadUInt16BigEndian(two);
            }
            else if (length == 127)
            {
                if (await ReadExactlyAsync(8) is not { } eight)
                    return null;
                length = BinaryPrimitives.ReadInt64BigEndian(eight);
            }

            if (await ReadExactlyAsync((int)length) is not { } payload || (head[0] & 0x0F) == 8)
                return null;
            if ((head[0] & 0x0F) < 8)
                return payload;
        }
    }

    /// <summary>Takes one byte from the socket and forgets it.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> ReadByteAsync() => await _stream.ReadAsync(new byte[1].AsMemory()) == 1;

    /// <summary>Reads on until the server has closed.</summary>
    public async Task EndAsync()
    {
        while (await ReadFrameAsync() is not null)
        {
        }
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        while (await ReadExactlyAsync(1) is [var next] && next != '\n')
            line.Append((char)next);
        return line.ToString().TrimEnd('\r');
    }

    private async Task<byte[]?> ReadExactlyAsync(int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            if (_start == _end && !await FillAsync())
                return null;
            var taken = Math.Min(count - at, _end - _start);
            _buffer.AsSpan(_start, taken).CopyTo(bytes.AsSpan(at));
            _start += taken;
            at += taken;
        }

        return bytes;
    }

    private async Task<bool> FillAsync()
    {
        try
        {
            _start = 0;
            _end = await _stream.ReadAsync(_buffer);
            return _end > 0;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            _end = 0;
            return false;
        }
    }
}
