namespace Oriva.Realtime.Core.Storage.Rows;

internal sealed class AppUserRow
{
    public required string App { get; init; }

    public required string UserId { get; init; }

    public string? Email { get; set; }

    public string? Locale { get; set; }

    public string? TimeZone { get; set; }

    public required DateTimeOffset JoinedAt { get; set; }

    /// <summary>Set: no member, whatever a token says.</summary>
    public DateTimeOffset? LeftAt { get; set; }
}
