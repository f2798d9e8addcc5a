using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Hub.Connections;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>
/// Sends this node's clients elsewhere, bit by bit, so that the others are not run over. While it lasts, the node is not ready and takes no new hub
/// connections, and serves everything else. Each connection gets <c>goodbye</c> with a time of its own, and is closed a little after that if it is still there;
/// streams end and held polls are answered at once, because their clients come back by themselves.
/// </summary>
internal sealed partial class Drain(
    ConnectionLifetimeManager connections, NodeIdentity self, NodeRegistry nodes, IOptions<ClusterOptions> options, IHostApplicationLifetime host, TimeProvider time, ILogger<Drain> logger)
{
    private const string Reason = "draining";
    private const int ConnectionsPerSecond = 500;

    /// <summary>For a client that goes by itself when its time has come.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private CancellationTokenSource _beginning = new();
    private CancellationTokenSource _resuming = new();
    private Task _running = Task.CompletedTask;
    private bool _isLast;

    /// <summary>Cancelled when the next drain begins: for responses that would go on for long.</summary>
    public CancellationToken Beginning => Volatile.Read(ref _beginning).Token;

    /// <summary>Begins, unless the node drains already. Completes when all connections are gone, <c>Cluster:DrainTimeout</c> is over, or it was resumed.</summary>
    public Task StartAsync()
    {
        lock (_lock)
        {
            if (self.IsDraining)
                return _running;
            self.IsDraining = true;
            _resuming = new CancellationTokenSource();
            return _running = Task.Run(() => RunAsync(_resuming.Token));
        }
    }

    /// <summary>Begins the last one, after which the process ends: it is not resumed.</summary>
    public Task FinishAsync()
    {
        lock (_lock)
            _isLast = true;
        return StartAsync();
    }

    /// <summary>Takes connections again. Those that were not closed yet stay.</summary>
    /// <returns>False: the process ends.</returns>
    public bool Resume()
    {
        lock (_lock)
        {
            if (_isLast || !self.IsDraining)
                return !_isLast;
            self.IsDraining = false;
            _resuming.Cancel();
        }

        _ = nodes.BeatNowAsync();
        return true;
    }

    /// <summary>Over how long goodbyes are spread.</summary>
    internal static TimeSpan SpanOf(int connections, TimeSpan timeout)
    {
        var atRate = TimeSpan.FromSeconds((double)connections / ConnectionsPerSecond);
        var longest = timeout * 2 / 3;
        return atRate < longest ? atRate : longest;
    }

    private async Task RunAsync(CancellationToken resumed)
    {
        using var timeout = new CancellationTokenSource(options.Value.DrainTimeout, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, resumed);
        var began = time.GetTimestamp();
        var leaving = connections.Connections;
        LogBegins(leaving.Count, options.Value.DrainTimeout);
        _ = nodes.BeatNowAsync();
        await Interlocked.Exchange(ref _beginning, new CancellationTokenSource()).CancelAsync();

        var told = new HashSet<ConnectionSession>();
        var closing = new PriorityQueue<ConnectionSession, TimeSpan>();
        var span = SpanOf(leaving.Count, options.Value.DrainTimeout);
        foreach (var (index, connection) in leaving.Index())
            Tell(connection, span * index / leaving.Count);

        while (!ending.IsCancellationRequested)
        {
            // Negotiated before the drain, and come since.
            foreach (var late in connections.Connections.Where(connection => !told.Contains(connection)))
                Tell(late, time.GetElapsedTime(began));
            while (closing.TryPeek(out _, out var due) && due <= time.GetElapsedTime(began))
                _ = closing.Dequeue().CloseAsync(Reason, mayReconnect: true);
            if (connections.Connections.Count == 0)
                break;
            await Task.Delay(s_step, time, ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        LogEnds(time.GetElapsedTime(began), connections.Connections.Count);
        _ = SendLateOnesAwayAsync(resumed);

        void Tell(ConnectionSession connection, TimeSpan when)
        {
            told.Add(connection);
            connection.SayGoodbye(Reason, when - time.GetElapsedTime(began));
            closing.Enqueue(connection, when + s_grace);
        }
    }

    /// <summary>Who negotiated before the drain may still come when it is over, as long as the node takes nobody.</summary>
    private async Task SendLateOnesAwayAsync(CancellationToken resumed)
    {
        while (!resumed.IsCancellationRequested && !host.ApplicationStopping.IsCancellationRequested)
        {
            foreach (var late in connections.Connections)
            {
                late.SayGoodbye(Reason, TimeSpan.Zero);
                _ = late.CloseAsync(Reason, mayReconnect: true);
            }

            await Task.Delay(s_grace, time, resumed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining: {Connections} connections are sent elsewhere within {Timeout}")]
    private partial void LogBegins(int connections, TimeSpan timeout);

    [LoggerMessage(Level = LogLevel.Information, Message = "Drained in {Duration}; {Connections} connections are left")]
    private partial void LogEnds(TimeSpan duration, int connections);
}
