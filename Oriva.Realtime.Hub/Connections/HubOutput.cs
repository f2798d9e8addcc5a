using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// Writes to one SignalR connection. It awaits the connection's own write, so that a slow reader holds up its session and nobody else; and a batch that
/// several sessions get is encoded once a protocol.
/// </summary>
/// <param name="leave">Takes the connection out of an app's groups.</param>
internal sealed class HubOutput(HubConnectionContext connection, Action<string> leave) : ISessionOutput
{
    public string Kind => "hub";

    public ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken) =>
        connection.WriteAsync(batch.GetOrEncode(static batch => Encode(nameof(IRealtimeClient.events), batch)), cancellationToken);

    public ValueTask SignalAsync(object frame, CancellationToken cancellationToken) => connection.WriteAsync((SerializedHubMessage)frame, cancellationToken);

    public ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken)
    {
        leave(app);
        return connection.WriteAsync(Encode(nameof(IRealtimeClient.reset), new SubscriptionReset(app, reason)), cancellationToken);
    }

    /// <summary>A signal as <see cref="SignalAsync"/> takes it: encoded once a protocol, for however many.</summary>
    public static object EncodeSignal(SignalMessage signal) => Encode(nameof(IRealtimeClient.signal), signal);

    public static SerializedHubMessage Encode(string target, object argument) => new(new InvocationMessage(target, [argument]));
}
