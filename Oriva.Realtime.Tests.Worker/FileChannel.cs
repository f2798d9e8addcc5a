using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Worker;

/// <summary>A channel whose destination is a file: a line when a send begins, which a killed process has written too.</summary>
internal sealed class FileChannel(string path, TimeSpan pause, TimeProvider time) : INotificationChannel
{
    private readonly Lock _lock = new();
    private readonly StreamWriter _file = new(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };

    public string Name => ChannelNames.Email;

    public string DestinationOf(DeliveryWork delivery) => path;

    public async Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        lock (_lock)
            _file.WriteLine(delivery.Id);
        await Task.Delay(pause, time, cancellationToken);
        return ChannelResult.Sent;
    }
}
