using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>
/// Says of an event that is being appended whether a notification may come of it: a rule of the app is on its type, or some durable subscription of the app
/// has a pattern that matches it. From memory, because every append asks; who is notified is found out later, by the router.
/// </summary>
/// <remarks>A rule or subscription that another node took in the last two seconds may be missed, as if it had been made that much later.</remarks>
internal sealed class NotificationInterest(AppRegistry registry, RealtimeDatabase database)
{
    private readonly Lock _lock = new();
    private FrozenSet<(string App, string Pattern)> _subscribed = FrozenSet<(string App, string Pattern)>.Empty;

    /// <returns>The version of the manifest that was asked; null: nothing comes of it.</returns>
    public long? FindVersion(string app, string type) =>
        !BuiltInTypes.IsReserved(type) && registry.Find(app) is { } found && (found.Manifest.RulesOn(type).Count > 0 || IsSubscribed(app, type)) ? found.Version : null;

    /// <summary>Learns the subscribed types. None is ever taken away, so their number tells whether there are new ones.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await using var context = database.ForService();
        if (await context.SubscribedTypes.CountAsync(cancellationToken) == _subscribed.Count)
            return;
        var types = await context.SubscribedTypes.AsNoTracking().Select(row => new { row.App, row.Type }).ToListAsync(cancellationToken);
        var subscribed = types.Select(type => (type.App, type.Type)).ToFrozenSet();
        lock (_lock)
        {
            // Of two that were read at once, the larger is the later.
            if (subscribed.Count > _subscribed.Count)
                _subscribed = subscribed;
        }
    }

    /// <summary>The patterns that match a type: itself, its prefixes, everything.</summary>
    public static IReadOnlyList<string> PatternsOf(string type)
    {
        var patterns = new List<string> { type, "*" };
        // 'a.*' matches 'a.b' and 'a.b.c'.
        for (var dot = type.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = type.IndexOf('.', dot + 1))
            patterns.Add(type[..dot] + ".*");
        return patterns;
    }

    /// <summary>Whether some durable subscription may match, as far as this node knows.</summary>
    public bool IsSubscribed(string app, string type) => _subscribed.Count > 0 && PatternsOf(type).Any(pattern => _subscribed.Contains((app, pattern)));
}
