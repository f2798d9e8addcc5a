namespace Oriva.Realtime.Core.Storage.Rows;

internal sealed class NodeRow
{
    public required string Id { get; init; }

    public string? AdvertisedUrl { get; set; }

    public required string Version { get; set; }

    public required DateTimeOffset StartedAt { get; set; }

    /// <summary>By the database's clock, as are all leases.</summary>
    public required DateTimeOffset HeartbeatAt { get; set; }
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

    public int Subscriptions { get; set; }

    public DateTimeOffset? ClosedAt { get; set; }

    public string? CloseReason { get; set; }
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
