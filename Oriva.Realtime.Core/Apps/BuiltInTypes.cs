using System.Collections.Frozen;

namespace Oriva.Realtime.Core.Apps;

/// <summary>Event types that every app has without declaring them.</summary>
public static class BuiltInTypes
{
    public const string NotificationCreated = "notification.created";
    public const string NotificationRead = "notification.read";
    public const string NotificationUpdated = "notification.updated";

    private static readonly FrozenSet<string> s_all = new[]
    {
        "user.created", "user.updated", "user.profile_changed",
        "session.started", "session.ended", "session.registered",
        "app.installed", "app.uninstalled", "app.updated",
        NotificationCreated, NotificationRead, NotificationUpdated,
    }.ToFrozenSet(StringComparer.Ordinal);

    public static IReadOnlyCollection<string> All => s_all;

    public static bool Contains(string type) => s_all.Contains(type);

    /// <summary>Types that only the service itself publishes.</summary>
    public static bool IsReserved(string type) => type.StartsWith("notification.", StringComparison.Ordinal) && s_all.Contains(type);
}
