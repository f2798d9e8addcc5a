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
/// <remarks>The one seam between nodes: what a writer announces here a cluster's transport carries to the other nodes' feeds.</remarks>
internal sealed class StreamFeed(TimeProvider time)
{
    private static readonly TimeSpan s_trimInterval = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, ActiveStream> _streams = new(StringComparer.Ordinal);
    private readonly TailBudget _budget = new();
    private long _trimmedAt = time.GetTimestamp();

    /// <summary>Streams that have a session on this node.</summary>
    public IReadOnlyCollection<string> Streams => (IReadOnlyCollection<string>)_streams.Keys;

    public bool IsActive(string stream) => _streams.ContainsKey(stream);

    public ActiveStream Listen(StreamName name, StreamListener listener)
    {
        while (true)
        {
            var stream = _streams.GetOrAdd(name.Text, static (_, made) => new ActiveStream(made.name, made._budget, made.time), (name, _budget, time));
            if (stream.TryAdd(listener))
                return stream;
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
            if (!_streams.TryGetValue(advance.Stream, out var stream) || !stream.Advance(advance.Head, advance.Events))
                continue;
            // A large audience holds up nobody else's.
            if (stream.IsCrowded)
                ThreadPool.UnsafeQueueUserWorkItem(static crowded => crowded.WakeListeners(), stream, preferLocal: false);
            else
                (grown ??= []).Add(stream);
        }

        if (grown is not null)
            ThreadPool.UnsafeQueueUserWorkItem(static streams => streams.ForEach(stream => stream.WakeListeners()), grown, preferLocal: false);
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
