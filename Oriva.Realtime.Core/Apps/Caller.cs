namespace Oriva.Realtime.Core.Apps;

/// <summary>Who is asking, as the token says: the contract's claims in one shape, whatever their names in the token.</summary>
/// <param name="Sub">User id, or the back end's name.</param>
/// <param name="Apps">Apps that the holder may use.</param>
/// <param name="Topics">The token's <c>app/topic</c> patterns, for topics whose access is <c>claim</c>.</param>
public sealed record Caller(string Sub, IReadOnlyList<string> Apps, IReadOnlyList<string> Roles, IReadOnlyList<string> Topics)
{
    public const string PublisherRole = "publisher";
    public const string AdminRole = "admin";

    /// <summary>The service itself, for publishes from inside the process.</summary>
    public static readonly Caller Service = new("oriva", [], [AdminRole], []);

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The key by which it came, where it was no token.</summary>
    public Guid? ApiKeyId { get; init; }

    public string? Email { get; init; }

    public string? Locale { get; init; }

    public bool IsAdmin => Roles.Contains(AdminRole);

    /// <summary>A back end: publishes to any user or topic of its apps and reads their history. Admins may too.</summary>
    public bool IsPublisher => Roles.Contains(PublisherRole) || IsAdmin;

    public bool Holds(string app) => IsAdmin || Apps.Contains(app);
}
