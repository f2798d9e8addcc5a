using System.Net;
using System.Net.Sockets;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Tells the internet from the network that this service runs in (IANA's registries of special-purpose addresses).</summary>
internal static class PublicAddress
{
    private static readonly IPNetwork[] s_special4 =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        }.Select(IPNetwork.Parse),
    ];

    private static readonly IPNetwork s_nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork s_6to4 = IPNetwork.Parse("2002::/16");
    private static readonly IPNetwork s_unicast6 = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] s_special6 = [.. new[] { "2001::/23", "2001:db8::/32", "3fff::/20" }.Select(IPNetwork.Parse)];

    /// <remarks>An IPv6 address that stands for an IPv4 one is as public as that.</remarks>
    public static bool Is(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !Array.Exists(s_special4, network => network.Contains(address));
        var bytes = address.GetAddressBytes();
        if (s_nat64.Contains(address))
            return Is(new IPAddress(bytes.AsSpan(12)));
        if (s_6to4.Contains(address))
            return Is(new IPAddress(bytes.AsSpan(2, 4)));
        return s_unicast6.Contains(address) && !Array.Exists(s_special6, network => network.Contains(address));
    }
}
