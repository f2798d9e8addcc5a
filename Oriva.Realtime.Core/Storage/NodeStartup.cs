using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// Makes a node ready: schema, epoch, manifests. When the store is not reachable, the node starts all the same, says in its readiness what it waits for,
/// and goes on trying; the order in which services start does not matter.
/// </summary>
public sealed partial class NodeStartup : IHostedService, IDisposable
{
    private static readonly TimeSpan s_retry = TimeSpan.FromSeconds(2);

    private readonly StorageOptions _options;
    private readonly StoreMigrator _migrator;
    private readonly EventStore _store;
    private readonly StoreEpoch _epoch;
    private readonly ManifestStore _manifests;
    private readonly ManifestFiles _files;
    private readonly AppRegistry _registry;
    private readonly NotificationInterest _interest;
    private readonly TimeProvider _time;
    private readonly ILogger<NodeStartup> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private SqliteLock? _sqliteLock;
    private Task _retrying = Task.CompletedTask;

    internal NodeStartup(
        IOptions<StorageOptions> options, StoreMigrator migrator, EventStore store, StoreEpoch epoch, ManifestStore manifests, ManifestFiles files, AppRegistry registry, NotificationInterest interest,
        TimeProvider time, ILogger<NodeStartup> logger)
    {
        _options = options.Value;
        _migrator = migrator;
        _store = store;
        _epoch = epoch;
        _manifests = manifests;
        _files = files;
        _registry = registry;
        _interest = interest;
        _time = time;
        _logger = logger;
    }

    /// <summary>What the node still waits for; null when it is ready.</summary>
    public string? WaitingFor { get; private set; } = "the first contact with the store";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_options.Provider != StorageProvider.Postgres)
            _sqliteLock = SqliteLock.Take(_options.SqlitePath);
        try
        {
            await PrepareAsync(cancellationToken);
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            LogWaiting(WaitingFor = "the store: " + e.Message);
            _retrying = RetryAsync();
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _retrying;
        _sqliteLock?.Dispose();
    }

    // The cancellation source is left to the collector: a host under test may stop what it has disposed of.
    public void Dispose() => _sqliteLock?.Dispose();

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        if (_options.MigrateAtStart)
            await _migrator.MigrateAlreadyAloneAsync(cancellationToken);
        else if (await _migrator.FindPendingAsync(cancellationToken) is { Count: > 0 } pending)
            throw new StoreException(StoreFailure.Unavailable, $"migrations are pending ({string.Join(", ", pending)}); run the hub once with --migrate");
        await _store.CheckAsync(cancellationToken);
        _epoch.Value = await _store.ReadEpochAsync(cancellationToken);
        await _manifests.KeepVersionsAsync(cancellationToken);
        await _files.LoadAsync(cancellationToken);
        await _registry.RefreshAsync(cancellationToken);
        await _interest.RefreshAsync(cancellationToken);
        WaitingFor = null;
    }

    private async Task RetryAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await Task.Delay(s_retry, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await PrepareAsync(_stopping.Token);
                LogReady();
                return;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                if (WaitingFor != (WaitingFor = "the store: " + e.Message))
                    LogWaiting(WaitingFor);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not ready; waiting for {What}")]
    private partial void LogWaiting(string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "Ready")]
    private partial void LogReady();
}
