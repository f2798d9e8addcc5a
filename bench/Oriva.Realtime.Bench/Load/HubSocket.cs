using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// A client on a plain socket: WebSocket without negotiation. It costs the machine a fraction of what the official client does, which
/// leaves the rest to the server that is measured.
/// </summary>
internal sealed class HubSocket : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly MessageBuffer _messages;
    private readonly Dialect _dialect;
    private readonly Inbox _inbox;

    // Sends are few (set-up, pings) but may meet.
    private readonly SemaphoreSlim _sending = new(1, 1);
    private TaskCompletionSource<byte[]>? _answer;
    private Task _reading = Task.CompletedTask;
    private volatile bool _stalled;
    private volatile bool _disposed;

    private HubSocket(Dialect dialect, Inbox inbox) => (_dialect, _inbox, _messages) = (dialect, inbox, new MessageBuffer(dialect));

    public static async Task<HubSocket> ConnectAsync(IPEndPoint server, Dial dial, string path, string? token, Dialect dialect, Inbox inbox, CancellationToken cancellationToken)
    {
        var hub = new HubSocket(dialect, inbox);
        try
        {
            if (dial.IsNarrow)
                hub.Narrow();
            hub._socket.Bind(new IPEndPoint(dial.Local, 0));
            await hub._socket.ConnectAsync(server, cancellationToken);
            await hub._socket.SendAsync(WebSocketFrame.EncodeUpgrade(server.ToString(), path, token), cancellationToken);
            await hub.ReadUpgradeAsync(cancellationToken);
            hub._answer = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
            hub._reading = hub.ReadAsync();
            await hub.SendAsync(dialect.Opcode, dialect.Hello);
            await hub.AnswerAsync(cancellationToken);
            return hub;
        }
        catch
        {
            await hub.DisposeAsync();
            throw;
        }
    }

    /// <summary>Calls a hub method and waits for its result. One call at a time.</summary>
    public async Task<JsonElement> InvokeAsync(string method, string arguments, CancellationToken cancellationToken)
    {
        _answer = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync(_dialect.Opcode, _dialect.Invoke(method, arguments));
        return _dialect.ReadResult(await AnswerAsync(cancellationToken));
    }

    /// <summary>Sends an invocation that is encoded already, and waits for its completion. One at a time, and nothing else is sent meanwhile.</summary>
    public async ValueTask<byte[]> AskAsync(ReadOnlyMemory<byte> frame)
    {
        // Continues on the thread that reads: the next may leave at once.
        var answer = new TaskCompletionSource<byte[]>();
        _answer = answer;
        await _socket.SendAsync(frame, SocketFlags.None);
        return await answer.Task;
    }

    /// <summary>Without waiting for the reading to end, which may be what is calling.</summary>
    public void Close()
    {
        _disposed = true;
        _socket.Dispose();
    }

    /// <summary>SignalR closes a connection that has sent nothing for 30 s.</summary>
    public Task KeepAliveAsync() => _dialect.KeepAlive is { } keepAlive ? SendAsync(_dialect.Opcode, keepAlive) : Task.CompletedTask;

    /// <summary>Takes nothing more from the socket, without closing it.</summary>
    public void StopReading() => _stalled = true;

    public void Receive(ReadOnlySpan<byte> message, long now)
    {
        switch (_dialect.KindOf(message))
        {
            case MessageKind.Event:
                _inbox.Receive(message, now);
                break;
            case MessageKind.Answer:
                _answer?.TrySetResult(message.ToArray());
                break;
            case MessageKind.Ping:
                _ = SendAsync(_dialect.Opcode, _dialect.Pong!);
                break;
            case MessageKind.Close:
                _inbox.Fail("The server closed the connection: " + Encoding.UTF8.GetString(message));
                break;
            default:
                break;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Close();
        await _reading;
        _sending.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            while (!_messages.Closed && !_stalled)
            {
                var count = await _socket.ReceiveAsync(_messages.GetFree(), SocketFlags.None);
                if (count == 0)
                    break;
                _messages.Advance(count, this, Clock.Now);
                if (_messages.Pinged is { } payload)
                {
                    _messages.Pinged = null;
                    await SendAsync(WebSocketFrame.Pong, payload);
                }
            }

            if (!_stalled)
                Fail("The server closed the connection.");
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Fail("The connection broke: " + e.Message);
        }
    }

    // A small window, and small segments, because the server's system sizes its own buffer by them (64 KB each on loopback).
    private void Narrow()
    {
        const int tcp = 6, maxSegment = 2;
        _socket.ReceiveBufferSize = 4_096;
        if (OperatingSystem.IsLinux())
            _socket.SetRawSocketOption(tcp, maxSegment, BitConverter.GetBytes(536));
    }

    private void Fail(string reason)
    {
        if (!_disposed)
            _inbox.Fail(reason);
        _answer?.TrySetException(new BenchException(reason));
    }

    private Task<byte[]> AnswerAsync(CancellationToken cancellationToken) => _answer!.Task.WaitAsync(s_patience, cancellationToken);

    private async Task SendAsync(byte opcode, byte[] payload)
    {
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(WebSocketFrame.Encode(opcode, payload));
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReadUpgradeAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        var read = 0;
        while (buffer.AsSpan(0, read).IndexOf("\r\n\r\n"u8) < 0)
        {
            var count = await _socket.ReceiveAsync(buffer.AsMemory(read), cancellationToken);
            if (count == 0)
                throw new BenchException("The server closed the connection during the upgrade.");
            read += count;
        }

        if (!buffer.AsSpan().StartsWith("HTTP/1.1 101 "u8))
            throw new BenchException("The upgrade was refused: " + Encoding.ASCII.GetString(buffer, 0, buffer.AsSpan(0, read).IndexOf((byte)'\r')));
    }
}
