namespace Oriva.Realtime.Core.EventLog;

/// <summary>How the node's writer groups and bounds its work. Section <c>EventLog</c>.</summary>
public sealed class EventLogOptions
{
    /// <summary>Events that one app may have waiting for this node's writer; more are refused with 503, so that they delay only that app.</summary>
    public int QueuedEventsPerApp { get; set; } = 8_192;

    /// <summary>Events in one commit. A publish of an array is never split.</summary>
    public int MaxGroupEvents { get; set; } = 500;

    /// <summary>Bytes of events in one commit.</summary>
    public int MaxGroupBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>How long a publish whose outcome is unknown is looked up before it is answered 503.</summary>
    public TimeSpan ResolveTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often the outbox is looked at when nothing has announced an entry.</summary>
    public TimeSpan OutboxPoll { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>After which another node takes over what a dead one claimed from the outbox.</summary>
    public TimeSpan OutboxLease { get; set; } = TimeSpan.FromSeconds(30);
}
