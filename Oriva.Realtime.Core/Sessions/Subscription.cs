using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>One app's streams on one session, each with its position.</summary>
/// <param name="interestsText">As <see cref="Interest.ToEvidence"/> has them: made once, saved with each interval.</param>
internal sealed class Subscription(
    string sessionId, string userId, string app, int number, ReadScope scope, IReadOnlyList<Interest> interests, StreamFeed feed,
    DateTimeOffset openedAt = default, string? interestsText = null) : IDisposable
{
    public string App { get; } = app;

    public int Number { get; } = number;

    public ReadScope Scope { get; } = scope;

    public IReadOnlyList<StreamPosition> Streams { get; private set; } = [];

    public IEnumerable<string> Topics => Streams.Select(stream => stream.Stream.Name.Topic).OfType<string>();

    /// <summary>Everything is sent, so batches can be shared with other sessions.</summary>
    public bool TakesAll => interests.Count == 0;

    /// <summary>Replaced, unsubscribed or reset: nothing more of it is pushed.</summary>
    public bool Ended { get; private set; }

    public bool Matches(StoredEvent e) => interests.Count == 0 || interests.Any(interest => interest.Matches(e));

    /// <summary>What the client was pushed and has acknowledged of a stream so far.</summary>
    public EvidenceInterval Evidence(StreamPosition stream) => new(
        sessionId, userId, App, stream.Stream.Name.Text, stream.StartedAt, stream.PushedThrough, stream.Acked, _takesNotifications && stream.Stream.Name.UserId is not null, stream.IsResumed,
        openedAt, interestsText);

    // With a filter on data it is not known which of them were sent: evidence may say too little.
    private readonly bool _takesNotifications = interests.Count == 0 || interests.Any(interest => interest.TakesAllOf(BuiltInTypes.NotificationCreated));

    /// <summary>Listens first and learns positions afterwards, so that no advance falls between the two.</summary>
    public void Listen(IEnumerable<StreamName> streams, Action wake) =>
        Streams = [.. streams.Select(name => new StreamPosition(feed, name, wake))];

    public void Dispose()
    {
        if (Ended)
            return;
        Ended = true;
        foreach (var stream in Streams)
            stream.StopListening();
    }
}

/// <summary>How far a session has come in a stream.</summary>
internal sealed class StreamPosition : StreamListener
{
    private readonly StreamFeed _feed;
    private readonly Action _wake;
    private int _moved;

    public StreamPosition(StreamFeed feed, StreamName name, Action wake)
    {
        _feed = feed;
        _wake = wake;
        Stream = feed.Listen(name, this);
    }

    public ActiveStream Stream { get; }

    /// <summary>Read, filtered and, where something matched, pushed up to here. −1 until its start is known.</summary>
    public long Position { get; private set; } = -1;

    /// <summary>The client knows up to here: the <c>through</c> of the last batch.</summary>
    public long PushedThrough { get; private set; }

    /// <summary>The client has handled what it was sent up to here.</summary>
    public long Acked { get; private set; }

    /// <summary><c>recorded_at</c> at <see cref="Position"/>: nothing that follows is older, so older partitions need not be looked at.</summary>
    public DateTimeOffset Since { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>Where the subscription began in this stream.</summary>
    public long StartedAt { get; private set; }

    /// <summary>It was up to date before what it pushes now: a push is live and no replay.</summary>
    public bool IsLive { get; set; }

    /// <summary>How many events to ask the log for.</summary>
    public int ReadAhead { get; set; } = 200;

    public bool IsBehind => Position >= 0 && Stream.Head > Position;

    public override void Wake()
    {
        if (IsBehind)
            _wake();
    }

    public void StopListening() => _feed.StopListening(Stream, this);

    /// <summary>It started from the client's cursor.</summary>
    public bool IsResumed { get; private set; }

    /// <param name="resumed">The client said where it stands.</param>
    public void StartAt(long position, DateTimeOffset since, bool resumed = false)
    {
        IsResumed = resumed;
        (Position, PushedThrough, Acked, Since) = (position, position, position, since);
        StartedAt = position;
        IsLive = Stream.Head <= position;
    }

    /// <summary>Cumulative, and never past what was pushed: a client cannot acknowledge what it was not sent.</summary>
    public void Ack(long position) => Acked = Math.Max(Acked, Math.Min(position, PushedThrough));

    public void MoveTo(StoredEvent e, bool pushed)
    {
        (Position, Since) = (e.Position, e.RecordedAt);
        if (pushed)
            PushedThrough = e.Position;
    }

    /// <returns>False: it is marked already, and so waits in the evidence log.</returns>
    public bool MarkMoved() => Interlocked.Exchange(ref _moved, 1) == 0;

    public void UnmarkMoved() => Interlocked.Exchange(ref _moved, 0);

    /// <summary>The client was told where the session stands.</summary>
    public void Told() => PushedThrough = Position;
}
