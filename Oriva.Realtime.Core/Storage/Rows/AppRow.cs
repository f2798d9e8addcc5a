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

/// <summary>A manifest as it stood from some time on, so that it can be said later what its rules were.</summary>
internal sealed class ManifestVersionRow
{
    public required string App { get; init; }

    public required long Version { get; init; }

    public required string Manifest { get; init; }

    public required DateTimeOffset ValidFrom { get; init; }
}
