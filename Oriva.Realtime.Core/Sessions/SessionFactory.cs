using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>Opens sessions.</summary>
public sealed class SessionFactory
{
    private readonly SubscriptionStarter _starter;
    private readonly EventStore _store;
    private readonly RealtimeMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<Session, byte> _running = new();

    internal SessionFactory(SubscriptionStarter starter, EventStore store, RealtimeMetrics metrics, TimeProvider time, IOptions<SessionLimits> limits, EvidenceLog evidence)
    {
        _starter = starter;
        _store = store;
        _metrics = metrics;
        _time = time;
        Limits = limits.Value;
        Evidence = evidence;
    }

    /// <summary>Sessions that push on their own, for the sweeper.</summary>
    internal IEnumerable<Session> Running => _running.Keys;

    internal SessionLimits Limits { get; }

    internal EvidenceLog Evidence { get; }

    /// <param name="id">Names the session in evidence; made when absent.</param>
    public Session Open(Caller caller, ISessionOutput output, string? id = null) =>
        new(id ?? Guid.CreateVersion7(_time.GetUtcNow()).ToString("N"), caller, output, this, _starter, _store, _metrics, _time);

    internal void Started(Session session) => _running.TryAdd(session, 0);

    internal void Stopped(Session session) => _running.TryRemove(session, out _);
}
