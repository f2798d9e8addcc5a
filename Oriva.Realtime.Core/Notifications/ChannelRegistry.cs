namespace Oriva.Realtime.Core.Notifications;

/// <summary>The channels that this service has beside the inbox and live delivery.</summary>
internal sealed class ChannelRegistry(IEnumerable<INotificationChannel> channels)
{
    private readonly Dictionary<string, INotificationChannel> _channels = channels.ToDictionary(channel => channel.Name, StringComparer.Ordinal);

    public IReadOnlyCollection<string> Names => _channels.Keys;

    public bool Has(string name) => _channels.ContainsKey(name);

    public INotificationChannel Get(string name) => _channels[name];
}
