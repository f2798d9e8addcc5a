using System.Collections.Frozen;

namespace Oriva.Realtime.Core.Apps;

/// <summary>Event types that every app has without declaring them.</summary>
public static class BuiltInTypes
{
    private static readonly FrozenSet<string> s_all = new[]
    {
        "user.created", "user.updated", "user.profile_changed",
        "session.started", "session.ended", "session.registered",
        "app.installed", "app.uninstalled", "app.updated",
        "notification.created", "notification.read", "notification.updated",
    }.ToFrozenSet(StringComparer.Ordinal);

    public static IReadOnlyCollection<string> All => s_all;

    public static bool Contains(string type) => s_all.Contains(type);

    /// <summary>Types that only the service itself publishes.</summary>
    public static bool IsReserved(string type) => type.StartsWith("notification.", StringComparison.Ordinal) && s_all.Contains(type);
}
