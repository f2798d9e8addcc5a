using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <param name="Rule">Null: a subscription that no rule describes.</param>
/// <param name="SeesEvent">The event itself is for this user too. Whom a rule merely tells about it gets the rule's text, and not the event's data.</param>
internal sealed record Recipient(NotificationRule? Rule, string UserId, string? Locale, IReadOnlyList<string> Channels, bool SeesEvent = true);

/// <param name="Next">Where the next page starts; null: there is none.</param>
internal sealed record RecipientPage(IReadOnlyList<Recipient> Recipients, RecipientPosition? Next);

/// <summary>How far the recipients of an event have been gone through: rule by rule in the order of names, in each by user id.</summary>
/// <param name="Rule">Empty: of subscriptions without a rule, which come first.</param>
internal sealed record RecipientPosition(string Rule, string? User);

/// <summary>
/// Finds whom an event concerns, a page at a time: the event's user, the followers, or all members of the app. Membership is asked for with the page, so who
/// has left by then gets nothing.
/// </summary>
internal sealed class RecipientFinder(RealtimeDatabase database, NotificationInterest interest)
{
    public static readonly string[] DefaultChannels = [ChannelNames.InApp, ChannelNames.Websocket];

    /// <summary>Of the users whom events are for, those who are members, with their locales: asked once for many events.</summary>
    public async Task<IReadOnlyDictionary<string, string?>> FindOwnersAsync(App app, IEnumerable<StoredEvent?> events, CancellationToken cancellationToken)
    {
        var ids = events.Select(e => e?.UserId).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        if (ids.Count == 0)
            return new Dictionary<string, string?>();
        await using var context = database.ForService();
        return await context.AppUsers.AsNoTracking().Where(user => user.App == app.Id && user.LeftAt == null && ids.Contains(user.UserId))
            .ToDictionaryAsync(user => user.UserId, user => user.Locale, StringComparer.Ordinal, cancellationToken);
    }

    /// <param name="owners">As <see cref="FindOwnersAsync"/> found them.</param>
    /// <param name="after">Null: from the start.</param>
    /// <param name="room">As many at most.</param>
    public async Task<RecipientPage> FindAsync(
        App app, StoredEvent e, IReadOnlyDictionary<string, string?> owners, RecipientPosition? after, int room, CancellationToken cancellationToken)
    {
        var recipients = new List<Recipient>();
        foreach (var (name, rule) in PassesOf(app, e))
        {
            var order = string.CompareOrdinal(name, after?.Rule ?? "");
            if (order < 0)
                continue;
            var afterUser = order == 0 ? after?.User : null;
            if (recipients.Count == room)
                return new RecipientPage(recipients, new RecipientPosition(name, null));
            var (found, last) = await FindAsync(app, e, rule, owners, afterUser, room - recipients.Count, cancellationToken);
            recipients.AddRange(found);
            if (last is not null)
                return new RecipientPage(recipients, new RecipientPosition(name, last));
        }

        return new RecipientPage(recipients, null);
    }

    /// <summary>Subscriptions get a notification of their own only where no rule speaks to them, or to everybody.</summary>
    private IEnumerable<(string Name, NotificationRule? Rule)> PassesOf(App app, StoredEvent e)
    {
        var rules = app.Manifest.RulesOn(e.Type);
        if (interest.IsSubscribed(app.Id, e.Type) && !rules.Any(rule => rule.AudienceFor(e.UserId) != NotificationRule.ToUser))
            yield return ("", null);
        foreach (var rule in rules)
            yield return (rule.Name, rule);
    }

    /// <returns>With the last user that was looked at, when there may be more.</returns>
    private async Task<(IReadOnlyList<Recipient> Found, string? Last)> FindAsync(
        App app, StoredEvent e, NotificationRule? rule, IReadOnlyDictionary<string, string?> owners, string? afterUser, int room, CancellationToken cancellationToken)
    {
        switch (rule is null ? NotificationRule.ToFollowers : rule.AudienceFor(e.UserId))
        {
            case NotificationRule.ToUser:
                return (e.UserId is not null && afterUser is null && owners.TryGetValue(e.UserId, out var locale) ? [new Recipient(rule, e.UserId, locale, ChannelsOf(rule!))] : [], null);
            case NotificationRule.ToMembers:
                await using (var context = database.ForService())
                    return await FindMembersAsync(context, app, e, rule!, afterUser, room, cancellationToken);
            default:
                if (!interest.IsSubscribed(app.Id, e.Type))
                    return ([], null);
                await using (var context = database.ForService())
                    return await FindFollowersAsync(context, app, e, rule, afterUser, room, cancellationToken);
        }
    }

    private static async Task<(IReadOnlyList<Recipient> Found, string? Last)> FindMembersAsync(
        RealtimeDbContext context, App app, StoredEvent e, NotificationRule rule, string? afterUser, int room, CancellationToken cancellationToken)
    {
        var members = context.AppUsers.AsNoTracking().Where(user => user.App == app.Id && user.LeftAt == null);
        var page = await After(members, afterUser).OrderBy(user => user.UserId).Select(user => new { user.UserId, user.Locale }).Take(room).ToListAsync(cancellationToken);
        var (channels, isOpen) = (ChannelsOf(rule), app.Manifest.IsOpen(e.Topic));
        return (
            [.. page.Select(user => new Recipient(rule, user.UserId, user.Locale, channels, SeesEvent: isOpen && (e.UserId is null || e.UserId == user.UserId)))],
            page.Count == room ? page[^1].UserId : null);
    }

    private static async Task<(IReadOnlyList<Recipient> Found, string? Last)> FindFollowersAsync(
        RealtimeDbContext context, App app, StoredEvent e, NotificationRule? rule, string? afterUser, int room, CancellationToken cancellationToken)
    {
        var patterns = NotificationInterest.PatternsOf(e.Type);
        var members = context.AppUsers.AsNoTracking().Where(user => user.App == app.Id && user.LeftAt == null);
        // An event of one user concerns nobody else, and one of a topic those who follow that topic.
        if (e.UserId is not null)
            members = members.Where(user => user.UserId == e.UserId);
        var subscriptions = context.EventSubscriptions.AsNoTracking().Where(row => row.App == app.Id && row.Topic == e.Topic && patterns.Contains(row.Type));

        // By users, whose subscriptions are taken together; at most as many users as there is room for.
        var users = await After(members, afterUser).Where(user => subscriptions.Any(row => row.UserId == user.UserId))
            .OrderBy(user => user.UserId).Select(user => new { user.UserId, user.Locale }).Take(room).ToListAsync(cancellationToken);
        if (users.Count == 0)
            return ([], null);
        var ids = users.ConvertAll(user => user.UserId);
        var rows = (await subscriptions.Where(row => ids.Contains(row.UserId)).ToListAsync(cancellationToken)).ToLookup(row => row.UserId, StringComparer.Ordinal);

        var topicIsOpen = app.Manifest.IsOpen(e.Topic);
        // Whom the rule about its own events tells already.
        var told = rule is null && app.Manifest.RulesOn(e.Type).Count > 0 ? e.UserId : null;
        var found = new List<Recipient>();
        foreach (var user in users.Where(user => user.UserId != told))
        {
            var matching = rows[user.UserId].Where(row => (topicIsOpen || row.TopicGranted) && FiltersOf(row).TrueForAll(filter => filter.Matches(e.DataElement))).ToList();
            if (matching.Count == 0)
                continue;
            var channels = matching.SelectMany(row => Offered(row.Channels, rule)).Distinct(StringComparer.Ordinal).ToList();
            if (channels.Count > 0)
                found.Add(new Recipient(rule, user.UserId, user.Locale, channels));
        }

        return (found, users.Count == room ? users[^1].UserId : null);
    }

#pragma warning disable CA1309, CA1310 // Compared by the database, in its ordinal collation
    private static IQueryable<AppUserRow> After(IQueryable<AppUserRow> users, string? user) =>
        user is null ? users : users.Where(row => string.Compare(row.UserId, user) > 0);
#pragma warning restore CA1309, CA1310

    internal static IReadOnlyList<string> ChannelsOf(NotificationRule rule) => rule.Channels.Count == 0 ? DefaultChannels : rule.Channels;

    /// <summary>What the follower asked for, of what the rule offers.</summary>
    private static IEnumerable<string> Offered(string[]? wanted, NotificationRule? rule) =>
        rule is null ? wanted ?? DefaultChannels : wanted is null ? ChannelsOf(rule) : wanted.Intersect(ChannelsOf(rule), StringComparer.Ordinal);

    internal static List<DataFilter> FiltersOf(EventSubscriptionRow row) =>
        row.Filters == "[]" ? [] : [.. JsonSerializer.Deserialize<List<FilterRequest>>(row.Filters, WireJson.Options)!.Select(filter => DataFilter.Read(filter, "", new FaultList())!)];
}
