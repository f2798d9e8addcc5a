using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>
/// A client in the middle of a test: it keeps what a session pushes and holds the session to the contract. Each batch begins where the one before on its
/// subscription and stream ended, its events lie in order between its two positions, and only one write is outstanding. What breaks that throws, which ends
/// the session's loop and fails the test that awaits it.
/// </summary>
internal sealed class CollectingOutput : ISessionOutput
{
    private readonly Lock _lock = new();
    private readonly List<EventBatch> _batches = [];
    private readonly List<(string App, string Reason)> _resets = [];
    private readonly Dictionary<(string App, int Subscription, string Stream), (long First, long Through)> _chains = [];
    private readonly Dictionary<string, int> _newest = [];
    private readonly Dictionary<string, long> _last = [];
    private int _outstanding;

    public string Kind => "test";

    /// <summary>For a subscription without filters: every position from one end of a batch to the other must be there.</summary>
    public bool ExpectsEveryPosition { get; init; } = true;

    /// <summary>A write waits for this: a reader that is slow or stuck.</summary>
    public Func<EventBatch, Task>? Pause { get; set; }

    public IReadOnlyList<EventBatch> Batches
    {
        get
        {
            lock (_lock)
                return [.. _batches];
        }
    }

    public IReadOnlyList<StoredEvent> Events => [.. Batches.SelectMany(batch => batch.Events)];

    public IReadOnlyList<(string App, string Reason)> Resets
    {
        get
        {
            lock (_lock)
                return [.. _resets];
        }
    }

    /// <summary>The position of the newest event of a stream; 0: none came.</summary>
    public long LastIn(string stream)
    {
        lock (_lock)
            return _last.GetValueOrDefault(stream);
    }

    public IReadOnlyList<long> PositionsIn(string stream) => [.. Events.Where(e => e.Stream == stream).Select(e => e.Position)];

    public async ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _outstanding).ShouldBe(1, "a session has one write outstanding at most");
        if (Pause is { } pause)
            await pause(batch).WaitAsync(cancellationToken);
        lock (_lock)
            Add(batch);
        Interlocked.Decrement(ref _outstanding);
    }

    public ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken)
    {
        lock (_lock)
            _resets.Add((app, reason));
        return ValueTask.CompletedTask;
    }

    /// <summary>Checks that the first batch of each stream began where the answer said. A batch may come before the answer.</summary>
    public void CheckStart(SubscribeAnswer answer)
    {
        lock (_lock)
        {
            foreach (var (stream, position) in answer.Streams)
            {
                var chain = (answer.App, answer.Subscription, stream);
                if (_chains.TryGetValue(chain, out var seen))
                    seen.First.ShouldBe(position, $"{stream} began somewhere else than Subscribe had answered");
                else
                    _chains[chain] = (position, position);
            }
        }
    }

    private void Add(EventBatch batch)
    {
        if (batch.Subscription < _newest.GetValueOrDefault(batch.App))
            return;
        _newest[batch.App] = batch.Subscription;
        var chain = (batch.App, batch.Subscription, batch.Stream);
        var (first, through) = _chains.GetValueOrDefault(chain, (batch.After, batch.After));
        batch.After.ShouldBe(through, $"{batch.Stream}: a batch is missing, or came twice");
        var last = batch.After;
        foreach (var e in batch.Events)
        {
            e.Stream.ShouldBe(batch.Stream);
            if (ExpectsEveryPosition)
                e.Position.ShouldBe(last + 1, $"{batch.Stream}: a position was passed over");
            e.Position.ShouldBeGreaterThan(last, $"{batch.Stream}: out of order");
            last = _last[batch.Stream] = e.Position;
        }

        batch.Through.ShouldBeGreaterThanOrEqualTo(last);
        if (ExpectsEveryPosition)
            batch.Through.ShouldBe(last, $"{batch.Stream}: positions were passed over at the end of a batch");
        _chains[chain] = (first, batch.Through);
        _batches.Add(batch);
    }
}
