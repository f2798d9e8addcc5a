using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>Bounds what one connection may ask of the hub: a token bucket that holds two seconds' worth of calls.</summary>
internal sealed class CallLimiter(IOptions<SessionLimits> limits, TimeProvider time) : IHubFilter
{
    private static readonly object s_key = new();

    public ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        var items = invocationContext.Context.Items;
        Bucket bucket;
        lock (items)
        {
            if (items.TryGetValue(s_key, out var known))
                bucket = (Bucket)known!;
            else
                items[s_key] = bucket = new Bucket(limits.Value.HubCallsPerSecond, time.GetTimestamp());
        }

        return bucket.TryTake(limits.Value.HubCallsPerSecond, time)
            ? next(invocationContext)
            : throw new HubException($"{FaultCodes.RateLimited}: At most {limits.Value.HubCallsPerSecond} calls a second on one connection.");
    }

    /// <summary>Filled by whoever asks, so that an idle connection has no timer.</summary>
    private sealed class Bucket(int callsPerSecond, long madeAt)
    {
        private double _calls = 2 * callsPerSecond;
        private long _filledAt = madeAt;

        public bool TryTake(int perSecond, TimeProvider time)
        {
            lock (this)
            {
                var now = time.GetTimestamp();
                _calls = Math.Min(2 * perSecond, _calls + (time.GetElapsedTime(_filledAt, now).TotalSeconds * perSecond));
                _filledAt = now;
                if (_calls < 1)
                    return false;
                _calls--;
                return true;
            }
        }
    }
}
