using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>What the server calls on a client. The names are the wire's, which is why they are in lower case.</summary>
public interface IRealtimeClient
{
#pragma warning disable IDE1006 // Names of the protocol
    Task events(EventBatch batch);

    Task signal(SignalMessage signal);

    Task reset(SubscriptionReset reset);

    Task goodbye(Goodbye goodbye);
#pragma warning restore IDE1006
}

/// <summary>The subscription has ended; subscribe anew and fetch your state.</summary>
public sealed record SubscriptionReset(string App, string Reason);

/// <summary>The node takes its leave: reconnect after so long, with your cursor. Each connection is given another time.</summary>
public sealed record Goodbye(string Reason, long RetryAfterMs);
