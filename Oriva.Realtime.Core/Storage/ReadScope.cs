using System.Text.Json;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// What a reader may see, judged beforehand. Both walls are built from it: the named query filters of <see cref="RealtimeDbContext"/> and,
/// in PostgreSQL, the row-level policies, which read it from <c>request.jwt.claims</c>.
/// </summary>
/// <param name="Sub">The reader: events addressed to this user are visible.</param>
/// <param name="Apps">Apps whose streams are visible.</param>
/// <param name="Topics">Patterns <c>app/topic</c> or <c>app/prefix*</c> of the topics that are visible.</param>
/// <param name="Whole">Everything in <paramref name="Apps"/> is visible: a publisher or an admin.</param>
public sealed record ReadScope(string Sub, IReadOnlyList<string> Apps, IReadOnlyList<string> Topics, bool Whole)
{
    private string? _claims;

    /// <summary>The normalised claims, as the policies expect them.</summary>
    public string Claims => _claims ??= JsonSerializer.Serialize(
        new { sub = Sub, apps = Apps, topics = Topics, whole = Whole }, JsonSerializerOptions.Web);
}
