using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// One keep-alive HTTP/1.1 connection with at most one request outstanding. On a plain socket, because publishers share the machine with the server and
/// what they cost brings every ratio nearer to 1: measured 8 µs of CPU a request, where <see cref="System.Net.Http.SocketsHttpHandler"/> took 12 and the
/// bare server 14.
/// </summary>
internal sealed class HttpPublisher : IPublishLine
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private byte[] _buffer = new byte[8 * 1024];
    private int _read;
    private (int Start, int Length) _body;

    public ReadOnlySpan<byte> Answer => _buffer.AsSpan(_body.Start, _body.Length);

    public async Task ConnectAsync(IPEndPoint server, CancellationToken cancellationToken) => await _socket.ConnectAsync(server, cancellationToken);

    public async ValueTask<bool> PublishAsync(ReadOnlyMemory<byte> request)
    {
        // Completes at once as long as the request fits into the socket's buffer, which these do.
        await _socket.SendAsync(request, SocketFlags.None);
        _read = 0;
        while (true)
        {
            if (_read == _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length * 2);
            var count = await _socket.ReceiveAsync(_buffer.AsMemory(_read), SocketFlags.None);
            if (count == 0)
                throw new BenchException("The server closed a publisher's connection.");
            _read += count;
            if (TryParse(out var status))
                return status is >= 200 and <= 299;
        }
    }

    public void Dispose() => _socket.Dispose();

    private bool TryParse(out int status)
    {
        status = 0;
        var answer = _buffer.AsSpan(0, _read);
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return false;
        var head = answer[..(end + 2)];
        if (!head.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(head[9..], out status, out _))
            throw new BenchException("An answer is not HTTP/1.1.");

        var body = answer[(end + 4)..];
        var lengthAt = head.IndexOf("\r\nContent-Length: "u8);
        if (lengthAt >= 0)
        {
            _body = (end + 4, Utf8Parser.TryParse(head[(lengthAt + 18)..], out int length, out _) ? length : 0);
            return body.Length >= _body.Length;
        }

        if (head.IndexOf("\r\nTransfer-Encoding: chunked"u8) < 0)
            throw new BenchException("An answer has neither a length nor chunks.");
        _body = (end + 4, 0);
        // Only when the last chunk is there are the others moved together, in place.
        return body.EndsWith("0\r\n\r\n"u8) && TryJoinChunks(body, out _body.Length);
    }

    private static bool TryJoinChunks(Span<byte> body, out int joined)
    {
        joined = 0;
        var rest = body;
        while (Utf8Parser.TryParse(rest, out int size, out var digits, 'x') && rest.Length >= digits + 2 + size + 2)
        {
            if (size == 0)
                return true;
            rest.Slice(digits + 2, size).CopyTo(body[joined..]);
            joined += size;
            rest = rest[(digits + 2 + size + 2)..];
        }

        return false;
    }
}
