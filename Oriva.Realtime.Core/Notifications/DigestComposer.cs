using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>One notification of the events that a digest has collected, by the rule as it is now.</summary>
internal sealed class DigestComposer(
    RealtimeDatabase database, AppRegistry registry, NotificationComposer composer, DeliveryPlanner planner, IOptions<PublishingOptions> limits, TimeProvider time)
{
    /// <summary>The newest, which templates and data see; more are counted.</summary>
    private const int MostEvents = 100;

    /// <summary>The rule is not in the manifest any more.</summary>
    public const string RuleRemoved = "rule_removed";

    public async Task<NewNotification> ComposeAsync(DigestWork work, CancellationToken cancellationToken)
    {
        // The rule may be newer than what this node knows.
        if (registry.Find(work.App)?.Manifest.Notifications.Any(candidate => candidate.Name == work.Rule) != true)
            await registry.RefreshAsync(cancellationToken);
        // Another node may know how to read what this one does not.
        var app = registry.Find(work.App) ?? throw new InvalidOperationException($"This node knows no manifest of the app '{work.App}'.");
        await using var context = database.ForService();
        var collected = context.DigestItems.AsNoTracking().Where(item => item.DigestId == work.Id);
        var count = await collected.CountAsync(cancellationToken);
        var items = WithinLimit(await collected.OrderByDescending(item => item.At).ThenByDescending(item => item.Position).Take(MostEvents).ToListAsync(cancellationToken));
        var user = await context.AppUsers.AsNoTracking().FirstOrDefaultAsync(row => row.App == work.App && row.UserId == work.UserId, cancellationToken);
        var rule = app.Manifest.Notifications.FirstOrDefault(candidate => candidate.Name == work.Rule);
        var last = ToEvent(work, rule, items);
        var text = await composer.ComposeAsync(app, last, rule, rule?.TextFor(user?.Locale), new DigestedEvents([.. items.Select(item => item.Data)], count));
        var now = StoreTime.Truncate(time.GetUtcNow());
        var notification = new NewNotification
        {
            Id = Guid.CreateVersion7(now),
            App = work.App,
            UserId = work.UserId,
            Type = rule?.On,
            Rule = work.Rule,
            Source = "",
            EventId = work.Id.ToString(),
            Title = text.Title,
            Body = text.Body,
            Link = text.Link,
            Image = text.Image,
            Actions = text.Actions,
            Data = JsonSerializer.Serialize(new { count, events = items.Select(item => JsonElement.Parse(item.SeesEvent ? item.Data : "{}")) }, WireJson.Options),
            TemplateError = text.TemplateError,
            EmailContent = text.EmailContent,
            ManifestVersion = rule is null ? null : app.Version,
            Throttle = rule is null ? null : await composer.ThrottleOfAsync(app, last, rule),
            Deliveries = [],
        };
        IReadOnlyList<string> channels = rule is null ? RecipientFinder.DefaultChannels : RecipientFinder.ChannelsOf(rule);
        var planned = (await planner.PlanAsync(
            work.App, [new PlannedNotification(notification, channels, rule is not null && app.Manifest.IsRequired(rule.On), rule?.UnlessAckedWithin)], now, cancellationToken))[0];
        return rule is null ? planned.Suppressed(RuleRemoved) : user is null or { LeftAt: not null } ? planned.Suppressed(DeliveryWorker.LeftApp) : planned;
    }

    /// <summary>A notification is no larger than an event may be, give or take one: the oldest are left out.</summary>
    /// <returns>Oldest first.</returns>
    private List<DigestItemRow> WithinLimit(List<DigestItemRow> newestFirst)
    {
        var characters = 0;
        return [.. newestFirst.TakeWhile((item, i) => (characters += item.Data.Length) <= limits.Value.PayloadBytes || i == 0).Reverse()];
    }

    /// <summary>Templates see the newest event's data where they would see the only one's.</summary>
    private static StoredEvent ToEvent(DigestWork work, NotificationRule? rule, List<DigestItemRow> items) => new()
    {
        Id = items.Count == 0 ? work.Id.ToString() : items[^1].EventId,
        Source = items.Count == 0 ? work.App : items[^1].Source,
        App = work.App,
        Type = rule?.On ?? work.Rule,
        UserId = work.UserId,
        Data = items.Count == 0 ? "{}" : items[^1].Data,
        Actor = "",
        Time = items.Count == 0 ? work.OpenedAt : items[^1].At,
        RecordedAt = work.OpenedAt,
        Stream = "",
        Position = 0,
    };
}
