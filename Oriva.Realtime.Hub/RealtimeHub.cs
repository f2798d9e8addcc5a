using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Connections;

namespace Oriva.Realtime.Hub;

/// <summary>The hub at <c>/hubs/realtime</c>. Each connection has one session, which pushes on its own; the methods only steer it.</summary>
[Authorize]
public sealed class RealtimeHub(EventPublisher publisher, Inbox inbox, AccessPolicy access, UserBlocks blocks, Presence presence, TokenCheck checkToken, TimeProvider time) : Hub<IRealtimeClient>
{
    private ConnectionSession Connection => ConnectionSession.Of(Context);

    private Caller Caller => Connection.Session.Caller;

    private const double LongestRoundTripMs = 600_000;

    public override Task OnConnectedAsync()
    {
        if (Connection.IsOverLimit)
            throw ToException(Connection.Refuse(new Fault(FaultCodes.LimitExceeded, "The user has too many connections to this node.")));
        // Blocked after the request was let in, and before there was a session to end.
        return blocks.Refuse(Caller) is { } blocked ? throw ToException(Connection.Refuse(blocked)) : Task.CompletedTask;
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        Connection.HasBrokenOff = exception is not null;
        return Task.CompletedTask;
    }

    /// <summary>Subscribes to an app's streams, in place of an earlier subscription to the same app.</summary>
    public async Task<SubscribeAnswer> Subscribe(SubscribeRequest? request)
    {
        var answer = Unwrap(await Connection.Session.SubscribeAsync(request ?? new SubscribeRequest(""), Context.ConnectionAborted));
        Connection.FollowSubscription(answer.App, Connection.Session.TopicsOf(answer.App));
        return answer;
    }

    /// <summary>Ends the subscription to an app, if there is one.</summary>
    public void Unsubscribe(string? app)
    {
        if (Connection.Session.Unsubscribe(app ?? ""))
            Connection.LeaveApp(app!);
    }

    /// <summary>The client has handled what it was sent up to these positions.</summary>
    public void Ack(AckRequest? request)
    {
        if (request is not { App: not null, Streams: not null })
            throw ToException(Fault.Invalid("/streams", "Required: {app, streams: {stream: seq}}."));
        if (Connection.Session.Ack(request.App, request.Streams) is { } fault)
            throw ToException(fault);
    }

    /// <summary>Takes a fresh token of the same user, without reconnecting.</summary>
    public async Task Renew(string? token)
    {
        var caller = Unwrap(await checkToken(token ?? "", Context.ConnectionAborted));
        if (Connection.Session.Renew(caller) is { } fault)
            throw ToException(fault);
    }

    /// <summary>Publishes one event. The receipt means durable.</summary>
    public async Task<Receipt> Publish(JsonElement draft)
    {
        var read = DraftReader.Read(draft.ValueKind == JsonValueKind.Array ? default : draft);
        return read.Value is { } drafts ? Unwrap(await publisher.PublishAsync(Caller, drafts[0], Context.ConnectionAborted)) : throw ToException(read.Fault!);
    }

    /// <summary>Sends what need not be kept to a topic's followers or to a user's own devices. Nobody waits for anybody.</summary>
    public async Task Signal(SignalRequest? request)
    {
        var checkedRequest = Unwrap(await SignalPolicy.CheckAsync(Caller, request, access, Context.ConnectionAborted));
        var group = checkedRequest.Topic is { } topic
            ? GroupNames.OfTopic(checkedRequest.App, topic)
            : GroupNames.OfUser(checkedRequest.App, checkedRequest.UserId!);
        await Clients.Group(group).signal(new SignalMessage(
            checkedRequest.App, checkedRequest.Topic, checkedRequest.UserId, Caller.Sub, checkedRequest.Name, checkedRequest.Data, time.GetUtcNow()));
    }

    /// <summary>Marks some of the user's notifications, all of one app: <c>seen</c>, <c>read</c>, <c>unread</c>, <c>archived</c>, <c>unarchived</c>.</summary>
    public async Task<InboxCounts> MarkNotifications(MarkRequest? request)
    {
        InboxMark mark = request?.State switch
        {
            "seen" => InboxMark.Seen,
            "read" => InboxMark.Read,
            "unread" => InboxMark.Unread,
            "archived" => InboxMark.Archived,
            "unarchived" => InboxMark.Unarchived,
            _ => throw ToException(Fault.Invalid("/state", "Must be one of seen, read, unread, archived, unarchived.")),
        };
        var ids = (request!.Ids ?? []).Select(id => Guid.TryParse(id, out var parsed) ? parsed : Guid.Empty).ToList();
        return Unwrap(await inbox.MarkAsync(Caller, ids, mark, Context.ConnectionAborted)).Counts;
    }

    /// <summary>Who has a live subscription to the app, or to a topic of it, on any node. From then on signals named <c>presence</c> say who comes and goes.</summary>
    public async Task<PresenceAnswer> Presence(PresenceRequest? request) =>
        Unwrap(await presence.WatchAsync(Connection.Registered, request, HubOutput.EncodeSignal, Context.ConnectionAborted));

    /// <summary>Answers at once, so that a client can time it; and takes what the client measured last.</summary>
    public PingAnswer Ping(PingRequest? request)
    {
        if (request?.RoundTripMs is { } measured)
        {
            if (!(measured is >= 0 and <= LongestRoundTripMs))
                throw ToException(Fault.Invalid("/roundTripMs", $"Must be 0 to {LongestRoundTripMs}."));
            Connection.Registered.Measured(measured);
        }

        return new PingAnswer(time.GetUtcNow());
    }

    private static T Unwrap<T>(Outcome<T> outcome) => outcome.Fault is { } fault ? throw ToException(fault) : outcome.Value!;

    /// <summary>The contract's form: the code, a colon, and what a developer needs to mend it.</summary>
    private static HubException ToException(Fault fault)
    {
        var errors = fault.Errors is { Count: > 0 } ? " " + JsonSerializer.Serialize(fault.Errors) : "";
        var ids = fault.EventIds is { Count: > 0 } ? " ids: " + JsonSerializer.Serialize(fault.EventIds) : "";
        return new HubException($"{fault.Code}: {fault.Message}{errors}{ids}");
    }
}

/// <param name="State">What to mark them as.</param>
public sealed record MarkRequest(IReadOnlyList<string>? Ids, string? State);

/// <param name="RoundTripMs">How long the client waited for an earlier answer.</param>
public sealed record PingRequest(double? RoundTripMs);

/// <param name="At">The service's time.</param>
public sealed record PingAnswer(DateTimeOffset At);
