using System.Collections.Immutable;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>One app's streams on one session, each with its position.</summary>
internal sealed class Subscription(string app, int number, ReadScope scope, IReadOnlyList<Interest> interests) : IDisposable
{
    private readonly List<IDisposable> _listening = [];

    public string App { get; } = app;

    public int Number { get; } = number;

    public ReadScope Scope { get; } = scope;

    public ImmutableArray<StreamPosition> Streams { get; private set; } = [];

    /// <summary>Replaced, unsubscribed or reset: nothing more of it is pushed.</summary>
    public bool Ended { get; private set; }

    public bool Matches(StoredEvent e) => interests.Count == 0 || interests.Any(interest => interest.Matches(e));

    /// <summary>Listens first and learns positions afterwards, so that no advance falls between the two.</summary>
    public void Listen(StreamFeed feed, IEnumerable<StreamName> streams, Action wake)
    {
        foreach (var name in streams)
        {
            var stream = new StreamPosition(name.Text);
            Streams = Streams.Add(stream);
            _listening.Add(feed.Listen(name.Text, advance =>
            {
                stream.Advance(advance.Head);
                wake();
            }));
        }
    }

    public void Dispose()
    {
        Ended = true;
        _listening.ForEach(listening => listening.Dispose());
    }
}

/// <summary>How far a session has come in a stream.</summary>
internal sealed class StreamPosition(string stream)
{
    private long _head;

    public string Stream { get; } = stream;

    /// <summary>Read, filtered and, where something matched, pushed up to here.</summary>
    public long Position { get; set; }

    /// <summary>The client knows up to here: the <c>through</c> of the last batch.</summary>
    public long PushedThrough { get; set; }

    /// <summary><c>recorded_at</c> at <see cref="Position"/>: nothing that follows is older, so older partitions need not be looked at.</summary>
    public DateTimeOffset Since { get; set; } = DateTimeOffset.MinValue;

    /// <summary>The newest position that is known to exist.</summary>
    public long Head => Volatile.Read(ref _head);

    public bool IsBehind => Head > Position;

    public void Advance(long head)
    {
        var seen = Volatile.Read(ref _head);
        while (head > seen)
        {
            var before = Interlocked.CompareExchange(ref _head, head, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    public void StartAt(long position, DateTimeOffset since)
    {
        (Position, PushedThrough, Since) = (position, position, since);
        Advance(position);
    }
}
