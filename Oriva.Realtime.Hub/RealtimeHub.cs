using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub;

/// <summary>The hub at <c>/hubs/realtime</c>. Each connection has one session, which pushes on its own; the methods only steer it.</summary>
[Authorize]
public sealed class RealtimeHub(SessionFactory sessions, EventPublisher publisher, ILogger<RealtimeHub> logger)
    : Hub<IRealtimeClient>
{
    public override Task OnConnectedAsync()
    {
        ConnectionSession.Start(Context, sessions, logger);
        return Task.CompletedTask;
    }

    public override Task OnDisconnectedAsync(Exception? exception) => ConnectionSession.Of(Context).StopAsync();

    /// <summary>Subscribes to an app's streams, in place of an earlier subscription to the same app.</summary>
    public async Task<SubscribeAnswer> Subscribe(SubscribeRequest? request) =>
        Unwrap(await ConnectionSession.Of(Context).Session.SubscribeAsync(request ?? new SubscribeRequest(""), Context.ConnectionAborted));

    /// <summary>Ends the subscription to an app, if there is one.</summary>
    public void Unsubscribe(string app) => ConnectionSession.Of(Context).Session.Unsubscribe(app ?? "");

    /// <summary>Publishes one event. The receipt means durable.</summary>
    public async Task<Receipt> Publish(JsonElement draft)
    {
        var read = DraftReader.Read(draft.ValueKind == JsonValueKind.Array ? default : draft);
        return read.Value is { } drafts
            ? Unwrap(await publisher.PublishAsync(Context.User!.GetCaller(), drafts[0], Context.ConnectionAborted))
            : throw ToException(read.Fault!);
    }

    private static T Unwrap<T>(Outcome<T> outcome) => outcome.Fault is { } fault ? throw ToException(fault) : outcome.Value!;

    /// <summary>The contract's form: the code, a colon, and what a developer needs to mend it.</summary>
    private static HubException ToException(Fault fault)
    {
        var details = fault.Errors is { Count: > 0 } errors ? " " + JsonSerializer.Serialize(errors) : "";
        return new HubException($"{fault.Code}: {fault.Message}{details}");
    }
}
