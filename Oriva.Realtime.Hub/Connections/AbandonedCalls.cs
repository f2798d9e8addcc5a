using Microsoft.AspNetCore.SignalR;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>A call whose client has gone has nobody to answer to, and has not failed: SignalR would log it as an error.</summary>
internal sealed class AbandonedCalls : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (OperationCanceledException) when (invocationContext.Context.ConnectionAborted.IsCancellationRequested)
        {
            return null;
        }
    }
}
