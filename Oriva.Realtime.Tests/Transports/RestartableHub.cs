using System.Net;
using System.Net.Sockets;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>A hub that stops and starts again on the same store and port, behind a proxy that cuts connections.</summary>
internal sealed class RestartableHub : IAsyncDisposable
{
    private readonly TestStore _store;
    private readonly int _port;
    private readonly TcpProxy _proxy;
    private HubHost _hub;

    public RestartableHub(TestStore store)
    {
        (_store, _port) = (store, FreePort());
        _hub = Start();
        _proxy = new TcpProxy("127.0.0.1", _port);
        Address = new Uri($"http://127.0.0.1:{_proxy.Port}");
    }

    /// <summary>For the client; the publisher does not go through the proxy.</summary>
    public Uri Address { get; }

    public ApiCaller As(string token) => _hub.As(token);

    public void Cut() => _proxy.Cut();

    public async Task RestartAsync()
    {
        await _hub.DisposeAsync();
        _hub = Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _hub.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>It listens on a port of its own besides, which every host of the tests does.</summary>
    private HubHost Start() =>
        HubHost.StartOnKestrel(_store, new Dictionary<string, string?> { ["Kestrel:Endpoints:Fixed:Url"] = $"http://127.0.0.1:{_port}" });
}
