using System.Text.Json;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Connections;

/// <summary>How a connection came about.</summary>
/// <param name="Transport">One of the names below.</param>
/// <param name="Protocol"><c>json</c> or <c>messagepack</c>.</param>
/// <param name="RemoteAddress">As this node sees it: a proxy's, where there is one.</param>
public sealed record ConnectionOrigin(string Transport, string Protocol, string? RemoteAddress, string? UserAgent)
{
    public const string WebSockets = "webSockets";
    public const string ServerSentEvents = "serverSentEvents";
    public const string LongPolling = "longPolling";
}

/// <summary>A hub connection that is open on this node, as the registry keeps it.</summary>
public sealed class LiveConnection
{
    private const int LongestUserAgent = 256;

    private readonly DateTimeOffset _connectedAt;
    private readonly Func<string, Task> _close;
    private readonly TimeProvider _time;
    private long _lastSeen;
    private double _roundTripMs = double.NaN;
    private ConnectionState? _closed;

    internal LiveConnection(Session session, ConnectionOrigin origin, Func<string, Task> close, TimeProvider time)
    {
        Session = session;
        Origin = origin with { UserAgent = origin.UserAgent is { Length: > LongestUserAgent } longer ? longer[..LongestUserAgent] : origin.UserAgent };
        _close = close;
        _time = time;
        _connectedAt = time.GetUtcNow();
        _lastSeen = _connectedAt.UtcTicks;
    }

    public string Id => Session.Id;

    public string UserId => Session.Caller.Sub;

    public ConnectionOrigin Origin { get; }

    internal Session Session { get; }

    internal bool IsClosed => Volatile.Read(ref _closed) is not null;

    /// <summary>The client has called.</summary>
    public void Seen() => Volatile.Write(ref _lastSeen, _time.GetUtcNow().UtcTicks);

    /// <summary>What the client has measured.</summary>
    public void Measured(double roundTripMs) => Volatile.Write(ref _roundTripMs, roundTripMs);

    internal Task CloseAsync(string reason) => _close(reason);

    /// <summary>Keeps what is to be said of it now, because its session is gone soon.</summary>
    internal void Close(string reason) => Volatile.Write(ref _closed, Describe() with { ClosedAt = _time.GetUtcNow(), CloseReason = reason });

    internal ConnectionState Describe()
    {
        if (Volatile.Read(ref _closed) is { } closed)
            return closed;
        var session = Session.Describe();
        var roundTrip = Volatile.Read(ref _roundTripMs);
        return new ConnectionState(
            Id, UserId, Session.Caller.Apps, Origin.Transport, Origin.Protocol, Origin.RemoteAddress, Origin.UserAgent, _connectedAt,
            new DateTimeOffset(Volatile.Read(ref _lastSeen), TimeSpan.Zero), double.IsNaN(roundTrip) ? null : roundTrip, session.Behind, session.EventsSent, session.Stalls,
            JsonSerializer.SerializeToElement(session.Subscriptions, WireJson.Options),
            [.. session.Subscriptions.SelectMany(subscription => subscription.Topics.Select(topic => Scope(subscription.App, topic)).Prepend(subscription.App))],
            ClosedAt: null, CloseReason: null);
    }

    internal int Fingerprint() => HashCode.Combine(Session.Fingerprint(), Volatile.Read(ref _lastSeen), Volatile.Read(ref _roundTripMs));

    /// <summary>As presence asks for it, and as the claims of a reader have it.</summary>
    internal static string Scope(string app, string? topic) => topic is null ? app : $"{app}/{topic}";

    // Of the registry's writer.

    private int _queued;

    internal int WrittenFingerprint { get; set; }

    internal long LookedAt { get; set; }

    /// <returns>False: it waits to be written already.</returns>
    internal bool MarkQueued() => Interlocked.Exchange(ref _queued, 1) == 0;

    internal void UnmarkQueued() => Volatile.Write(ref _queued, 0);
}
