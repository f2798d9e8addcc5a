using Microsoft.Extensions.Options;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>
/// Whether the node takes another hub connection now. A token bucket that holds one second's worth; who is turned away is told to come back when there will
/// be room, after those who were turned away before, so that they do not all come at once.
/// </summary>
internal sealed class Admission(NodeIdentity self, IOptions<SessionLimits> limits, TimeProvider time)
{
    private const int LongestWaitSeconds = 10;

    private readonly int _perSecond = limits.Value.ConnectsPerSecond;
    private readonly Lock _lock = new();
    private double _free = limits.Value.ConnectsPerSecond;
    // Turned away and expected back. They come back at the rate of the bucket.
    private double _waiting;
    private long _filledAt = time.GetTimestamp();

    /// <returns>Null: it is admitted, and counted.</returns>
    public Fault? Refuse()
    {
        if (self.IsDraining)
            return Fault.Unavailable("This node takes no new connections; another one does.");
        if (_perSecond == 0)
            return null;
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var gained = time.GetElapsedTime(_filledAt, now).TotalSeconds * _perSecond;
            _filledAt = now;
            _free = Math.Min(_perSecond, _free + gained);
            _waiting = Math.Max(0, _waiting - gained);
            if (_free >= 1)
            {
                _free--;
                return null;
            }

            var wait = Math.Min(LongestWaitSeconds, 1 + (int)(_waiting / _perSecond));
            _waiting = Math.Min(_waiting + 1, LongestWaitSeconds * _perSecond);
            return Fault.Unavailable($"At most {_perSecond} new connections a second; come back a little later.") with { RetryAfter = TimeSpan.FromSeconds(wait) };
        }
    }
}
