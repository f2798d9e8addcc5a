using System.ComponentModel;
using System.Net;
using System.Net.Sockets;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>A Redis for one scene, which keeps nothing.</summary>
internal static class RedisServer
{
    public static async Task<ServerProcess> StartAsync(string folder, CancellationToken cancellationToken)
    {
        try
        {
            string[] arguments = ["--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
            return await ServerProcess.StartAsync("redis", "redis-server", arguments, new Dictionary<string, string>(), folder, cancellationToken, AnswersAsync);
        }
        catch (Win32Exception e)
        {
            throw new BenchException("redis-server cannot be started. Give another Redis with --redis.", e);
        }
    }

    private static async Task<bool> AnswersAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(address, cancellationToken);
            await socket.SendAsync("PING\r\n"u8.ToArray(), cancellationToken);
            var answer = new byte[16];
            return answer.AsSpan(0, await socket.ReceiveAsync(answer, cancellationToken)).StartsWith("+PONG"u8);
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
