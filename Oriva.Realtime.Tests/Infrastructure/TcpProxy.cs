using System.Net;
using System.Net.Sockets;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Stands between a client and a server on 127.0.0.1 and breaks what a network breaks: it holds answers back, cuts connections or one half of them, refuses new ones.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly string _host;
    private readonly int _port;
    private readonly Lock _lock = new();
    private readonly HashSet<Connection> _connections = [];
    private readonly Task _accepting;
    private TaskCompletionSource _answersPass = Passing();
    private bool _refusing;
    private int _accepted;
    private long _bytesToServer;
    private long _bytesToClient;

    public TcpProxy(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections accepted so far, refused ones not counted.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    public int Open
    {
        get
        {
            lock (_lock)
                return _connections.Count;
        }
    }

    public long BytesToServer => Interlocked.Read(ref _bytesToServer);

    public long BytesToClient => Interlocked.Read(ref _bytesToClient);

    /// <summary>What the server answers waits, until <see cref="PassAnswers"/> or <see cref="Cut"/>; requests still reach it.</summary>
    public void HoldAnswers()
    {
        lock (_lock)
        {
            if (_answersPass.Task.IsCompleted)
                _answersPass = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void PassAnswers()
    {
        lock (_lock)
            _answersPass.TrySetResult();
    }

    /// <summary>Resets every connection; what was held is lost. New connections pass.</summary>
    public void Cut()
    {
        List<Connection> cut;
        lock (_lock)
        {
            cut = [.. _connections];
            _connections.Clear();
            var held = _answersPass;
            _answersPass = Passing();
            // After the connections are gone from the set, so that nothing that was held is forwarded.
            cut.ForEach(connection => connection.Reset());
            held.TrySetResult();
        }
    }

    /// <summary>Each client reads the end of its connection, and can still write; what the server sends next breaks it.</summary>
    public void HalfClose()
    {
        lock (_lock)
        {
            foreach (var connection in _connections)
                connection.EndAnswers();
        }
    }

    /// <summary>The server is gone: every connection is reset, and each new one at once.</summary>
    public void Refuse()
    {
        lock (_lock)
            _refusing = true;
        Cut();
    }

    public void Restore()
    {
        lock (_lock)
            _refusing = false;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        Cut();
        await _accepting;
    }

    private static TaskCompletionSource Passing()
    {
        var passing = new TaskCompletionSource();
        passing.SetResult();
        return passing;
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var connection = new Connection(client, server);
        try
        {
            lock (_lock)
            {
                if (_refusing)
                {
                    connection.Reset();
                    return;
                }

                _connections.Add(connection);
                _accepted++;
            }

            client.NoDelay = server.NoDelay = true;
            await server.ConnectAsync(_host, _port);
            var up = PumpAsync(client, server, count => Interlocked.Add(ref _bytesToServer, count), () => Task.CompletedTask);
            var down = PumpAsync(server, client, count => Interlocked.Add(ref _bytesToClient, count), () =>
            {
                lock (_lock)
                    return _answersPass.Task;
            });
            await Task.WhenAny(up, down);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One side went away, and the other is told below.
        }
        finally
        {
            lock (_lock)
                _connections.Remove(connection);
            connection.Reset();
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Action<int> count, Func<Task> pass)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var read)
            {
                await pass();
                for (var sent = 0; sent < read;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
                count(read);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The same.
        }
    }

    private sealed record Connection(Socket Client, Socket Server)
    {
        public void EndAnswers()
        {
            try
            {
                Client.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is over already.
            }
        }

        public void Reset()
        {
            Client.Close(timeout: 0);
            Server.Close(timeout: 0);
        }
    }
}
