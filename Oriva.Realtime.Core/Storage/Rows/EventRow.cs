namespace Oriva.Realtime.Core.Storage.Rows;

/// <summary>Immutable: inserted by the writer, dropped by retention, never updated.</summary>
internal sealed class EventRow
{
    public required string Stream { get; init; }

    public required long Position { get; init; }

    public required string Id { get; init; }

    public required string Source { get; init; }

    /// <summary>Whose stream it stands in; differs from <see cref="Source"/> for a shared event.</summary>
    public required string App { get; init; }

    public required string Type { get; init; }

    public string? UserId { get; init; }

    public string? Topic { get; init; }

    public required string Actor { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }

    /// <summary>JSON on one line, otherwise byte for byte as published, so that replay and live delivery are the same.</summary>
    public required string Data { get; init; }

    public string? Metadata { get; init; }
}

/// <summary>Idempotency: which event a source's event id became. Kept as long as the events.</summary>
internal sealed class PublishReceiptRow
{
    public required string App { get; init; }

    public required string EventId { get; init; }

    public required string Stream { get; init; }

    public required long Position { get; init; }

    /// <summary>SHA-256 of the canonical type, audience and data.</summary>
    public required byte[] ContentHash { get; init; }

    /// <summary>Length of the causation chain that led here.</summary>
    public required int Hops { get; init; }

    public required DateTimeOffset RecordedAt { get; init; }
}

/// <summary>An append that another transaction wants: inserted in that transaction, appended and deleted by a writer.</summary>
internal sealed class OutboxRow
{
    public required Guid Id { get; init; }

    public required string App { get; init; }

    public required string EventId { get; init; }

    /// <summary>The validated event, JSON.</summary>
    public required string Event { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Claimed until then by a writer; past or null: free. By the database's clock.</summary>
    public DateTimeOffset? LeasedUntil { get; init; }

    /// <summary>Why it can never be appended; such a row stays for the operator.</summary>
    public string? Refusal { get; init; }
}
