using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.StackExchangeRedis;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Diagnostics;
using StackExchange.Redis;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// SignalR's own Redis backplane, behind which nobody waits: sends reach this node's connections at once, and the other nodes' by Redis. Connections are
/// served whether it is there or not; they are entered in the background, and all of them anew after an outage. What is sent meanwhile stays on its node:
/// sends are signals.
/// </summary>
/// <remarks>
/// The stock manager is given a stand-in for each connection, whose writes go to the session's queue. It is a new manager after each outage, because one
/// that was interrupted may believe that it follows what it does not.
/// </remarks>
internal sealed partial class Backplane(
    RedisConnection redis, SignalOrigin origin, IHubProtocolResolver protocols, RealtimeMetrics metrics, TimeProvider time, ILoggerFactory loggers) : BackgroundService
{
    /// <summary>Connections that are entered at the same time.</summary>
    private const int Lanes = 16;

    /// <summary>Sends that Redis has not answered; more are dropped.</summary>
    private const int MostUnderWay = 1_024;

    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(1);

    private readonly ILogger<Backplane> _logger = loggers.CreateLogger<Backplane>();
    private readonly ConcurrentDictionary<ConnectionSession, Entry> _entries = new();
    private readonly Channel<Entry>[] _lanes = [.. Enumerable.Range(0, Lanes).Select(_ => Channel.CreateUnbounded<Entry>())];
    private volatile RedisHubLifetimeManager<RealtimeHub>? _manager;
    private int _underWay;

    /// <summary>Sends to the other nodes, if Redis is there. Never waits and never fails.</summary>
    public void Send(Func<HubLifetimeManager<RealtimeHub>, Task> send)
    {
        if (_manager is not { } manager || !redis.IsUp)
            return;
        if (Volatile.Read(ref _underWay) >= MostUnderWay)
            metrics.SignalDropped();
        else
            _ = SendAsync(manager, send);
    }

    /// <summary>Connections that are entered, or about to be.</summary>
    public int Count => _entries.Count;

    /// <summary>The connection is new.</summary>
    public void Came(ConnectionSession session)
    {
        if (redis.IsConfigured)
            Enqueue(_entries.GetOrAdd(session, static session => new Entry(session)));
    }

    /// <summary>The connection's groups have changed.</summary>
    public void Changed(ConnectionSession session)
    {
        if (_entries.TryGetValue(session, out var entry))
            Enqueue(entry);
    }

    /// <summary>The connection is closed.</summary>
    public void Left(ConnectionSession session)
    {
        if (!_entries.TryRemove(session, out var entry))
            return;
        entry.HasLeft = true;
        Enqueue(entry);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (redis.IsConfigured && !stoppingToken.IsCancellationRequested)
        {
            try
            {
                var uptime = await redis.WaitAsync(stoppingToken);
                using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, uptime.Ended);
                await ServeAsync(ending);
            }
            catch (OperationCanceledException)
            {
                // The node stops, or Redis has gone.
            }
            catch (Exception e)
            {
                // Whatever it is, it must not end the node.
                LogInterrupted(e.Message);
            }

            await Task.Delay(s_retry, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ServeAsync(CancellationTokenSource ending)
    {
        // A connection of its own: the manager closes it, and large signals do not hold up the feed.
        var configuration = redis.ReadOptions();
        using var manager = new RedisHubLifetimeManager<RealtimeHub>(
            loggers.CreateLogger<RedisHubLifetimeManager<RealtimeHub>>(),
            Options.Create(new RedisOptions { Configuration = configuration, ConnectionFactory = async _ => await ConnectionMultiplexer.ConnectAsync(configuration) }),
            origin.AddTo(protocols));
        _manager = manager;
        try
        {
            foreach (var (_, entry) in _entries)
                Enqueue(entry);
            var entering = _lanes.Select(lane => EnterAsync(lane.Reader, manager, ending.Token)).ToList();
            await Task.WhenAny(entering);
            await ending.CancelAsync();
            await Task.WhenAll(entering);
        }
        finally
        {
            _manager = null;
        }
    }

    private async Task EnterAsync(ChannelReader<Entry> lane, RedisHubLifetimeManager<RealtimeHub> manager, CancellationToken ending)
    {
        await foreach (var entry in lane.ReadAllAsync(ending))
        {
            // Unmarked first: what changes from here on is aligned again.
            entry.UnmarkQueued();
            await entry.AlignAsync(manager, origin, loggers);
        }
    }

    /// <summary>While there is no manager nothing is queued: the next one begins with all that are there.</summary>
    private void Enqueue(Entry entry)
    {
        if (_manager is not null && entry.MarkQueued())
            _lanes[(uint)entry.Session.ConnectionId.GetHashCode(StringComparison.Ordinal) % Lanes].Writer.TryWrite(entry);
    }

    private async Task SendAsync(HubLifetimeManager<RealtimeHub> manager, Func<HubLifetimeManager<RealtimeHub>, Task> send)
    {
        Interlocked.Increment(ref _underWay);
        try
        {
            await send(manager);
        }
        catch (Exception e)
        {
            LogLost(e.Message);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A signal did not reach the other nodes: {Reason}")]
    private partial void LogLost(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Connections are entered at Redis anew: {Reason}")]
    private partial void LogInterrupted(string reason);

    /// <summary>A connection, and what the stock manager knows of it.</summary>
    private sealed class Entry(ConnectionSession session)
    {
        private readonly HashSet<string> _entered = new(StringComparer.Ordinal);
        private RedisHubLifetimeManager<RealtimeHub>? _manager;
        private StandIn? _standIn;
        private int _queued;

        public ConnectionSession Session { get; } = session;

        public bool HasLeft { get; set; }

        public bool MarkQueued() => Interlocked.Exchange(ref _queued, 1) == 0;

        public void UnmarkQueued() => Interlocked.Exchange(ref _queued, 0);

        /// <summary>Makes the manager know the connection as it is. After a failure a new manager begins from nothing.</summary>
        public async Task AlignAsync(RedisHubLifetimeManager<RealtimeHub> manager, SignalOrigin origin, ILoggerFactory loggers)
        {
            if (_manager != manager)
            {
                (_manager, _standIn) = (manager, null);
                _entered.Clear();
            }

            if (HasLeft)
            {
                if (_standIn is not null)
                    await manager.OnDisconnectedAsync(_standIn);
                _standIn = null;
                return;
            }

            if (_standIn is null)
                await manager.OnConnectedAsync(_standIn = new StandIn(Session, origin, loggers));
            var wanted = Session.Groups.ToHashSet(StringComparer.Ordinal);
            foreach (var group in _entered.Except(wanted).ToList())
            {
                _entered.Remove(group);
                await manager.RemoveFromGroupAsync(Session.ConnectionId, group);
            }

            foreach (var group in wanted.Where(_entered.Add))
                await manager.AddToGroupAsync(Session.ConnectionId, group);
        }
    }

    /// <summary>What the stock manager takes for the connection.</summary>
    private sealed class StandIn : HubConnectionContext
    {
        private static readonly HubConnectionContextOptions s_options = new() { MaximumParallelInvocations = 1 };

        private readonly ConnectionSession _session;
        private readonly SignalOrigin _origin;

        public StandIn(ConnectionSession session, SignalOrigin origin, ILoggerFactory loggers)
            : base(new NoTransport(session.ConnectionId), s_options, loggers)
        {
            _session = session;
            _origin = origin;
            UserIdentifier = session.UserId;
        }

        public override ValueTask WriteAsync(SerializedHubMessage message, CancellationToken cancellationToken = default)
        {
            if (_origin.Read(message) is { } frame)
                _session.Session.Signal(frame);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>A connection with an id and nothing else.</summary>
    private sealed class NoTransport(string connectionId) : ConnectionContext
    {
        public override string ConnectionId { get; set; } = connectionId;

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public override IDuplexPipe Transport { get; set; } = null!;
    }
}
