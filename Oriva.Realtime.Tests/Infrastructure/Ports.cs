using System.Net;
using System.Net.Sockets;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Ports for servers that are stopped and started again on the same one.</summary>
internal static class Ports
{
    /// <summary>Below the ports that the kernel gives to outgoing connections: while the server is down, a client's could otherwise be sitting on it.</summary>
    public static int FindFree()
    {
        while (true)
        {
            var port = Random.Shared.Next(16_000, 32_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
