namespace Oriva.Realtime.Core.Sessions;

/// <summary>What one connection, or one user, may hold. Section <c>Limits</c>.</summary>
public sealed class SessionLimits
{
    /// <summary>Apps subscribed to on one connection.</summary>
    public int SubscriptionsPerConnection { get; set; } = 20;

    /// <summary>Hub connections of one user on one node.</summary>
    public int ConnectionsPerUser { get; set; } = 50;

    /// <summary>Hub connections that a node takes in a second; more are asked to come back a little later. 0: as many as come.</summary>
    public int ConnectsPerSecond { get; set; }

    /// <summary>Hub calls of one connection in a second, with twice as many in reserve.</summary>
    public int HubCallsPerSecond { get; set; } = 100;
}
