using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Feed;

/// <summary>Somebody who follows a stream on this node.</summary>
internal abstract class StreamListener
{
    /// <summary>Its place in the stream's list; the stream's own.</summary>
    internal int Index { get; set; }

    /// <summary>The stream has grown. Called often and by any thread: it must not block.</summary>
    public abstract void Wake();
}

/// <summary>
/// A stream with listeners on this node: how far it has grown, who follows it, and its tail, the newest events, so that a thousand sessions that are up to
/// date cost the store one read, or none when the events were appended here.
/// </summary>
/// <remarks>
/// The tail is a cache of the log and nothing more: contiguous, possibly empty. Whoever stands before it reads the log. Events that do not follow on are kept
/// beside it, because with several nodes that append, one node's event may come here before its predecessor, another node's: they join the tail when the gap
/// is filled, or take its place for whoever stands there.
/// </remarks>
internal sealed class ActiveStream(StreamName name, TailBudget budget, TimeProvider time)
{
    private const int MostEvents = 512;
    private const int MostBytes = 1024 * 1024;
    private const int SharedBatches = 8;
    private const int WakeChunk = 128;

    private const int Resting = 0;
    private const int Waking = 1;
    private const int WakingAgain = 2;

    private static readonly ReadLimit s_load = new(256, MostBytes);

    private readonly Lock _lock = new();
    private readonly List<StreamListener> _listeners = [];
    private readonly List<StoredEvent> _tail = [];
    private readonly List<StoredEvent> _early = [];
    private readonly EventBatch?[] _shared = new EventBatch?[SharedBatches];
    private int _nextShared;
    private int _bytes;
    private long _head;
    private long _told;
    private long _trimmedThrough;
    private Task? _loading;
    private int _waking;

    public StreamName Name { get; } = name;

    /// <summary>The newest position that is known to exist.</summary>
    public long Head => Volatile.Read(ref _head);

    /// <summary>Another node has told of a position that lies behind a gap.</summary>
    public bool HasGap => Volatile.Read(ref _told) > Head;

    /// <summary>The last listener has left, and the feed no longer knows it.</summary>
    public bool IsRetired { get; private set; }

    public bool TryAdd(StreamListener listener)
    {
        lock (_lock)
        {
            if (IsRetired)
                return false;
            listener.Index = _listeners.Count;
            _listeners.Add(listener);
            return true;
        }
    }

    /// <returns>True: nobody is left, and the stream is retired.</returns>
    public bool Remove(StreamListener listener)
    {
        StreamListener moved;
        lock (_lock)
        {
            // The last one takes the place. A waking in progress may have passed that place, so the moved one is woken for certain.
            moved = _listeners[^1];
            _listeners[listener.Index] = moved;
            moved.Index = listener.Index;
            _listeners.RemoveAt(_listeners.Count - 1);
            if (_listeners.Count == 0)
            {
                IsRetired = true;
                ClearTail();
                return true;
            }
        }

        if (moved != listener)
            moved.Wake();
        return false;
    }

    /// <summary>Takes note of a new head, and of the events up to it where they are at hand.</summary>
    /// <returns>Whether the stream has grown, so that its listeners are to be woken.</returns>
    public bool Advance(long head, IReadOnlyList<StoredEvent>? events)
    {
        lock (_lock)
        {
            if (events is { Count: > 0 })
                Keep(events);
            // What another node had told of may follow on now.
            if (events is not null && _tail is [.., var newest])
                head = Math.Max(head, newest.Position);
            if (head <= _head)
                return false;
            Volatile.Write(ref _head, head);
            return true;
        }
    }

    /// <summary>
    /// Takes note of what another node says that it has appended. Only what follows on is believed; for the rest the log has to be asked, though its events
    /// are kept for when the gap is filled.
    /// </summary>
    public Following Follow(long head, IReadOnlyList<StoredEvent> events)
    {
        lock (_lock)
        {
            if (head <= _head)
                return Following.Known;
            var follows = events is [{ } first, ..] && first.Position <= _head + 1;
            Keep(events);
            if (!follows)
            {
                Volatile.Write(ref _told, Math.Max(_told, head));
                return Following.Gap;
            }

            Volatile.Write(ref _head, Math.Max(events[^1].Position, _tail is [.., var newest] ? newest.Position : 0));
            return Following.Grown;
        }
    }

    /// <summary>More listeners than one thread should wake on its way to other streams.</summary>
    public bool IsCrowded => _listeners.Count > WakeChunk;

    /// <summary>Wakes all listeners. One pass at a time: what comes while one is under way is left to one more after it.</summary>
    public void WakeListeners()
    {
        if (Interlocked.Exchange(ref _waking, WakingAgain) == Resting)
            _ = WakeUntilRestedAsync();
    }

    /// <summary>
    /// Waking a crowd is the smaller part of serving it: the listeners' writes go on afterwards. So the next pass waits as long as this one took, and finds
    /// more to send: under load each listener is woken less often and for more, and an event that finds the stream at rest waits for nothing.
    /// </summary>
    private async Task WakeUntilRestedAsync()
    {
        try
        {
            do
            {
                Volatile.Write(ref _waking, Waking);
                var started = time.GetTimestamp();
                WakeEach();
                if (IsCrowded)
                    await Task.Delay(time.GetElapsedTime(started), time);
            }
            while (Interlocked.CompareExchange(ref _waking, Resting, Waking) != Waking);
        }
        catch
        {
            // A bug in a listener must not silence the stream.
            Volatile.Write(ref _waking, Resting);
            throw;
        }
    }

    /// <summary>A few at a time, so that others can come and go meanwhile.</summary>
    private void WakeEach()
    {
        StreamListener[] chunk = [];
        for (var next = 0; ; next += chunk.Length)
        {
            int count;
            lock (_lock)
            {
                if (next >= _listeners.Count)
                    return;
                // Most streams are a user's own, with a listener or two.
                if (next == 0)
                    chunk = new StreamListener[Math.Min(WakeChunk, _listeners.Count)];
                count = Math.Min(chunk.Length, _listeners.Count - next);
                _listeners.CopyTo(next, chunk, 0, count);
            }

            for (var i = 0; i < count; i++)
                chunk[i].Wake();
        }
    }

    /// <summary>The events after a position, when the tail has them.</summary>
    public bool TryRead(long after, ReadLimit limit, out IReadOnlyList<StoredEvent> events)
    {
        lock (_lock)
        {
            events = HoldsAfter(after) ? Take(after, Count(after, limit)) : [];
            return events.Count > 0;
        }
    }

    /// <summary>A batch of all events after a position, when the tail has them. Sessions that stand at the same place get the same instance, and so share its encoding.</summary>
    public EventBatch? TryReadBatch(string app, int subscription, long after, ReadLimit limit)
    {
        lock (_lock)
        {
            if (!HoldsAfter(after))
                return null;
            var count = Count(after, limit);
            var through = after + count;
            foreach (var shared in _shared)
            {
                if (shared is not null && shared.After == after && shared.Through == through && shared.Subscription == subscription)
                    return shared;
            }

            var batch = new EventBatch(app, subscription, Name.Text, after, through, Take(after, count));
            if (_listeners.Count > 1)
                _shared[_nextShared++ % SharedBatches] = batch;
            return batch;
        }
    }

    /// <summary>Brings the tail up to the head by one read of the log, whoever and however many ask for it. For positions at the tail's end, or near the head.</summary>
    /// <returns>False: the position is too far back for the tail; read the log.</returns>
    public async ValueTask<bool> TryLoadAsync(EventStore store, long after, CancellationToken cancellationToken)
    {
        Task loading;
        lock (_lock)
        {
            var end = _tail is [.., var newest] ? newest.Position : after;
            if (after != end || _head - after > s_load.Events)
                return false;
            loading = _loading ??= LoadAsync(store, after);
        }

        await loading.WaitAsync(cancellationToken);
        return true;
    }

    /// <summary>Drops what was here at the trim before: an event stays for one to two of the intervals between trims.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            if (_early is [.., var earlier] && earlier.Position <= _trimmedThrough)
                DropEarly();
            if (_tail.Count > 0)
                Drop((int)Math.Clamp(_trimmedThrough + 1 - _tail[0].Position, 0, _tail.Count));
            if (_tail.Count == 0)
                Array.Clear(_shared);
            _trimmedThrough = Math.Max(_trimmedThrough, (_early.Count > 0 ? _early : _tail) is [.., var newest] ? newest.Position : 0);
        }
    }

    private async Task LoadAsync(EventStore store, long after)
    {
        await Task.Yield(); // not under the caller's lock
        try
        {
            // As somebody who may see this stream and no other: the listeners were judged when they came.
            var scope = new ReadScope(Name.UserId ?? "", [Name.App], Name.Topic is null ? [] : [$"{Name.App}/{Name.Topic}"], Whole: false);
            var events = await store.ReadAsync(Name.Text, after, DateTimeOffset.MinValue, s_load, scope, CancellationToken.None);
            lock (_lock)
                Keep(events);
        }
        finally
        {
            lock (_lock)
                _loading = null;
        }
    }

    /// <summary>Under the lock, as all that follows. Who stands past the tail makes room for the events beside it.</summary>
    private bool HoldsAfter(long after)
    {
        if (Holds(_tail, after))
            return true;
        if (!Holds(_early, after) || (_tail is [.., var newest] && after < newest.Position))
            return false;
        Drop(_tail.Count);
        _tail.AddRange(_early);
        _early.Clear();
        return true;
    }

    private static bool Holds(List<StoredEvent> run, long after) => run.Count > 0 && after >= run[0].Position - 1 && after < run[^1].Position;

    private int Count(long after, ReadLimit limit)
    {
        var first = IndexAfter(after);
        var count = 0;
        for (var bytes = 0; first + count < _tail.Count && count < limit.Events && bytes < limit.Bytes; count++)
            bytes += _tail[first + count].Size;
        return count;
    }

    private List<StoredEvent> Take(long after, int count) => _tail.GetRange(IndexAfter(after), count);

    private int IndexAfter(long position) => (int)(position + 1 - _tail[0].Position);

    private void Keep(IReadOnlyList<StoredEvent> events)
    {
        if (_listeners.Count == 0)
            return;
        foreach (var e in events)
        {
            var end = _tail is [.., var newest] ? newest.Position : e.Position <= _head || _head == 0 ? e.Position - 1 : _head;
            if (e.Position <= end)
                continue;
            if (!budget.TryTake(e.Size))
            {
                ClearTail();
                return;
            }

            _bytes += e.Size;
            if (e.Position == end + 1)
                _tail.Add(e);
            else
                KeepEarly(e);
        }

        if (_early is [{ } early, ..] && _tail is [.., var last] && early.Position <= last.Position + 1)
            JoinEarly(last.Position);
        var dropped = 0;
        for (var bytes = _bytes; _tail.Count - dropped > MostEvents || (bytes > MostBytes && _tail.Count - dropped > 1); dropped++)
            bytes -= _tail[dropped].Size;
        Drop(dropped);
    }

    /// <summary>One run without a gap: the one that was heard of last.</summary>
    private void KeepEarly(StoredEvent e)
    {
        if (_early is [.., var newest] && (e.Position != newest.Position + 1 || _early.Count == MostEvents))
            DropEarly();
        _early.Add(e);
    }

    private void JoinEarly(long end)
    {
        foreach (var e in _early)
        {
            if (e.Position > end)
                _tail.Add(e);
            else
                GiveBack(e.Size);
        }

        _early.Clear();
    }

    private void ClearTail()
    {
        Drop(_tail.Count);
        DropEarly();
        Array.Clear(_shared);
    }

    private void Drop(int count)
    {
        var bytes = 0;
        for (var i = 0; i < count; i++)
            bytes += _tail[i].Size;
        _tail.RemoveRange(0, count);
        GiveBack(bytes);
    }

    private void DropEarly()
    {
        GiveBack(_early.Sum(e => e.Size));
        _early.Clear();
    }

    private void GiveBack(int bytes)
    {
        _bytes -= bytes;
        budget.GiveBack(bytes);
    }
}

/// <summary>What came of another node's word.</summary>
internal enum Following
{
    /// <summary>The stream has grown; its listeners are to be woken.</summary>
    Grown,

    /// <summary>Nothing new.</summary>
    Known,

    /// <summary>Something between is missing: the log knows.</summary>
    Gap,
}

/// <summary>What all tails of a node may hold together; past it, sessions read the log.</summary>
internal sealed class TailBudget
{
    private const long MostBytes = 128 * 1024 * 1024;

    private long _taken;

    /// <summary>Time to trim sooner: a tail that gets no room is dropped whole, and its sessions read the log.</summary>
    public bool IsScarce => Volatile.Read(ref _taken) > MostBytes / 2;

    public bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= MostBytes)
            return true;
        Interlocked.Add(ref _taken, -bytes);
        return false;
    }

    public void GiveBack(int bytes) => Interlocked.Add(ref _taken, -bytes);
}
