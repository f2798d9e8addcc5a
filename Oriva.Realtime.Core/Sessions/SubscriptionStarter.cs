using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>Judges a <see cref="SubscribeRequest"/> and finds where each of its streams starts.</summary>
internal sealed class SubscriptionStarter(AccessPolicy access, EventStore store, StoreEpoch epoch, StreamFeed feed, TimeProvider time)
{
    public const int MostTopics = 100;

    private readonly Gathering<string, StreamHead> _heads = new(streams => store.ReadHeadsAsync(streams, CancellationToken.None));

    public long AccessRevision => access.Revision;

    public async Task<Outcome<(Subscription Subscription, SubscribeAnswer Answer)>> StartAsync(
        string sessionId, Caller caller, SubscribeRequest request, int number, Action wake, CancellationToken cancellationToken)
    {
        if (await access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;

        var faults = new FaultList();
        var interests = Interest.Read(request.Interests, faults);
        var topics = (request.Topics ?? []).Concat(interests.Select(interest => interest.Topic).OfType<string>()).Distinct(StringComparer.Ordinal).ToList();
        CheckTopics(caller, request, interests, faults);
        if (!TryReadFrom(request.From, out var from))
            faults.Add(FaultCodes.Invalid, "/from", "Must be 'now', 'start' or an RFC 3339 time with an offset.");
        if (request.Cursor is { } cursor && (cursor.Epoch is null || cursor.Streams is null || cursor.Streams.Values.Any(position => position < 0)))
            faults.Add(FaultCodes.Invalid, "/cursor", "Must be {epoch, streams} with positions of 0 or more.");
        if (!faults.IsEmpty)
            return faults.ToFault();

        var subscription = new Subscription(
            sessionId, caller.Sub, request.App, number, access.ScopeOfUser(caller, request.App), interests, feed, time.GetUtcNow(), Interest.ToEvidence(request.Interests));
        try
        {
            StreamName[] names = [StreamName.OfApp(request.App), StreamName.OfUser(request.App, caller.Sub), .. topics.Select(topic => StreamName.OfTopic(request.App, topic))];
            subscription.Listen(names, wake);
            var honoured = await PlaceAsync(subscription, request.Cursor, from, cancellationToken);
            var positions = subscription.Streams.ToDictionary(stream => stream.Stream.Name.Text, stream => stream.Position, StringComparer.Ordinal);
            return (subscription, new SubscribeAnswer(request.App, number, epoch.Value, positions, Reset: !honoured));
        }
        catch
        {
            subscription.Dispose();
            throw;
        }
    }

    /// <summary>Whether what the caller came by still counts.</summary>
    public ValueTask<Fault?> RefuseAsync(Caller caller, CancellationToken cancellationToken) => access.RefuseAsync(caller, cancellationToken);

    /// <summary>Whether the caller may still have the subscription.</summary>
    public async ValueTask<Fault?> JudgeAsync(Caller caller, Subscription subscription, CancellationToken cancellationToken)
    {
        if (await access.RefuseAsync(caller, cancellationToken) is { } gone)
            return gone;
        if (await access.EnterAsync(caller, subscription.App, cancellationToken) is { } refused)
            return refused;
        return subscription.Topics.FirstOrDefault(topic => !access.MayFollow(caller, subscription.App, topic)) is { } lost
            ? new Fault(FaultCodes.TopicForbidden, $"The token no longer gives access to the topic '{lost}'.")
            : null;
    }

    private void CheckTopics(Caller caller, SubscribeRequest request, List<Interest> interests, FaultList faults)
    {
        if (request.Topics?.Count > MostTopics)
        {
            faults.Add(FaultCodes.TooLarge, "/topics", $"At most {MostTopics} topics.");
            return;
        }

        for (var i = 0; i < (request.Topics?.Count ?? 0); i++)
            CheckTopic(caller, request.App, request.Topics![i], $"/topics/{i}", faults);
        for (var i = 0; i < interests.Count; i++)
        {
            if (interests[i].Topic is { } topic)
                CheckTopic(caller, request.App, topic, $"/interests/{i}/topic", faults);
        }
    }

    private void CheckTopic(Caller caller, string app, string? topic, string pointer, FaultList faults)
    {
        if (!Names.IsTopic(topic))
            faults.Add(FaultCodes.Invalid, pointer, "Is not a topic.");
        else if (!access.MayFollow(caller, app, topic!))
            faults.Add(FaultCodes.TopicForbidden, pointer, "The token gives no access to this topic, or there is none.");
    }

    /// <summary>Gives every stream its start.</summary>
    /// <returns>False: the cursor could not be honoured, and all streams start at their heads.</returns>
    private async Task<bool> PlaceAsync(Subscription subscription, Cursor? cursor, From from, CancellationToken cancellationToken)
    {
        var heads = await _heads.AskAsync(subscription.Streams.Select(stream => stream.Stream.Name.Text), cancellationToken);
        var none = new StreamHead(0, DateTimeOffset.MinValue);
        var honoured = cursor is null || cursor.Epoch == epoch.Value;
        foreach (var stream in subscription.Streams)
        {
            var head = heads.GetValueOrDefault(stream.Stream.Name.Text, none);
            if (honoured && cursor?.Streams.TryGetValue(stream.Stream.Name.Text, out var position) == true)
                honoured = await TryResumeAsync(stream, position, head, subscription.Scope, cancellationToken);
            else
                await StartFreshAsync(stream, head, from, cancellationToken);
        }

        feed.Announce(subscription.Streams.Select(stream => new StreamAdvance(stream.Stream.Name.Text, heads.GetValueOrDefault(stream.Stream.Name.Text, none).Position)));
        if (!honoured)
        {
            foreach (var stream in subscription.Streams)
            {
                var head = heads.GetValueOrDefault(stream.Stream.Name.Text, none);
                stream.StartAt(head.Position, head.RecordedAt);
            }
        }

        return honoured;
    }

    /// <summary>A position is honoured when it is the head, or the event after it is still kept.</summary>
    private async Task<bool> TryResumeAsync(StreamPosition stream, long position, StreamHead head, ReadScope scope, CancellationToken cancellationToken)
    {
        if (position == head.Position)
        {
            stream.StartAt(position, head.RecordedAt, resumed: true);
            return true;
        }

        if (position > head.Position)
            return false;
        var one = new ReadLimit(Events: 1);
        // Many who come back at once stand at the same place: the tail, when it reaches so far, is read for all of them.
        if (!stream.Stream.TryRead(position, one, out var next)
            && !(await stream.Stream.TryLoadAsync(store, position, cancellationToken) && stream.Stream.TryRead(position, one, out next)))
            next = await store.ReadAsync(stream.Stream.Name.Text, position, DateTimeOffset.MinValue, one, scope, cancellationToken);
        if (next is not [{ } first] || first.Position != position + 1)
            return false;
        stream.StartAt(position, first.RecordedAt, resumed: true);
        return true;
    }

    private async Task StartFreshAsync(StreamPosition stream, StreamHead head, From from, CancellationToken cancellationToken)
    {
        if (!from.Now && head.Position > 0 && await store.FindPositionBeforeAsync(stream.Stream.Name.Text, from.Time, cancellationToken) is { } before)
            stream.StartAt(before, from.Time);
        else
            stream.StartAt(head.Position, head.RecordedAt);
    }

    private static bool TryReadFrom(string? text, out From from)
    {
        from = text switch
        {
            null or "now" => new From(Now: true, default),
            "start" => new From(Now: false, DateTimeOffset.MinValue),
            _ => new From(Now: false, DraftReader.TryParseTime(text, out var time) ? time : DateTimeOffset.MaxValue),
        };
        return from.Time != DateTimeOffset.MaxValue;
    }

    private readonly record struct From(bool Now, DateTimeOffset Time);
}
