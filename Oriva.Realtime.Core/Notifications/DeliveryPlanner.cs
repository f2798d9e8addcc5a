using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A notification that has its text, and the channels that it would go to.</summary>
/// <param name="Required">Its user cannot turn it off.</param>
/// <param name="UnlessAckedWithin">Push and e-mail wait that long, and are dropped when any device acknowledges before.</param>
internal sealed record PlannedNotification(NewNotification Notification, IReadOnlyList<string> Channels, bool Required, TimeSpan? UnlessAckedWithin = null);

/// <summary>
/// Decides what becomes of a notification in each channel at first: delivered, queued, held until some time, or suppressed, with the reason. Nothing is left
/// out silently: every channel that was asked for gets its row.
/// </summary>
internal sealed class DeliveryPlanner(RealtimeDatabase database, ChannelRegistry registry)
{
    public const string NotConfigured = "channel_not_configured";
    public const string NoPushSubscription = "no_push_subscription";
    public const string UnlessAcked = "unless_acked";

    /// <summary>Acknowledgements are saved every few seconds: one that came in time is in the store by then.</summary>
    private static readonly TimeSpan s_evidenceDelay = TimeSpan.FromSeconds(5);

    /// <summary>For notifications of one app; asks for their users' settings once.</summary>
    public async Task<IReadOnlyList<NewNotification>> PlanAsync(string app, IReadOnlyCollection<PlannedNotification> planned, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (planned.Count == 0)
            return [];
        var users = planned.Select(plan => plan.Notification.UserId).Distinct(StringComparer.Ordinal).ToList();
        await using var context = database.ForService();
        var preferences = await context.NotificationPreferences.AsNoTracking().Where(row => row.App == app && users.Contains(row.UserId)).ToListAsync(cancellationToken);
        var settings = preferences.ToDictionary(row => row.UserId, NotificationSettings.Of, StringComparer.Ordinal);
        List<PushSubscriptionRow> browsers = registry.Has(ChannelNames.Push) && planned.Any(plan => plan.Channels.Contains(ChannelNames.Push))
            ? await context.PushSubscriptions.AsNoTracking().Where(row => row.App == app && users.Contains(row.UserId)).ToListAsync(cancellationToken)
            : [];
        var browsersOf = browsers.ToLookup(row => row.UserId, StringComparer.Ordinal);
        return [.. planned.Select(plan => plan.Notification with
        {
            Deliveries = [.. plan.Channels.SelectMany(channel => Plan(
                channel, plan, settings.GetValueOrDefault(plan.Notification.UserId, NotificationSettings.None), browsersOf[plan.Notification.UserId], now))],
        })];
    }

    private IEnumerable<NewDelivery> Plan(string channel, PlannedNotification plan, NotificationSettings settings, IEnumerable<PushSubscriptionRow> browsers, DateTimeOffset now)
    {
        if (settings.Objection(plan.Notification.Type, channel, plan.Required) is { } objection)
            return [NewDelivery.Suppressed(channel, objection)];
        switch (channel)
        {
            // In the inbox, stored is delivered. Live, the evidence of sessions tells.
            case ChannelNames.InApp:
                return [new NewDelivery(channel, DeliveryStatus.Delivered)];
            case ChannelNames.Websocket:
                return [new NewDelivery(channel, DeliveryStatus.Pending)];
            case var _ when !registry.Has(channel):
                return [NewDelivery.Suppressed(channel, NotConfigured)];
            case ChannelNames.Push:
                var devices = browsers.Select(browser => Queue(channel, plan, now) with { Target = browser.Id.ToString(), Content = WebPushChannel.ContentOf(browser.Endpoint) }).ToList();
                return devices.Count > 0 ? devices : [NewDelivery.Suppressed(channel, NoPushSubscription)];
            case ChannelNames.Email:
                return [Queue(channel, plan, now) with { Content = plan.Notification.EmailContent }];
            default:
                return [Queue(channel, plan, now)];
        }
    }

    private static NewDelivery Queue(string channel, PlannedNotification plan, DateTimeOffset now) =>
        plan.UnlessAckedWithin is { } hold && channel is ChannelNames.Push or ChannelNames.Email
            ? new NewDelivery(channel, DeliveryStatus.Pending, now + hold + s_evidenceDelay, UnlessAcked) { UnlessAcked = true }
            : new NewDelivery(channel, DeliveryStatus.Pending, now);
}
