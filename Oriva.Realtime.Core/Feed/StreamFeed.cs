using System.Collections.Concurrent;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Feed;

/// <summary>A stream has grown to this position.</summary>
/// <param name="Events">Those up to the head, in order, where they are at hand.</param>
public readonly record struct StreamAdvance(string Stream, long Head, IReadOnlyList<StoredEvent>? Events = null);

/// <summary>
/// Wakes the sessions of a stream when it has grown. A wake-up is a hint and carries no truth: the session reads the log, and a hint that is lost costs
/// a delay until the next poll of heads, never an event.
/// </summary>
internal sealed class StreamFeed(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, byte> _gaps = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _followed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static readonly TimeSpan s_trimInterval = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, ActiveStream> _streams = new(StringComparer.Ordinal);
    private readonly TailBudget _budget = new();
    private long _trimmedAt = time.GetTimestamp();

    /// <summary>Streams that have a session on this node.</summary>
    public IReadOnlyCollection<string> Streams => (IReadOnlyCollection<string>)_streams.Keys;

    public bool IsActive(string stream) => _streams.ContainsKey(stream);

    public ActiveStream? Find(ReadOnlySpan<char> stream) => _streams.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(stream, out var found) ? found : null;

    /// <summary>Completes when a stream is followed here for the first time.</summary>
    public Task Followed => _followed.Task;

    /// <summary>Set when another node's word did not follow on, so that the log has to be asked.</summary>
    public WakeSignal GapSeen { get; } = new();

    public ActiveStream Listen(StreamName name, StreamListener listener)
    {
        while (true)
        {
            var stream = _streams.GetOrAdd(name.Text, static (_, made) => new ActiveStream(made.name, made._budget, made.time), (name, _budget, time));
            if (stream.TryAdd(listener))
            {
                _followed.TrySetResult();
                return stream;
            }

            // It was retired between the two; whoever did that removes it, or this does.
            _streams.TryRemove(new KeyValuePair<string, ActiveStream>(name.Text, stream));
        }
    }

    public void StopListening(ActiveStream stream, StreamListener listener)
    {
        if (stream.Remove(listener))
            _streams.TryRemove(new KeyValuePair<string, ActiveStream>(stream.Name.Text, stream));
    }

    /// <summary>Takes note of the advances at once, in the caller's order, and wakes the listeners on another thread.</summary>
    public void Announce(IEnumerable<StreamAdvance> advances)
    {
        List<ActiveStream>? grown = null;
        foreach (var advance in advances)
        {
            if (_streams.TryGetValue(advance.Stream, out var stream) && stream.Advance(advance.Head, advance.Events))
                (grown ??= []).Add(stream);
        }

        Wake(grown);
    }

    /// <summary>Takes note of what another node says of streams that are followed here. What does not follow on is asked of the log.</summary>
    public void Follow(IReadOnlyList<(ActiveStream Stream, long Head, IReadOnlyList<StoredEvent> Events)> advances)
    {
        List<ActiveStream>? grown = null;
        var gap = false;
        foreach (var (stream, head, events) in advances)
        {
            switch (stream.Follow(head, events))
            {
                case Following.Grown:
                    (grown ??= []).Add(stream);
                    break;
                case Following.Gap:
                    _gaps[stream.Name.Text] = 0;
                    gap = true;
                    break;
            }
        }

        Wake(grown);
        if (gap)
            GapSeen.Set();
    }

    /// <summary>Streams of which something is still missing; each is told once.</summary>
    public IReadOnlyCollection<string> TakeGaps()
    {
        var missing = new List<string>();
        foreach (var (name, _) in _gaps)
        {
            if (_gaps.TryRemove(name, out _) && _streams.TryGetValue(name, out var stream) && stream.HasGap)
                missing.Add(name);
        }

        return missing;
    }

    private static void Wake(List<ActiveStream>? grown)
    {
        if (grown is null)
            return;
        // A large audience holds up nobody else's.
        foreach (var crowded in grown.Where(stream => stream.IsCrowded))
            ThreadPool.UnsafeQueueUserWorkItem(static crowded => crowded.WakeListeners(), crowded, preferLocal: false);
        ThreadPool.UnsafeQueueUserWorkItem(
            static streams =>
            {
                foreach (var stream in streams)
                {
                    if (!stream.IsCrowded)
                        stream.WakeListeners();
                }
            },
            grown,
            preferLocal: false);
    }

    /// <summary>Gives back the memory of what tails have held for a while; of all that the trim before saw, when memory is scarce. Called every second, by one caller.</summary>
    public void TrimTails()
    {
        if (!_budget.IsScarce && time.GetElapsedTime(_trimmedAt) < s_trimInterval)
            return;
        _trimmedAt = time.GetTimestamp();
        foreach (var stream in _streams) // not its Values, which hold everybody up while they are copied
            stream.Value.Trim();
    }
}
