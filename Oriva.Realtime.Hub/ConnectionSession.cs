using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub;

/// <summary>A connection's session and the task that pushes for it.</summary>
internal sealed partial class ConnectionSession
{
    private static readonly object s_key = new();

    private readonly CancellationTokenSource _closing = new();
    private readonly Task _pushing;

    private ConnectionSession(HubCallerContext connection, Session session, ILogger logger)
    {
        Session = session;
        _pushing = PushAsync(connection, logger);
    }

    public Session Session { get; }

    public static void Start(HubCallerContext connection, SessionFactory sessions, IHubContext<RealtimeHub, IRealtimeClient> clients, ILogger logger)
    {
        var output = new HubOutput(clients.Clients.Client(connection.ConnectionId));
        var session = sessions.Open(connection.User!.GetCaller(), output);
        connection.Items[s_key] = new ConnectionSession(connection, session, logger);
    }

    public static ConnectionSession Of(HubCallerContext connection) => (ConnectionSession)connection.Items[s_key]!;

    public async Task StopAsync()
    {
        await _closing.CancelAsync();
        Session.Dispose();
        await _pushing;
        _closing.Dispose();
    }

    private async Task PushAsync(HubCallerContext connection, ILogger logger)
    {
        try
        {
            await Session.RunAsync(_closing.Token);
        }
        catch (Exception e)
        {
            // A session that no longer pushes is worse than none: the client reconnects with its cursor and misses nothing.
            LogFailed(logger, e, connection.ConnectionId);
            connection.Abort();
        }
    }

    /// <summary>Awaits the connection's own write, so that a slow reader holds up its session and nobody else.</summary>
    private sealed class HubOutput(IRealtimeClient client) : ISessionOutput
    {
        public string Kind => "hub";

        public ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken) => new(client.events(batch).WaitAsync(cancellationToken));

        public ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken) =>
            new(client.reset(new SubscriptionReset(app, reason)).WaitAsync(cancellationToken));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The session of connection {Connection} failed; the connection is closed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string connection);
}
