using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>
/// Makes days ahead and drops days that are over age. Publishing goes on meanwhile: each step is short, and a store that several nodes share lets one
/// at a time in.
/// </summary>
/// <remarks>
/// Events go before their receipts. The other way round, a repeat of an event that still stands would be published again.
/// Readers need no telling: a reader whose next position is gone sees the gap and is reset.
/// </remarks>
internal sealed partial class Retention(
    EventStore store, ClusterStore cluster, TimeProvider time, IOptions<RetentionOptions> options, ILogger<Retention> logger) : BackgroundService
{
    /// <summary>Enough that a service whose retention fails for days still accepts events.</summary>
    private const int DaysAhead = 7;

    /// <summary>For how long it can be told what a connection was pushed and acknowledged.</summary>
    public static readonly TimeSpan EvidenceAge = TimeSpan.FromDays(7);

    /// <summary>For how long it can be told who was connected, and which nodes there were.</summary>
    private static readonly TimeSpan s_connectionAge = TimeSpan.FromDays(7);

    private static readonly TimeSpan s_commandAge = TimeSpan.FromDays(1);

    private const int DroppedAtOnce = 2_000;

    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        await store.PrepareDaysAsync(today.AddDays(-1), today.AddDays(DaysAhead), cancellationToken);

        var cutoff = today.AddDays(-options.Value.Days);
        while (await store.DropEventsBeforeAsync(cutoff, cancellationToken))
            LogDropped(cutoff);
        while (await store.DropReceiptsBeforeAsync(cutoff, cancellationToken))
            cancellationToken.ThrowIfCancellationRequested();
        while (await store.DropEvidenceBeforeAsync(now - EvidenceAge, cancellationToken))
            cancellationToken.ThrowIfCancellationRequested();
        while (await cluster.DropOldAsync(now - s_connectionAge, now - s_commandAge, DroppedAtOnce))
            cancellationToken.ThrowIfCancellationRequested();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.Interval, time);
        do
        {
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                LogPutOff(e.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Dropped events recorded before {Cutoff}")]
    private partial void LogDropped(DateOnly cutoff);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Retention is put off to its next run: {Reason}")]
    private partial void LogPutOff(string reason);
}
