namespace Oriva.Realtime.Core.Storage.Rows;

internal sealed class NodeRow
{
    public required string Id { get; init; }

    /// <summary>Which start of the node: the newest one under an id has it.</summary>
    public required Guid Instance { get; set; }

    public string? AdvertisedUrl { get; set; }

    public required string Version { get; set; }

    public required DateTimeOffset StartedAt { get; set; }

    /// <summary>By the database's clock, as are all leases.</summary>
    public required DateTimeOffset HeartbeatAt { get; set; }

    /// <summary>JSON: load and health, as of the heartbeat.</summary>
    public required string Figures { get; set; }

    public DateTimeOffset? DrainingSince { get; set; }

    /// <summary>It said goodbye.</summary>
    public DateTimeOffset? StoppedAt { get; set; }

    /// <summary>Another node noticed that it no longer beats; cleared when it does again.</summary>
    public DateTimeOffset? LostAt { get; set; }
}

/// <summary>What one node asks of another; kept until done, and then for a while.</summary>
internal sealed class NodeCommandRow
{
    public required Guid Id { get; init; }

    public required string NodeId { get; init; }

    public required string Kind { get; init; }

    public string? Target { get; init; }

    public string? Reason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? DoneAt { get; set; }

    /// <summary>How many connections it concerned.</summary>
    public int? Affected { get; set; }
}

internal sealed class WebsocketConnectionRow
{
    public required string Id { get; init; }

    public required string NodeId { get; init; }

    public required string UserId { get; init; }

    public required string[] Apps { get; set; }

    public required string Transport { get; set; }

    public required string Protocol { get; set; }

    public string? RemoteAddress { get; set; }

    public string? UserAgent { get; set; }

    public required DateTimeOffset ConnectedAt { get; init; }

    public required DateTimeOffset LastSeenAt { get; set; }

    public double? RoundTripMs { get; set; }

    public long Behind { get; set; }

    public long EventsSent { get; set; }

    public long Stalls { get; set; }

    /// <summary>JSON: apps, topics, and the position in each stream.</summary>
    public required string Subscriptions { get; set; }

    /// <summary>What presence asks for: <c>app</c> and <c>app/topic</c> of each subscription.</summary>
    public required string[] Scopes { get; set; }

    public DateTimeOffset? ClosedAt { get; set; }

    public string? CloseReason { get; set; }
}

/// <summary>A user who is kept out for a time.</summary>
internal sealed class UserBlockRow
{
    public required string UserId { get; init; }

    public required DateTimeOffset Until { get; set; }

    public string? Reason { get; set; }

    public required string CreatedBy { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }
}

/// <summary>What an operator did.</summary>
internal sealed class AdminAuditRow
{
    public required Guid Id { get; init; }

    public required DateTimeOffset At { get; init; }

    public required string Actor { get; init; }

    public required string Action { get; init; }

    public string? Target { get; init; }

    /// <summary>JSON.</summary>
    public string? Details { get; init; }
}

/// <summary>Keys that all nodes protect cookies and the like with.</summary>
internal sealed class DataProtectionKeyRow
{
    public required string Name { get; init; }

    public required string Xml { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Evidence for "was it pushed, was it acknowledged?": one interval a connection and stream, not a row an event.</summary>
internal sealed class ConnectionEvidenceRow
{
    public required string ConnectionId { get; init; }

    public required string Stream { get; init; }

    public required string App { get; init; }

    public required string UserId { get; init; }

    public required long FromPosition { get; init; }

    public required long PushedPosition { get; set; }

    public required long AckedPosition { get; set; }

    /// <summary>JSON: which events of the stream the subscription took; null: all.</summary>
    public string? Interests { get; init; }

    public required DateTimeOffset OpenedAt { get; init; }

    public required DateTimeOffset UpdatedAt { get; set; }
}

internal sealed class ApiKeyRow
{
    public required Guid Id { get; init; }

    public required string Name { get; set; }

    /// <summary>SHA-256 of the key; the key itself is shown once and not kept.</summary>
    public required byte[] KeyHash { get; init; }

    public required string[] Apps { get; set; }

    public required string[] Roles { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? LastUsedAt { get; set; }

    public DateTimeOffset? RevokedAt { get; set; }
}
