using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Cluster;

/// <summary>A node, as the cluster knows it.</summary>
/// <param name="Figures">JSON: load and health, as of its last heartbeat.</param>
/// <param name="IsAlive">It beats, and has not said goodbye.</param>
public sealed record NodeInfo(
    string Id, string? AdvertisedUrl, string Version, DateTimeOffset StartedAt, DateTimeOffset HeartbeatAt, string Figures, DateTimeOffset? DrainingSince, DateTimeOffset? StoppedAt,
    DateTimeOffset? LostAt, bool IsAlive);

/// <summary>
/// Who is in the cluster. Each node beats once a second, by the database's clock; one that has not for ten seconds is lost, and whoever notices closes
/// its connections. A node that was only held up sees at its next beat that it was given up, and enters itself and its connections anew.
/// </summary>
public sealed partial class NodeRegistry : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_leastInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(10);

    private readonly ClusterStore _store;
    private readonly NodeIdentity _self;
    private readonly NodeMeter _meter;
    private readonly TimeProvider _time;
    private readonly ILogger<NodeRegistry> _logger;
    private readonly WakeSignal _wake = new();
    private TaskCompletionSource _nextBeat = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Func<Task>> _afterBeat = [];
    private volatile bool _entered;
    private volatile bool _replaced;
    private long? _lastBeat;
    private long _beatingSince;
    private volatile Dictionary<string, NodeInfo> _nodes = [];

    internal NodeRegistry(ClusterStore store, NodeIdentity self, NodeMeter meter, TimeProvider time, ILogger<NodeRegistry> logger)
    {
        _meter = meter;
        _store = store;
        _self = self;
        _time = time;
        _logger = logger;
    }

    /// <summary>All nodes that are known, as of the last heartbeat; also those that have stopped or are lost.</summary>
    public IReadOnlyCollection<NodeInfo> Nodes => _nodes.Values;

    /// <summary>Whether this node is entered: before, what an earlier start left open is not closed yet; after another took its id, it writes nothing more.</summary>
    internal bool HasEntered => _entered && !_replaced;

    /// <summary>How this node stands with Redis, for its figures; null, or nothing answered: there is none.</summary>
    public Func<string?>? RedisState { get; set; }

    /// <summary>What this node's connections are, for its figures.</summary>
    internal Func<ConnectionLoad>? Load { get; set; }

    /// <summary>The others had given this node up and closed its connections; it is back.</summary>
    internal Action? CameBack { get; set; }

    /// <summary>Has something done with every heartbeat, that must not take long. To be said before the node starts.</summary>
    internal void AfterBeat(Func<Task> work) => _afterBeat.Add(work);

    /// <summary>The nodes as of now.</summary>
    internal async Task<IReadOnlyCollection<NodeInfo>> ReadAsync()
    {
        _nodes = (await _store.ReadNodesAsync(s_lease)).ToDictionary(node => node.Id, StringComparer.Ordinal);
        return _nodes.Values;
    }

    public NodeInfo? Find(string id) => _nodes.GetValueOrDefault(id);

    /// <summary>
    /// Beats at once, so that the others learn what has changed here, and this node who has come or gone. At most ten times a second, however often it is
    /// asked to. Completes when that is done, or put off because the store is away.
    /// </summary>
    public Task BeatNowAsync()
    {
        var next = Volatile.Read(ref _nextBeat).Task;
        _wake.Set();
        return next;
    }

    /// <summary>One heartbeat. The first one enters the node, and closes what an earlier start under its id has left open.</summary>
    internal async Task RunOnceAsync()
    {
        if (!_entered)
            await _store.EnterNodeAsync(_self);
        _entered = true;
        var began = _time.GetTimestamp();
        var figures = _meter.Read(Load?.Invoke() ?? new ConnectionLoad(0, 0, 0), RedisState?.Invoke(), _self.IsDraining);
        var beat = await _store.BeatAsync(_self, JsonSerializer.Serialize(figures, WireJson.Options));
        if (beat == HeartbeatResult.Replaced && !_replaced)
            LogReplaced(_self.Id);
        _replaced |= beat == HeartbeatResult.Replaced;
        // Also when the answer that said so was lost.
        var wasAway = _lastBeat is not { } last || _time.GetElapsedTime(last, began) >= s_lease;
        if (beat == HeartbeatResult.WasLost || (wasAway && _lastBeat is not null))
            CameBack?.Invoke();
        if (wasAway)
            _beatingSince = began;
        _lastBeat = began;
        // When the database was away, the others' heartbeats are as old as this node's own was: they are given the time to come back too.
        if (_time.GetElapsedTime(_beatingSince) >= s_lease)
            await _store.CloseLostNodesAsync(s_lease);
        await ReadAsync();
        foreach (var work in _afterBeat)
            await work();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            // Taken before the beat: who asks from now on asks for the one after.
            var beat = Interlocked.Exchange(ref _nextBeat, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            await RunGuardedAsync(RunOnceAsync);
            beat.SetResult();
            await Task.Delay(s_leastInterval, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _wake.WaitAsync(s_interval - s_leastInterval, _time, stoppingToken);
        }

        if (_entered)
            await RunGuardedAsync(() => _store.LeaveNodeAsync(_self));
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
        }
        catch (Exception e)
        {
            // A node that stopped beating would be given up with all that works.
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Another node has started under the id {Node}; give each its own Cluster:NodeId")]
    private partial void LogReplaced(string node);

    [LoggerMessage(Level = LogLevel.Error, Message = "The heartbeat failed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The heartbeat is put off: {Reason}")]
    private partial void LogPutOff(string reason);
}
