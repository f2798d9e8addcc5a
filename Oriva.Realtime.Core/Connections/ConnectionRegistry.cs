using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Connections;

/// <summary>
/// This node's hub connections, and their rows in the store, by which every node knows all connections. A connection that opens, closes or subscribes is
/// written within about half a second, many in one statement and none on the connection's own way; what else changes about it, every few seconds.
/// </summary>
/// <remarks>
/// The node is right about its own connections: a row is written as a whole, and opened again where others closed it by mistake. While the store is away,
/// what is open waits to be written, and what has closed, up to <see cref="MostClosedWaiting"/>; beyond that, rows without a connection are closed afterwards.
/// </remarks>
public sealed partial class ConnectionRegistry : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_figuresInterval = TimeSpan.FromSeconds(5);

    private const int RowsAStatement = 500;
    private const int BytesAStatement = 4 * 1024 * 1024;

    /// <summary>Publishes share the database: what is not urgent takes its time.</summary>
    private const int FiguresATurn = 250;

    private const int MostClosedWaiting = 50_000;

    private readonly ClusterStore _store;
    private readonly NodeIdentity _self;
    private readonly NodeRegistry _nodes;
    private readonly UserBlocks _blocks;
    private readonly TimeProvider _time;
    private readonly ILogger<ConnectionRegistry> _logger;

    private readonly ConcurrentDictionary<string, LiveConnection> _open = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<LiveConnection> _urgent = new();

    /// <summary>Whose figures are looked at next: all open ones, in turn.</summary>
    private readonly ConcurrentQueue<LiveConnection> _rotation = new();
    private volatile bool _forgot;

    internal ConnectionRegistry(
        ClusterStore store, NodeIdentity self, NodeRegistry nodes, NodeCommands commands, UserBlocks blocks, TimeProvider time, ILogger<ConnectionRegistry> logger)
    {
        _store = store;
        _self = self;
        _nodes = nodes;
        _blocks = blocks;
        _time = time;
        _logger = logger;
        nodes.Load = ReadLoad;
        nodes.CameBack = WriteAll;
        nodes.AfterBeat(blocks.RefreshAsync);
        commands.Handle(NodeCommandKinds.Disconnect, DisconnectAsync);
        commands.Handle(NodeCommandKinds.DisconnectUser, DisconnectUserAsync);
    }

    /// <summary>Hub connections that are open on this node.</summary>
    public int Count => _open.Count;

    /// <param name="close">Closes it from this side, for a reason out of <see cref="CloseReasons"/>.</param>
    public LiveConnection Open(Session session, ConnectionOrigin origin, Func<string, Task> close)
    {
        var connection = new LiveConnection(session, origin, close, _time);
        _open[connection.Id] = connection;
        session.SubscriptionsChanged = () => Write(connection);
        _rotation.Enqueue(connection);
        Write(connection);
        return connection;
    }

    /// <summary>The connection has gone. To be called while its session still says where it stood.</summary>
    public void Close(LiveConnection connection, string reason)
    {
        connection.Session.SubscriptionsChanged = null;
        if (!_open.TryRemove(connection.Id, out _))
            return;
        connection.Close(reason);
        Write(connection);
    }

    internal LiveConnection? Find(string id) => _open.GetValueOrDefault(id);

    /// <summary>Writes what is urgent, and some of what else has changed.</summary>
    internal async Task RunOnceAsync()
    {
        // Entering the node closes what an earlier start of it left open.
        if (!_nodes.HasEntered)
            return;
        while (!_urgent.IsEmpty)
            await SaveUrgentAsync();
        if (_forgot)
        {
            _forgot = false;
            await SaveOrRepeatAsync(() => _store.CloseUnknownAsync(_self.Id, _open.Keys), () => _forgot = true);
        }

        await SaveFiguresAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await RunGuardedAsync(RunOnceAsync);
            await Task.Delay(s_interval, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await RunGuardedAsync(RunOnceAsync);
    }

    private async Task RunGuardedAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (StoreException e)
        {
            LogPutOff(e.Message);
            Forget();
        }
        catch (Exception e)
        {
            LogFailed(e);
        }
    }

    /// <summary>Bounds what is kept for a store that is away: of those that have closed, beyond some, only that there were more is remembered.</summary>
    private void Forget()
    {
        for (var left = _rotation.Count; left > 0 && _rotation.Count > _open.Count + MostClosedWaiting && _rotation.TryDequeue(out var connection); left--)
        {
            if (!connection.IsClosed)
                _rotation.Enqueue(connection);
        }

        for (var left = _urgent.Count; left > 0 && _urgent.Count > _open.Count + MostClosedWaiting && _urgent.TryDequeue(out var connection); left--)
        {
            if (connection.IsClosed)
                _forgot = true; // still marked, so that it is not queued again
            else
                _urgent.Enqueue(connection);
        }
    }

    private void Write(LiveConnection connection)
    {
        if (connection.MarkQueued())
            _urgent.Enqueue(connection);
    }

    private void WriteAll()
    {
        foreach (var connection in _open.Values)
            Write(connection);
    }

    private async Task SaveUrgentAsync()
    {
        // Taken before any is unmarked, so that none is in the batch twice.
        var waiting = new List<LiveConnection>();
        while (waiting.Count < RowsAStatement && _urgent.TryDequeue(out var next))
            waiting.Add(next);

        var (taken, states) = (new List<LiveConnection>(), new List<ConnectionState>());
        var bytes = 0;
        foreach (var connection in waiting)
        {
            // Unmarked first: what changes from here on is written again.
            connection.UnmarkQueued();
            if (bytes < BytesAStatement)
                bytes += Add(connection, taken, states);
            else
                Write(connection);
        }

        await SaveOrRepeatAsync(() => _store.SaveConnectionsAsync(_self.Id, states), () => taken.ForEach(Write));
    }

    private async Task SaveFiguresAsync()
    {
        var taken = new List<LiveConnection>();
        var states = new List<ConnectionState>();
        var bytes = 0;
        for (var left = _rotation.Count; left > 0 && taken.Count < FiguresATurn && bytes < BytesAStatement && _rotation.TryDequeue(out var connection); left--)
        {
            if (connection.IsClosed)
                continue;
            _rotation.Enqueue(connection);
            if (_time.GetElapsedTime(connection.LookedAt) < s_figuresInterval)
                continue;
            connection.LookedAt = _time.GetTimestamp();
            if (connection.Fingerprint() != connection.WrittenFingerprint)
                bytes += Add(connection, taken, states);
        }

        // One that has closed meanwhile is written as closed; the queue says so again, which does no harm.
        if (taken.Count > 0)
            await SaveOrRepeatAsync(() => _store.SaveConnectionsAsync(_self.Id, states), () => taken.ForEach(connection => connection.WrittenFingerprint = 0));
    }

    private int Add(LiveConnection connection, List<LiveConnection> taken, List<ConnectionState> states)
    {
        (connection.WrittenFingerprint, connection.LookedAt) = (connection.IsClosed ? 0 : connection.Fingerprint(), _time.GetTimestamp());
        var state = connection.Describe();
        taken.Add(connection);
        states.Add(state);
        return state.Subscriptions.GetRawText().Length;
    }

    private static async Task SaveOrRepeatAsync(Func<Task> save, Action repeat)
    {
        try
        {
            await save();
        }
        catch
        {
            repeat();
            throw;
        }
    }

    private ConnectionLoad ReadLoad()
    {
        var open = _open.Values;
        return new ConnectionLoad(open.Count, open.Select(connection => connection.UserId).Distinct(StringComparer.Ordinal).Count(), open.Sum(connection => connection.Session.Behind));
    }

    private async Task<int> DisconnectAsync(NodeCommand command)
    {
        if (Find(command.Target ?? "") is not { } connection)
            return 0;
        await connection.CloseAsync(CloseReasons.Disconnected);
        return 1;
    }

    private async Task<int> DisconnectUserAsync(NodeCommand command)
    {
        var (app, user) = command.Target?.Split('/') switch
        {
            [var of, var name] => (of, name),
            _ => (null, command.Target),
        };
        // Blocks before anything is closed, so that who was blocked does not come back; and who is there before them, because they end sessions too.
        var closing = Find(user, app);
        await _blocks.RefreshAsync();
        closing = [.. closing.Union(Find(user, app))];
        await Task.WhenAll(closing.Select(connection =>
            connection.CloseAsync(_blocks.Refuse(connection.Session.Caller) is null ? CloseReasons.Disconnected : CloseReasons.UserBlocked)));
        return closing.Count;
    }

    private List<LiveConnection> Find(string? user, string? app) =>
        [.. _open.Values.Where(connection => connection.UserId == user && (app is null || connection.Session.IsSubscribedTo(app)))];

    [LoggerMessage(Level = LogLevel.Debug, Message = "Connections are written later: {Reason}")]
    private partial void LogPutOff(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Connections could not be written")]
    private partial void LogFailed(Exception exception);
}
