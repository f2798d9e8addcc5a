using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Connections.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>A connection's session, the task that pushes for it, and the groups that it is in.</summary>
internal sealed partial class ConnectionSession
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly HubConnectionContext _connection;
    private readonly ConnectionLifetimeManager _connections;
    private readonly ConnectionRegistry _registry;
    private readonly Presence _presence;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _closing = new();
    private Task _pushing = Task.CompletedTask;

    private ConnectionSession(
        HubConnectionContext connection, SessionFactory sessions, ConnectionRegistry registry, Presence presence, ConnectionLifetimeManager connections, ILogger logger)
    {
        _connection = connection;
        _connections = connections;
        _registry = registry;
        _presence = presence;
        _logger = logger;
        Session = sessions.Open(connection.User.GetCaller(), new HubOutput(connection, LeaveApp), connection.ConnectionId);
        Registered = registry.Open(Session, OriginOf(connection), reason => CloseAsync(reason, mayReconnect: false));
    }

    public string ConnectionId => _connection.ConnectionId;

    public string UserId => Session.Caller.Sub;

    public Session Session { get; }

    /// <summary>The connection as the registry has it.</summary>
    public LiveConnection Registered { get; }

    /// <summary>The user has more connections than allowed; the hub refuses this one with a code.</summary>
    public bool IsOverLimit { get; set; }

    /// <summary>Why this side closed the connection; null: it did not.</summary>
    public string? CloseReason { get; private set; }

    /// <summary>The connection broke off, and its client did not say goodbye.</summary>
    public bool HasBrokenOff { get; set; }

    /// <summary>Changed by one hub call at a time, which SignalR sees to.</summary>
    public GroupNames Groups { get; } = new();

    public static ConnectionSession Start(
        HubConnectionContext connection, SessionFactory sessions, ConnectionRegistry registry, Presence presence, ConnectionLifetimeManager connections, ILogger logger)
    {
        var started = new ConnectionSession(connection, sessions, registry, presence, connections, logger);
        connection.Features.Set(started);
        started._pushing = started.PushAsync();
        return started;
    }

    public static ConnectionSession Of(HubCallerContext connection) =>
        connection.Features.Get<ConnectionSession>() ?? throw new InvalidOperationException("The connection has no session.");

    /// <summary>The hub is about to close the connection for this.</summary>
    public Fault Refuse(Fault fault)
    {
        CloseReason ??= fault.Code;
        return fault;
    }

    /// <summary>The groups that <c>IHubContext</c> senders know follow the subscription.</summary>
    public void FollowSubscription(string app, IEnumerable<string> topics)
    {
        string[] wanted = [GroupNames.OfApp(app), GroupNames.OfUser(app, UserId), .. topics.Select(topic => GroupNames.OfTopic(app, topic))];
        foreach (var group in Groups.In(app).Except(wanted).ToList())
            _connections.Leave(this, group);
        foreach (var group in wanted)
            _connections.Join(this, group);
    }

    public void LeaveApp(string app)
    {
        _presence.Leave(ConnectionId, app);
        foreach (var group in Groups.In(app).ToList())
            _connections.Leave(this, group);
    }

    /// <summary>Tells the client to reconnect, after so long. It comes after what the session has begun to send, and waits for no reader.</summary>
    public void SayGoodbye(string reason, TimeSpan retryAfter) =>
        Session.Signal(HubOutput.Encode(nameof(IRealtimeClient.goodbye), new Goodbye(reason, (long)Math.Max(0, retryAfter.TotalMilliseconds))));

    /// <summary>
    /// Closes the connection from this side. A client that may reconnect is told so, because official clients do not reconnect after a close that does not
    /// say it; one that does not read is cut off.
    /// </summary>
    /// <param name="reason">For the registry and, where the client is not to come back, for the client: a code.</param>
    public async Task CloseAsync(string reason, bool mayReconnect)
    {
        CloseReason ??= reason;
        try
        {
            await _connection.WriteAsync(new CloseMessage(mayReconnect ? null : $"{reason}: The service has closed the connection.", mayReconnect)).AsTask().WaitAsync(s_patience);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // It does not read, or has gone.
        }

        _connection.Abort();
    }

    /// <param name="nodeStops">The node closes all connections.</param>
    public async Task StopAsync(bool nodeStops)
    {
        await _closing.CancelAsync();
        await _pushing;
        _registry.Close(Registered, CloseReason ?? (nodeStops ? CloseReasons.NodeStopped : HasBrokenOff ? CloseReasons.Aborted : CloseReasons.Client));
        _presence.Leave(ConnectionId);
        Session.Dispose();
        _closing.Dispose();
    }

    private async Task PushAsync()
    {
        try
        {
            await Session.RunAsync(_closing.Token);
            if (_closing.IsCancellationRequested)
                return;
            CloseReason ??= Session.EndReason;
            LogEnded(_logger, ConnectionId, Session.EndReason);
            if (Session.EndReason == CloseReasons.UserBlocked)
            {
                await CloseAsync(CloseReasons.UserBlocked, mayReconnect: false);
                return;
            }
        }
        catch (Exception e)
        {
            CloseReason ??= CloseReasons.SessionFailed;
            // A session that no longer pushes is worse than none: the client reconnects with its cursor and misses nothing.
            LogFailed(_logger, e, ConnectionId);
        }

        _connection.Abort();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The session of connection {Connection} failed; the connection is closed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string connection);

    private static ConnectionOrigin OriginOf(HubConnectionContext connection)
    {
        var http = connection.GetHttpContext();
        var transport = connection.Features.Get<IHttpTransportFeature>()?.TransportType switch
        {
            HttpTransportType.WebSockets => ConnectionOrigin.WebSockets,
            HttpTransportType.ServerSentEvents => ConnectionOrigin.ServerSentEvents,
            HttpTransportType.LongPolling => ConnectionOrigin.LongPolling,
            _ => "other",
        };
        return new ConnectionOrigin(transport, connection.Protocol.Name, http?.Connection.RemoteIpAddress?.ToString(), http?.Request.Headers.UserAgent.ToString() is { Length: > 0 } agent ? agent : null);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Connection {Connection} is closed: {Reason}")]
    private static partial void LogEnded(ILogger logger, string connection, string? reason);
}
