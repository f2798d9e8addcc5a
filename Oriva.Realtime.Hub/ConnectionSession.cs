using Microsoft.AspNetCore.Http.Features;
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

    public static void Start(HubCallerContext connection, SessionFactory sessions, ILogger logger)
    {
        var output = new HubOutput(connection.Features.GetRequiredFeature<HubConnectionContext>());
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

    [LoggerMessage(Level = LogLevel.Error, Message = "The session of connection {Connection} failed; the connection is closed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string connection);
}
