namespace Oriva.Realtime.Core.Storage.Rows;

/// <summary>Never deleted: its head is what keeps positions from being given twice.</summary>
internal sealed class StreamRow
{
    public required string Stream { get; init; }

    public required string App { get; init; }

    /// <summary>The position of the newest event.</summary>
    public required long Head { get; init; }

    /// <summary><c>recorded_at</c> of the newest event; never decreases.</summary>
    public required DateTimeOffset RecordedAt { get; init; }
}

internal sealed class StoreInfoRow
{
    public const int OnlyId = 1;

    public int Id { get; init; } = OnlyId;

    /// <summary>Names this store's history; cursors of another epoch are not honoured.</summary>
    public required string Epoch { get; set; }

    public required DateTimeOffset CreatedAt { get; set; }
}
