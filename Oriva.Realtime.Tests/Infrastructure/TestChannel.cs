using System.Collections.Concurrent;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A channel whose destination is the test.</summary>
internal sealed class TestChannel(string name = ChannelNames.Email) : INotificationChannel
{
    private readonly ConcurrentQueue<DeliveryWork> _sent = new();

    public string Name { get; } = name;

    /// <summary>In the order of sending, with those that failed.</summary>
    public IReadOnlyCollection<DeliveryWork> Attempts => _sent;

    public Func<DeliveryWork, CancellationToken, Task<ChannelResult>> Answer { get; set; } = (_, _) => Task.FromResult(ChannelResult.Sent);

    public Func<DeliveryWork, string> Destination { get; set; } = _ => "test";

    public void Forget() => _sent.Clear();

    public string DestinationOf(DeliveryWork delivery) => Destination(delivery);

    public Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        _sent.Enqueue(delivery);
        return Answer(delivery, cancellationToken);
    }
}
