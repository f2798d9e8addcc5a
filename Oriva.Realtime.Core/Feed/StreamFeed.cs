using System.Collections.Concurrent;

namespace Oriva.Realtime.Core.Feed;

/// <summary>A stream has grown to this position.</summary>
public readonly record struct StreamAdvance(string Stream, long Head);

/// <summary>
/// Wakes the sessions of a stream when it has grown. A wake-up is a hint and carries no truth: the session reads the log, and a hint that is lost costs
/// a delay until the next poll of heads, never an event.
/// </summary>
/// <remarks>The one seam between nodes: what a writer announces here a cluster's transport carries to the other nodes' feeds.</remarks>
internal sealed class StreamFeed
{
    private readonly ConcurrentDictionary<string, Listeners> _streams = new(StringComparer.Ordinal);

    /// <summary>Streams that have a session on this node.</summary>
    public IReadOnlyCollection<string> Streams => (IReadOnlyCollection<string>)_streams.Keys;

    /// <summary>Calls <paramref name="wake"/> with each new head until the result is disposed. It must not block.</summary>
    public IDisposable Listen(string stream, Action<StreamAdvance> wake)
    {
        while (true)
        {
            var listeners = _streams.GetOrAdd(stream, static _ => new Listeners());
            lock (listeners)
            {
                // The last listener may have left, and the entry with it, since GetOrAdd.
                if (listeners.Removed)
                    continue;
                listeners.Wakes.Add(wake);
                return new Listening(this, stream, listeners, wake);
            }
        }
    }

    public void Announce(IEnumerable<StreamAdvance> advances)
    {
        foreach (var advance in advances)
        {
            if (!_streams.TryGetValue(advance.Stream, out var listeners))
                continue;
            lock (listeners)
            {
                if (advance.Head <= listeners.Head)
                    continue;
                listeners.Head = advance.Head;
                foreach (var wake in listeners.Wakes)
                    wake(advance);
            }
        }
    }

    private sealed class Listeners
    {
        public HashSet<Action<StreamAdvance>> Wakes { get; } = [];

        /// <summary>The newest position announced. Sessions that came later have read the head themselves.</summary>
        public long Head { get; set; }

        public bool Removed { get; set; }
    }

    private sealed class Listening(StreamFeed feed, string stream, Listeners listeners, Action<StreamAdvance> wake) : IDisposable
    {
        public void Dispose()
        {
            lock (listeners)
            {
                listeners.Wakes.Remove(wake);
                if (listeners.Wakes.Count > 0 || listeners.Removed)
                    return;
                listeners.Removed = true;
                feed._streams.TryRemove(stream, out _);
            }
        }
    }
}
