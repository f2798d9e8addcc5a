using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>Notes that a connection's client has called, and refuses one whose user has been blocked since it connected.</summary>
internal sealed class CallWatch(UserBlocks blocks) : IHubFilter
{
    public ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        var connection = ConnectionSession.Of(invocationContext.Context);
        connection.Registered.Seen();
        return blocks.Refuse(connection.Session.Caller) is { } blocked ? throw new HubException($"{blocked.Code}: {blocked.Message}") : next(invocationContext);
    }
}
