using Microsoft.AspNetCore.SignalR;

namespace Oriva.Realtime.Hub;

/// <summary>SignalR's own, which also hands each connection to the hub, so that its session can write to it without passing by a group.</summary>
internal sealed class ConnectionLifetimeManager(ILogger<DefaultHubLifetimeManager<RealtimeHub>> logger) : DefaultHubLifetimeManager<RealtimeHub>(logger)
{
    public override Task OnConnectedAsync(HubConnectionContext connection)
    {
        connection.Features.Set(connection);
        return base.OnConnectedAsync(connection);
    }
}
