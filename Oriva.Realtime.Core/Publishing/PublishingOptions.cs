namespace Oriva.Realtime.Core.Publishing;

/// <summary>What one publish may be. Section <c>Limits</c>.</summary>
public sealed class PublishingOptions
{
    /// <summary>Bytes of an event's data.</summary>
    public int PayloadBytes { get; set; } = 64 * 1024;

    /// <summary>Bytes of an event's metadata, names and values.</summary>
    public int MetadataBytes { get; set; } = 8 * 1024;

    /// <summary>Events in one array.</summary>
    public int BatchEvents { get; set; } = 1_000;

    /// <summary>Bytes of one request.</summary>
    public int BatchBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>Events that one token may publish in a second, with as many in reserve; 0: no limit.</summary>
    public int PublishesPerSecond { get; set; } = 10_000;
}
