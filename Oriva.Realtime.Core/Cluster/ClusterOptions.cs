namespace Oriva.Realtime.Core.Cluster;

/// <summary>This node among others. Section <c>Cluster</c>, with <c>ConnectionStrings:Redis</c>.</summary>
public sealed class ClusterOptions
{
    public const string Section = "Cluster";

    public const int LeastSecretBytes = 32;

    /// <summary>Unique in the cluster; of letters, digits, <c>-</c> and <c>_</c>. Absent: the machine's name and a few random letters.</summary>
    public string? NodeId { get; set; }

    /// <summary>Where the other nodes reach this one. Absent: the machine's name and the port that it listens on.</summary>
    public string? AdvertisedUrl { get; set; }

    /// <summary>What nodes show each other when one passes a client's request on. The same on all of them.</summary>
    public string? Secret { get; set; }

    /// <summary>How long a node that is told to stop waits for its clients to go elsewhere.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>As StackExchange.Redis reads it; null: this is the only node, or the nodes ask the database.</summary>
    public string? RedisConnectionString { get; set; }

    public static bool IsNodeId(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
