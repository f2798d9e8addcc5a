using System.Net;
using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>Tells the other nodes where this one is, unless <c>Cluster:AdvertisedUrl</c> does: where it listens, which is known once it does.</summary>
internal static class AdvertisedAddress
{
    private static readonly string[] s_anyAddress = ["+", "*", "0.0.0.0", "[::]"];

    public static void AdvertiseAddress(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() =>
    {
        app.Services.GetRequiredService<NodeIdentity>().AdvertisedUrl ??= Choose(app.Urls, Dns.GetHostName());
        _ = app.Services.GetRequiredService<NodeRegistry>().BeatNowAsync();
    });

    /// <returns>The first address, with the machine's name in it when the node listens on any; null: it listens on none.</returns>
    internal static string? Choose(IEnumerable<string> urls, string machine)
    {
        var address = urls.Select(BindingAddress.Parse).FirstOrDefault(address => !address.IsUnixPipe && !address.IsNamedPipe);
        if (address is null)
            return null;
        var host = s_anyAddress.Contains(address.Host, StringComparer.Ordinal) ? machine : address.Host;
        return $"{address.Scheme}://{host}:{address.Port}";
    }
}
