namespace Oriva.Realtime.Core.Storage.Rows;

internal sealed class AppRow
{
    public required string Id { get; init; }

    public required string Name { get; set; }

    /// <summary>The manifest as it was put, JSON.</summary>
    public required string Manifest { get; set; }

    /// <summary>Grows with each change of the manifest; its <c>ETag</c>.</summary>
    public required long Version { get; set; }

    public required DateTimeOffset UpdatedAt { get; set; }
}
