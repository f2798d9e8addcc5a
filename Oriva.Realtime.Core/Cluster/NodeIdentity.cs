using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Oriva.Realtime.Core.Cluster;

/// <summary>Who this node is, from its start to its end.</summary>
public sealed class NodeIdentity(IOptions<ClusterOptions> options, TimeProvider time)
{
    private const int LongestName = 40;

    public string Id { get; } = options.Value.NodeId ?? MakeId();

    /// <summary>Tells this start from an earlier one under the same id.</summary>
    public Guid Instance { get; } = Guid.CreateVersion7(time.GetUtcNow());

    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();

    public string Version { get; } = typeof(NodeIdentity).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Known once the node listens.</summary>
    public string? AdvertisedUrl { get; set; } = options.Value.AdvertisedUrl;

    /// <summary>It takes no new connections, and sends away those that it has.</summary>
    public bool IsDraining { get; set; }

    private static string MakeId()
    {
        var name = string.Concat(Environment.MachineName.Where(c => char.IsAsciiLetterOrDigit(c) || c == '-').Take(LongestName));
        return $"{(name.Length == 0 ? "node" : name)}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";
    }
}
