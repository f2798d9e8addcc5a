using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>
/// The way into the log for code that has a transaction of its own: the wish to append is a row of that transaction, and the writer appends it
/// afterwards, exactly once. So nobody's transaction ever holds a stream's head.
/// </summary>
/// <remarks>
/// A row is claimed by a lease, appended and deleted in one transaction. A node that dies in between leaves the row to the next claim; the receipt of its
/// event id keeps it from being appended twice.
/// </remarks>
internal sealed partial class Outbox(
    EventStore store, EventLogWriter writer, TimeProvider time, IOptions<EventLogOptions> options, ILogger<Outbox> logger) : BackgroundService
{
    private const int ClaimLimit = 200;

    private readonly WakeSignal _announced = new();

    /// <summary>Adds the wish to the caller's transaction. Call <see cref="Announce"/> after its commit, or wait for the poll.</summary>
    public void Add(RealtimeDbContext context, NewEvent e) => context.Outbox.Add(ToRow(e));

    /// <summary>The wish as a row, for a transaction that is not EF Core's.</summary>
    public OutboxRow ToRow(NewEvent e) => new()
    {
        Id = Guid.CreateVersion7(time.GetUtcNow()),
        App = e.Source,
        EventId = e.Id,
        // An entry that is claimed twice has a receipt the second time.
        Event = JsonSerializer.Serialize(e with { IdIsFresh = false }),
        CreatedAt = time.GetUtcNow(),
    };

    public void Announce() => _announced.Set();

    /// <summary>Appends what is claimable now.</summary>
    /// <returns>How many entries were taken.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        var entries = await store.ClaimOutboxAsync(ClaimLimit, options.Value.OutboxLease, cancellationToken);
        var appends = entries.Select(entry => AppendAsync(entry, cancellationToken)).ToList();
        await Task.WhenAll(appends);
        return entries.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var answering = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var taken = await RunOnceAsync(stoppingToken);
                answering = true;
                if (taken < ClaimLimit)
                    await _announced.WaitAsync(options.Value.OutboxPoll, time, stoppingToken);
            }
            catch (StoreException e)
            {
                if (answering)
                    LogUnavailable(e.Message);
                answering = false;
                await Task.Delay(options.Value.OutboxPoll, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private async Task AppendAsync(OutboxEntry entry, CancellationToken cancellationToken)
    {
        var e = JsonSerializer.Deserialize<NewEvent>(entry.Event)!;
        var outcome = await writer.AppendAsync(new AppendRequest(entry.App, [e], entry.Id));
        // Unavailable: the lease lapses and the entry is claimed again. Any other fault would only repeat itself.
        if (outcome.Fault is { } fault && fault.Code != FaultCodes.Unavailable)
        {
            LogRefused(entry.Id, fault.Code);
            await store.RefuseOutboxAsync(entry.Id, $"{fault.Code}: {fault.Message}", cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outbox cannot be read: {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Outbox entry {Entry} can never be appended ({Code}); it is kept with the reason")]
    private partial void LogRefused(Guid entry, string code);
}
