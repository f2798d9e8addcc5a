using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Oriva.Realtime.Core.Cluster;

/// <summary>From when Redis answers to when it no longer does.</summary>
/// <param name="Ended">It no longer answers.</param>
public sealed record RedisUptime(IConnectionMultiplexer Multiplexer, CancellationToken Ended);

/// <summary>
/// The node's connection to Redis, which carries hints and signals and never the truth: nothing waits for it. It is made when Redis is there, in whatever
/// order things start, and made again when it was lost.
/// </summary>
public sealed partial class RedisConnection : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    private readonly ClusterOptions _options;
    private readonly NodeIdentity _self;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisConnection> _logger;
    private TaskCompletionSource<RedisUptime> _up = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource _ending = new();
    private ConnectionMultiplexer? _multiplexer;
    private volatile string? _trouble = "not reached yet";

    internal RedisConnection(IOptions<ClusterOptions> options, NodeIdentity self, TimeProvider time, ILogger<RedisConnection> logger)
    {
        _options = options.Value;
        _self = self;
        _time = time;
        _logger = logger;
    }

    /// <summary>False: this node works without Redis.</summary>
    public bool IsConfigured => _options.RedisConnectionString is not null;

    /// <summary>It has answered within the last seconds.</summary>
    public bool IsUp => IsConfigured && _trouble is null;

    /// <summary>Why it is not up; null when it is, or is not wanted.</summary>
    public string? Trouble => IsConfigured ? _trouble : null;

    /// <summary>For the node's figures; null: it works without Redis.</summary>
    public string? State => !IsConfigured ? null : _trouble is null ? "up" : "down";

    /// <summary>Waits until Redis is there.</summary>
    public Task<RedisUptime> WaitAsync(CancellationToken cancellationToken) => Volatile.Read(ref _up).Task.WaitAsync(cancellationToken);

    public override void Dispose()
    {
        _multiplexer?.Dispose();
        _ending.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!IsConfigured)
            return;
        while (!stoppingToken.IsCancellationRequested)
        {
            await CheckAsync(stoppingToken);
            await Task.Delay(s_interval, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task CheckAsync(CancellationToken stoppingToken)
    {
        string? trouble = null;
        try
        {
            _multiplexer ??= await ConnectionMultiplexer.ConnectAsync(ReadOptions());
            await _multiplexer.GetDatabase().PingAsync().WaitAsync(s_patience, _time, stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            // Whatever it is, Redis is not to be counted on, and the node goes on.
            trouble = e.Message.Split('\n', ',')[0];
        }

        var before = _trouble;
        _trouble = trouble;
        if (trouble is null && before is not null)
        {
            LogUp();
            _ending = new CancellationTokenSource();
            Volatile.Read(ref _up).TrySetResult(new RedisUptime(_multiplexer!, _ending.Token));
        }
        else if (trouble is not null && before is null)
        {
            LogDown(trouble);
            Volatile.Write(ref _up, new TaskCompletionSource<RedisUptime>(TaskCreationOptions.RunContinuationsAsynchronously));
            await _ending.CancelAsync();
            _ending.Dispose();
        }
    }

    /// <summary>What the team says stands, but for what would make an outage of Redis one of ours.</summary>
    public ConfigurationOptions ReadOptions()
    {
        var text = _options.RedisConnectionString!;
        var options = ConfigurationOptions.Parse(text);
        options.AbortOnConnectFail = false;
        // A command that cannot be sent now is of no use later.
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.ClientName ??= "oriva-realtime-" + _self.Id;
        if (!text.Contains("keepAlive", StringComparison.OrdinalIgnoreCase))
            options.KeepAlive = 2;
        if (!text.Contains("connectTimeout", StringComparison.OrdinalIgnoreCase))
            options.ConnectTimeout = 2_000;
        if (!text.Contains("asyncTimeout", StringComparison.OrdinalIgnoreCase))
            options.AsyncTimeout = 2_000;
        return options;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis does not answer; sessions find events by asking the database, and signals stay on their node: {Reason}")]
    private partial void LogDown(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis answers")]
    private partial void LogUp();
}
