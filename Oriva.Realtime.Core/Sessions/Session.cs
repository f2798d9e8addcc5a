using System.Collections.Immutable;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>Opens sessions.</summary>
public sealed class SessionFactory
{
    private readonly SubscriptionStarter _starter;
    private readonly EventStore _store;
    private readonly RealtimeMetrics _metrics;
    private readonly TimeProvider _time;

    internal SessionFactory(SubscriptionStarter starter, EventStore store, RealtimeMetrics metrics, TimeProvider time)
    {
        _starter = starter;
        _store = store;
        _metrics = metrics;
        _time = time;
    }

    public Session Open(Caller caller, ISessionOutput output) => new(caller, output, _starter, _store, _metrics, _time);
}

/// <summary>
/// A connection as a cursor: for each subscribed stream it reads what follows its position, filters, pushes, and moves the position. Replay and live
/// delivery are this one loop; a wake-up only tells it that there may be something to read.
/// </summary>
/// <remarks>
/// Nothing is queued here. What is not pushed yet stays in the log, so a reader that is slow, or stuck, costs its own delay and no memory.
/// <see cref="StepAsync(int, CancellationToken)"/> has one caller at a time; subscribing may happen meanwhile.
/// </remarks>
public sealed class Session : IDisposable
{
    /// <summary>An empty batch at the current position: a lost tail shows, and the cursor of a filtered subscription advances.</summary>
    private static readonly TimeSpan s_beaconInterval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_outagePause = TimeSpan.FromSeconds(1);

    /// <summary>Events that match nothing before the client's position is moved on anyway.</summary>
    private const int SilentEvents = 1_000;

    private const int ReadLimit = 200;
    private const int BatchBytes = 256 * 1024;

    private readonly Caller _caller;
    private readonly ISessionOutput _output;
    private readonly SubscriptionStarter _starter;
    private readonly EventStore _store;
    private readonly RealtimeMetrics _metrics;
    private readonly TimeProvider _time;

    // A wake-up that arrives while one is pending says nothing new: capacity one.
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private ImmutableDictionary<string, Subscription> _subscriptions = ImmutableDictionary<string, Subscription>.Empty;
    private bool _disposed;

    internal Session(Caller caller, ISessionOutput output, SubscriptionStarter starter, EventStore store, RealtimeMetrics metrics, TimeProvider time)
    {
        _caller = caller;
        _output = output;
        _starter = starter;
        _store = store;
        _metrics = metrics;
        _time = time;
        _metrics.SessionsChanged(1, output.Kind);
    }

    /// <summary>Subscribes to an app's streams, in place of an earlier subscription to the same app.</summary>
    public async Task<Outcome<SubscribeAnswer>> SubscribeAsync(SubscribeRequest request, CancellationToken cancellationToken)
    {
        int number;
        lock (_lock)
            number = _numbers[request.App ?? ""] = _numbers.GetValueOrDefault(request.App ?? "") + 1;

        Outcome<(Subscription Subscription, SubscribeAnswer Answer)> started;
        try
        {
            started = await _starter.StartAsync(_caller, request, number, Wake, cancellationToken);
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
            var current = _subscriptions.GetValueOrDefault(subscription.App);
            if (_disposed || current?.Number > number)
            {
                // The connection is gone, or a later Subscribe for the same app was faster.
                subscription.Dispose();
                return answer;
            }

            Replace(current, subscription);
        }

        if (answer.Reset)
            _metrics.Reset("cursor");
        Wake();
        return answer;
    }

    /// <returns>False: there was no subscription to the app.</returns>
    public bool Unsubscribe(string app)
    {
        lock (_lock)
        {
            if (!_subscriptions.TryGetValue(app, out var subscription))
                return false;
            Replace(subscription, null);
            return true;
        }
    }

    /// <summary>Where the session stands in an app's streams.</summary>
    public IReadOnlyDictionary<string, long> PositionsIn(string app) =>
        _subscriptions.TryGetValue(app, out var subscription) ? subscription.Streams.ToDictionary(stream => stream.Stream, stream => stream.Position) : [];

    /// <summary>Pushes until cancelled. An outage of the store pauses it and loses nothing; an output that throws ends it.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var nextBeacon = _time.GetUtcNow() + s_beaconInterval;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (_time.GetUtcNow() >= nextBeacon)
                {
                    await PushBeaconsAsync(cancellationToken);
                    nextBeacon = _time.GetUtcNow() + s_beaconInterval;
                }

                if (!await StepAsync(ReadLimit, cancellationToken))
                    await WaitAsync(nextBeacon - _time.GetUtcNow(), cancellationToken);
            }
            catch (Exception e) when (StoreOutage.Is(e))
            {
                await Task.Delay(s_outagePause, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>One batch of every stream that is behind.</summary>
    /// <returns>Whether one is still behind.</returns>
    public async Task<bool> StepAsync(int limit, CancellationToken cancellationToken)
    {
        var behind = false;
        foreach (var subscription in _subscriptions.Values)
        {
            foreach (var stream in subscription.Streams)
            {
                if (!stream.IsBehind || subscription.Ended)
                    continue;
                await StepAsync(subscription, stream, limit, cancellationToken);
                behind |= stream.IsBehind && !subscription.Ended;
            }
        }

        return behind;
    }

    /// <summary>Waits for a wake-up, at most so long.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        if (atMost <= TimeSpan.Zero)
            return;
        using var timeout = new CancellationTokenSource(atMost, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await _wake.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _disposed = true;
            foreach (var subscription in _subscriptions.Values)
                Replace(subscription, null);
        }

        _metrics.SessionsChanged(-1, _output.Kind);
    }

    private async Task StepAsync(Subscription subscription, StreamPosition stream, int limit, CancellationToken cancellationToken)
    {
        var events = await _store.ReadAsync(stream.Stream, stream.Position, stream.Since, limit, subscription.Scope, cancellationToken);

        // Positions are contiguous. If the next one is missing, it is gone from the log, and guessing past it would hide a loss.
        if (events is not [{ } first, ..] || first.Position != stream.Position + 1)
        {
            await EndAsync(subscription, "The position is older than what is kept.", cancellationToken);
            return;
        }

        var matching = new List<StoredEvent>();
        var bytes = 0;
        foreach (var e in events)
        {
            if (subscription.Matches(e))
            {
                matching.Add(e);
                bytes += e.Json.Length;
            }

            var last = e == events[^1];
            if (last || bytes >= BatchBytes)
            {
                await MoveAsync(subscription, stream, e, matching, cancellationToken);
                matching = [];
                bytes = 0;
            }

            if (subscription.Ended)
                return;
        }
    }

    /// <summary>Pushes what matched up to <paramref name="through"/>, if anything did, and moves the position there.</summary>
    private async Task MoveAsync(Subscription subscription, StreamPosition stream, StoredEvent through, List<StoredEvent> matching, CancellationToken cancellationToken)
    {
        if (matching.Count > 0 || through.Position - stream.PushedThrough >= SilentEvents)
        {
            if (subscription.Ended)
                return;
            await _output.PushAsync(new EventBatch(subscription.App, subscription.Number, stream.Stream, stream.PushedThrough, through.Position, matching), cancellationToken);
            stream.PushedThrough = through.Position;
            _metrics.Pushed(matching.Count);
            if (matching.Count > 0 && through.Position == stream.Head)
                _metrics.PushLatency(_time.GetUtcNow() - matching[^1].RecordedAt);
        }

        stream.Position = through.Position;
        stream.Since = through.RecordedAt;
        stream.Advance(through.Position);
    }

    private async Task PushBeaconsAsync(CancellationToken cancellationToken)
    {
        foreach (var subscription in _subscriptions.Values)
        {
            foreach (var stream in subscription.Streams)
            {
                if (subscription.Ended)
                    break;
                await _output.PushAsync(new EventBatch(subscription.App, subscription.Number, stream.Stream, stream.PushedThrough, stream.Position, []), cancellationToken);
                stream.PushedThrough = stream.Position;
            }
        }
    }

    private async Task EndAsync(Subscription subscription, string reason, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (subscription.Ended)
                return;
            Replace(subscription, null);
        }

        _metrics.Reset("retention");
        await _output.ResetAsync(subscription.App, reason, cancellationToken);
    }

    /// <summary>Under the lock.</summary>
    private void Replace(Subscription? current, Subscription? next)
    {
        _subscriptions = next is null ? _subscriptions.Remove(current!.App) : _subscriptions.SetItem(next.App, next);
        current?.Dispose();
        _metrics.SubscriptionsChanged((next is null ? 0 : 1) - (current is null ? 0 : 1));
    }

    private void Wake()
    {
        if (_wake.CurrentCount > 0)
            return;
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else woke it at the same moment.
        }
    }
}
