using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>The channels that this service has, and what becomes of a notification in each at first.</summary>
internal sealed class ChannelRegistry(IEnumerable<INotificationChannel> channels)
{
    public const string NotConfigured = "channel_not_configured";

    private readonly Dictionary<string, INotificationChannel> _channels = channels.ToDictionary(channel => channel.Name, StringComparer.Ordinal);

    public IReadOnlyCollection<string> Names => _channels.Keys;

    public INotificationChannel Get(string name) => _channels[name];

    /// <summary>In the inbox, stored is delivered. Live, the evidence of sessions tells. Everything else is a worker's.</summary>
    public NewDelivery ToDelivery(string channel, DateTimeOffset dueAt) => channel switch
    {
        ChannelNames.InApp => new NewDelivery(channel, DeliveryStatus.Delivered),
        ChannelNames.Websocket => new NewDelivery(channel, DeliveryStatus.Pending),
        _ when _channels.ContainsKey(channel) => new NewDelivery(channel, DeliveryStatus.Pending, dueAt),
        _ => NewDelivery.Suppressed(channel, NotConfigured),
    };
}
