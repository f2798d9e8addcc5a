using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>
/// A connection as a cursor: for each subscribed stream it reads what follows its position, filters, pushes, and moves the position. Replay and live
/// delivery are this one loop; a wake-up only tells it that there may be something to read.
/// </summary>
/// <remarks>
/// Nothing is queued here. What is not pushed yet stays in the log, so a reader that is slow, or stuck, costs its own delay and no memory.
/// <para>
/// A session is driven in one of two ways: <see cref="RunAsync"/> lets it push by itself whenever it is woken; a poll calls <see cref="StepAsync(CancellationToken)"/> and
/// <see cref="WaitAsync"/>. Either way one step is under way at a time. Subscribing may happen meanwhile.
/// </para>
/// </remarks>
public sealed class Session : IDisposable
{
    /// <summary>An empty batch at the current position: a lost tail shows, and the cursor of a filtered subscription advances.</summary>
    private static readonly TimeSpan s_beaconInterval = TimeSpan.FromSeconds(15);

    /// <summary>A push that its connection takes longer than this to take is counted as a stall.</summary>
    private static readonly TimeSpan s_stall = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_outagePause = TimeSpan.FromSeconds(1);

    /// <summary>Events that match nothing before the client's position is moved on anyway.</summary>
    private const int SilentEvents = 1_000;

    /// <summary>A batch at most, and so what a reader that is stuck keeps in memory.</summary>
    private static readonly ReadLimit s_batch = new(Events: 200, Bytes: 256 * 1024);

    private Caller _caller;
    private readonly ISessionOutput _output;
    private readonly SessionFactory _sessions;
    private readonly SubscriptionStarter _starter;
    private readonly EventStore _store;
    private readonly RealtimeMetrics _metrics;
    private readonly TimeProvider _time;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private Subscription[] _subscriptions = [];
    private bool _disposed;

    private readonly SessionPump _pump;
    private readonly SignalQueue _signals = new();
    private readonly CancellationTokenSource _expiring = new();

    internal Session(
        string id, Caller caller, ISessionOutput output, SessionFactory sessions, SubscriptionStarter starter, EventStore store, RealtimeMetrics metrics, TimeProvider time)
    {
        Id = id;
        _caller = caller;
        _output = output;
        _sessions = sessions;
        _starter = starter;
        _store = store;
        _metrics = metrics;
        _time = time;
        _pump = new SessionPump(StepOrBeaconAsync);
        _metrics.SessionsChanged(1, output.Kind);
    }

    // Written by the step under way, read by the sweeper.
    private long _nextBeacon = long.MaxValue;
    private long _pausedUntil;

    // Written by the step under way, read by who describes the session.
    private long _eventsSent;
    private long _stalls;

    // Set by the sweeper, cleared by the step that does it.
    private int _judgeAgain;

    /// <summary>As of which access the subscriptions were judged.</summary>
    private long _judged;

    /// <summary>Names the session in evidence; a connection's id where it has one.</summary>
    public string Id { get; }

    public Caller Caller => _caller;

    /// <summary>Why the session ended by itself, one of <see cref="CloseReasons"/>; null: it did not.</summary>
    public string? EndReason { get; private set; }

    /// <summary>Called when a subscription begins or ends, on any thread: it must not block.</summary>
    internal Action? SubscriptionsChanged { get; set; }

    /// <summary>Subscribes to an app's streams, in place of an earlier subscription to the same app.</summary>
    public async Task<Outcome<SubscribeAnswer>> SubscribeAsync(SubscribeRequest request, CancellationToken cancellationToken)
    {
        int number;
        lock (_lock)
        {
            var app = request.App ?? "";
            if (Find(app) is null && _subscriptions.Length >= _sessions.Limits.SubscriptionsPerConnection)
                return new Fault(FaultCodes.LimitExceeded, $"At most {_sessions.Limits.SubscriptionsPerConnection} subscriptions on one connection.");
            // Names that are refused below are not kept: there is no end to them.
            number = Names.IsApp(app) && _caller.Holds(app) ? _numbers[app] = _numbers.GetValueOrDefault(app) + 1 : 0;
        }

        var judged = _starter.AccessRevision;
        Outcome<(Subscription Subscription, SubscribeAnswer Answer)> started;
        try
        {
            started = await _starter.StartAsync(Id, _caller, request, number, _pump.Wake, cancellationToken);
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            return Fault.Unavailable("The log cannot be read at the moment.");
        }

        if (started.Fault is { } fault)
            return fault;
        var (subscription, answer) = started.Value;
        lock (_lock)
        {
            var current = Find(subscription.App);
            if (_disposed || current?.Number > number)
            {
                // The connection is gone, or a later Subscribe for the same app was faster.
                subscription.Dispose();
                return answer;
            }

            Replace(current, subscription);
        }

        // The cursor says what the client has handled, whichever session pushed it.
        foreach (var stream in subscription.Streams.Where(stream => stream.IsResumed && stream.Stream.Name.UserId is not null))
            _sessions.Evidence.Moved(subscription, stream);
        if (answer.Reset)
            _metrics.Reset("cursor");
        // Access may have changed after it was judged and before the session had the subscription.
        Volatile.Write(ref _judged, judged);
        if (judged != _starter.AccessRevision)
            JudgeAgain();
        _pump.Wake();
        return answer;
    }

    /// <returns>False: there was no subscription to the app.</returns>
    public bool Unsubscribe(string app)
    {
        lock (_lock)
        {
            if (Find(app) is not { } subscription)
                return false;
            Replace(subscription, null);
            return true;
        }
    }

    /// <summary>The client has handled what it was sent up to these positions. Streams that the subscription does not have are ignored.</summary>
    public Fault? Ack(string app, IReadOnlyDictionary<string, long> streams)
    {
        if (Find(app) is not { } subscription)
            return Fault.Invalid("/app", "There is no subscription to this app on this connection.");
        foreach (var stream in subscription.Streams)
        {
            if (streams.TryGetValue(stream.Stream.Name.Text, out var position))
            {
                stream.Ack(position);
                _sessions.Evidence.Moved(subscription, stream);
            }
        }

        return null;
    }

    /// <summary>Takes a fresh token of the same user. What it no longer gives access to ends with a reset.</summary>
    public Fault? Renew(Caller caller)
    {
        if (caller.Sub != _caller.Sub)
            return new Fault(FaultCodes.UserForbidden, "The new token is another user's; open a connection for that.");
        _caller = caller;
        JudgeAgain();
        return null;
    }

    /// <summary>Queues something to be sent that need not be kept. Never waits; a reader that does not keep up loses the oldest.</summary>
    public void Signal(object frame)
    {
        if (!_signals.Add(frame))
            _metrics.SignalDropped();
        _pump.Wake();
    }

    /// <summary>Has access judged again before the next push: the manifest, the directory or the token has changed.</summary>
    internal void JudgeAgain()
    {
        Volatile.Write(ref _judgeAgain, 1);
        _pump.Wake();
    }

    public bool IsSubscribedTo(string app) => Find(app) is not null;

    /// <summary>What the session follows, and how far it has come.</summary>
    internal SessionState Describe()
    {
        var subscriptions = Array.ConvertAll(_subscriptions, subscription => new SubscriptionState(
            subscription.App, [.. subscription.Topics],
            subscription.Streams.ToDictionary(
                stream => stream.Stream.Name.Text,
                stream => new StreamState(stream.Stream.Head, stream.Position, stream.PushedThrough, stream.Acked), StringComparer.Ordinal)));
        return new SessionState(subscriptions, Behind, Volatile.Read(ref _eventsSent), Volatile.Read(ref _stalls));
    }

    /// <summary>Events that the connection has not been pushed yet, or not been found to match.</summary>
    internal long Behind => _subscriptions.Sum(subscription => subscription.Streams.Sum(stream => stream.Position < 0 ? 0 : Math.Max(0, stream.Stream.Head - stream.Position)));

    /// <summary>Another number when what <see cref="Describe"/> says has changed, with all likelihood.</summary>
    internal int Fingerprint()
    {
        var hash = new HashCode();
        hash.Add(Volatile.Read(ref _eventsSent));
        hash.Add(Volatile.Read(ref _stalls));
        foreach (var subscription in _subscriptions)
        {
            hash.Add(subscription.Number);
            foreach (var stream in subscription.Streams)
            {
                hash.Add(stream.Stream.Head);
                hash.Add(stream.Position);
                hash.Add(stream.PushedThrough);
                hash.Add(stream.Acked);
            }
        }

        return hash.ToHashCode();
    }

    /// <summary>Where the session stands in an app's streams.</summary>
    public IReadOnlyDictionary<string, long> PositionsIn(string app) => Find(app) is { } subscription
        ? subscription.Streams.ToDictionary(stream => stream.Stream.Name.Text, stream => stream.Position, StringComparer.Ordinal)
        : [];

    public IReadOnlyList<string> TopicsOf(string app) => Find(app) is { } subscription ? [.. subscription.Topics] : [];

    /// <summary>Pushes until cancelled, or until the caller's token expires. An outage of the store pauses it and loses nothing; an output that throws ends it with that exception.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _nextBeacon = After(s_beaconInterval);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _expiring.Token);
        _sessions.Started(this);
        try
        {
            await _pump.RunAsync(ending.Token);
        }
        finally
        {
            _sessions.Stopped(this);
        }
    }

    /// <summary>One batch of every stream that is behind.</summary>
    /// <returns>Whether one is still behind.</returns>
    public async ValueTask<bool> StepAsync(CancellationToken cancellationToken)
    {
        var behind = false;
        foreach (var subscription in _subscriptions)
        {
            foreach (var stream in subscription.Streams)
            {
                if (!stream.IsBehind || subscription.Ended)
                    continue;
                if (Math.Min(s_batch.Events, _output.Room) is > 0 and var room)
                    await StepAsync(subscription, stream, s_batch with { Events = room }, cancellationToken);
                behind |= stream.IsBehind && !subscription.Ended;
            }
        }

        return behind;
    }

    /// <summary>Waits for a wake-up, at most so long. Access that is lost meanwhile ends with a reset.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        if (atMost <= TimeSpan.Zero)
            return;
        using var timeout = new CancellationTokenSource(atMost, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        _sessions.Started(this);
        // Between two waits the sweeper does not see the session.
        if (Volatile.Read(ref _judged) != _starter.AccessRevision)
            JudgeAgain();
        await _pump.WaitAsync(either.Token);
        _sessions.Stopped(this);
        cancellationToken.ThrowIfCancellationRequested();
        if (Interlocked.Exchange(ref _judgeAgain, 0) == 1)
            await EndForbiddenAsync(cancellationToken);
    }

    /// <summary>Wakes the session when its beacon is due or a pause is over, and ends it when its token has expired.</summary>
    internal void Sweep(long now)
    {
        if (_caller.ExpiresAt is { } expiry && expiry <= _time.GetUtcNow())
        {
            EndReason ??= CloseReasons.TokenExpired;
            _expiring.Cancel();
            return;
        }

        if (now >= Volatile.Read(ref _nextBeacon) || (Volatile.Read(ref _pausedUntil) is > 0 and var until && now >= until))
            _pump.Wake();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (var subscription in _subscriptions)
                Replace(subscription, null);
        }

        _metrics.SessionsChanged(-1, _output.Kind);
    }

    /// <summary>What a wake-up does.</summary>
    private async ValueTask<bool> StepOrBeaconAsync(CancellationToken cancellationToken)
    {
        if (_pausedUntil > 0)
        {
            if (_time.GetTimestamp() < _pausedUntil)
                return false;
            Volatile.Write(ref _pausedUntil, 0);
        }

        while (_signals.TryTake(out var frame))
            await _output.SignalAsync(frame, cancellationToken);

        try
        {
            if (Interlocked.Exchange(ref _judgeAgain, 0) == 1)
                await EndForbiddenAsync(cancellationToken);
            if (_time.GetTimestamp() >= _nextBeacon)
            {
                Volatile.Write(ref _nextBeacon, After(s_beaconInterval));
                await PushBeaconsAsync(cancellationToken);
            }

            return await StepAsync(cancellationToken);
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            Volatile.Write(ref _pausedUntil, After(s_outagePause));
            return false;
        }
    }

    private async ValueTask EndForbiddenAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _judged, _starter.AccessRevision);
        try
        {
            foreach (var subscription in _subscriptions)
            {
                if (await _starter.JudgeAsync(_caller, subscription, cancellationToken) is { } refused)
                    await EndAsync(subscription, "access", refused.Message, cancellationToken);
            }

            // Its connection would otherwise go on publishing and subscribing.
            if (await _starter.RefuseAsync(_caller, cancellationToken) is { } gone)
            {
                EndReason ??= gone.Code == FaultCodes.UserBlocked ? CloseReasons.UserBlocked : CloseReasons.KeyRevoked;
                await _expiring.CancelAsync();
            }
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            // Judged when the store is back; until then nothing is read either.
            Volatile.Write(ref _judgeAgain, 1);
            throw;
        }
    }

    private async ValueTask StepAsync(Subscription subscription, StreamPosition stream, ReadLimit limit, CancellationToken cancellationToken)
    {
        if (subscription.TakesAll && stream.Position == stream.PushedThrough
            && stream.Stream.TryReadBatch(subscription.App, subscription.Number, stream.Position, limit) is { } shared)
        {
            await PushAsync(subscription, stream, shared, shared.Events[^1], cancellationToken);
            return;
        }

        var events = await ReadAsync(subscription, stream, limit, cancellationToken);

        // Positions are contiguous. If the next one is missing, it is gone from the log, and guessing past it would hide a loss.
        if (events is not [{ } first, ..] || first.Position != stream.Position + 1)
        {
            await EndAsync(subscription, "retention", "The position is older than what is kept.", cancellationToken);
            return;
        }

        await MoveAsync(subscription, stream, events[^1], [.. events.Where(subscription.Matches)], cancellationToken);
    }

    /// <summary>From the tail, which everybody shares; or, for who is far behind, from the log.</summary>
    private async ValueTask<IReadOnlyList<StoredEvent>> ReadAsync(Subscription subscription, StreamPosition stream, ReadLimit limit, CancellationToken cancellationToken)
    {
        if (stream.Stream.TryRead(stream.Position, limit, out var events))
            return events;
        if (await stream.Stream.TryLoadAsync(_store, stream.Position, cancellationToken) && stream.Stream.TryRead(stream.Position, limit, out events))
            return events;
        var asked = limit with { Events = Math.Min(limit.Events, stream.ReadAhead) };
        events = await _store.ReadAsync(stream.Stream.Name.Text, stream.Position, stream.Since, asked, subscription.Scope, cancellationToken);
        // Of large events fewer fit into a batch: no more are asked for than do.
        stream.ReadAhead = events.Count < asked.Events && events is [.., var last] && last.Position < stream.Stream.Head
            ? events.Count
            : Math.Min(s_batch.Events, 2 * stream.ReadAhead);
        return events;
    }

    /// <summary>Pushes what matched up to <paramref name="through"/>, if anything did, and moves the position there.</summary>
    private async ValueTask MoveAsync(Subscription subscription, StreamPosition stream, StoredEvent through, List<StoredEvent> matching, CancellationToken cancellationToken)
    {
        if (subscription.Ended)
            return;
        if (matching.Count > 0 || through.Position - stream.PushedThrough >= SilentEvents)
        {
            var batch = new EventBatch(subscription.App, subscription.Number, stream.Stream.Name.Text, stream.PushedThrough, through.Position, matching);
            await PushAsync(subscription, stream, batch, through, cancellationToken);
        }
        else
        {
            stream.MoveTo(through, pushed: false);
        }
    }

    private async ValueTask PushAsync(Subscription subscription, StreamPosition stream, EventBatch batch, StoredEvent through, CancellationToken cancellationToken)
    {
        var push = _output.PushAsync(batch, cancellationToken);
        if (push.IsCompletedSuccessfully)
            await push;
        else
            await WaitForPushAsync(push);
        Volatile.Write(ref _eventsSent, _eventsSent + batch.Events.Count);
        stream.MoveTo(through, pushed: true);
        _sessions.Evidence.Moved(subscription, stream);
        _metrics.Pushed(batch.Events.Count);
        if (stream.IsLive && batch.Events.Count > 0)
            _metrics.PushLatency(_time.GetUtcNow() - batch.Events[^1].RecordedAt);
        stream.IsLive = !stream.IsBehind;
    }

    private async ValueTask WaitForPushAsync(ValueTask push)
    {
        var started = _time.GetTimestamp();
        await push;
        if (_time.GetElapsedTime(started) >= s_stall)
            Volatile.Write(ref _stalls, _stalls + 1);
    }

    private async ValueTask PushBeaconsAsync(CancellationToken cancellationToken)
    {
        foreach (var subscription in _subscriptions)
        {
            foreach (var stream in subscription.Streams)
            {
                if (subscription.Ended)
                    break;
                await _output.PushAsync(
                    new EventBatch(subscription.App, subscription.Number, stream.Stream.Name.Text, stream.PushedThrough, stream.Position, []), cancellationToken);
                if (stream.PushedThrough == stream.Position)
                    continue;
                stream.Told();
                // What lies before was passed over: without this it would look as if nobody had been there.
                _sessions.Evidence.Moved(subscription, stream);
            }
        }
    }

    private async ValueTask EndAsync(Subscription subscription, string cause, string reason, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (subscription.Ended)
                return;
            Replace(subscription, null);
        }

        _metrics.Reset(cause);
        await _output.ResetAsync(subscription.App, reason, cancellationToken);
    }

    private Subscription? Find(string app) => Array.Find(_subscriptions, subscription => subscription.App == app);

    /// <summary>Under the lock; in a new array, because a step may be going through the old one.</summary>
    private void Replace(Subscription? current, Subscription? next)
    {
        var others = _subscriptions.Where(subscription => subscription != current);
        _subscriptions = [.. next is null ? others : others.Append(next)];
        current?.Dispose();
        _metrics.SubscriptionsChanged((next is null ? 0 : 1) - (current is null ? 0 : 1));
        SubscriptionsChanged?.Invoke();
    }

    private long After(TimeSpan span) => _time.GetTimestamp() + (long)(span.TotalSeconds * _time.TimestampFrequency);
}
