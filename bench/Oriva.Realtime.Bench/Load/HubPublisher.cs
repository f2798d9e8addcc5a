using System.Net;

namespace Oriva.Realtime.Bench.Load;

/// <summary>Publishes by invoking a hub method, in JSON.</summary>
internal sealed class HubPublisher : IPublishLine
{
    private readonly HubSocket _socket;
    private byte[] _answer = [];

    private HubPublisher(HubSocket socket) => _socket = socket;

    public ReadOnlySpan<byte> Answer => _answer;

    public static async Task<HubPublisher> ConnectAsync(IPEndPoint server, string path, string? token, CancellationToken cancellationToken) =>
        new(await HubSocket.ConnectAsync(server, new Dial(IPAddress.Loopback), path, token, Dialect.Json, new NoInbox(), cancellationToken));

    public async ValueTask<bool> PublishAsync(ReadOnlyMemory<byte> request)
    {
        _answer = await _socket.AskAsync(request);
        return _answer.AsSpan().IndexOf("\"error\":"u8) < 0;
    }

    public void Dispose() => _socket.Close();

    /// <summary>A publisher has not subscribed.</summary>
    private sealed class NoInbox() : Inbox(new Arrivals(), user: 0)
    {
        public override void Receive(ReadOnlySpan<byte> message, long now) => Fail("A publisher was sent something.");
    }
}
