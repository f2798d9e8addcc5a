using Oriva.Realtime.Core.Cluster;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>What negotiation gives out: <c>{nodeId}.{token}</c>. It tells any node whose connection a request is for.</summary>
/// <remarks>Neither part has a dot: node ids are letters, digits, <c>-</c> and <c>_</c>, and SignalR's tokens are base64url.</remarks>
internal static class NodeToken
{
    private const char Separator = '.';

    public static string Of(string node, string token) => $"{node}{Separator}{token}";

    /// <returns>The node and SignalR's own token; null: no node gave this out.</returns>
    public static (string Node, string Token)? Read(string id) =>
        id.IndexOf(Separator, StringComparison.Ordinal) is > 0 and var at && ClusterOptions.IsNodeId(id[..at]) ? (id[..at], id[(at + 1)..]) : null;
}
