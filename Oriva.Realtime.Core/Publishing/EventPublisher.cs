using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Publishing;

/// <summary>Publishes events from inside a .NET process, as the service itself: any app, any audience.</summary>
/// <remarks>A receipt means durable. A fault means not published, or, with <see cref="FaultCodes.Unavailable"/>, safe to repeat with the same id.</remarks>
public interface IEventPublisher
{
    Task<Outcome<Receipt>> PublishAsync(EventDraft draft, CancellationToken cancellationToken = default);

    /// <summary>All or nothing, in one commit.</summary>
    Task<Outcome<IReadOnlyList<Receipt>>> PublishAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellationToken = default);
}

/// <summary>The only way in: draft → validated → appended → receipt.</summary>
public sealed class EventPublisher : IEventPublisher, IDisposable
{
    private readonly DraftValidator _validator;
    private readonly EventLogWriter _writer;
    private readonly RealtimeMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly PublishingOptions _limits;
    private readonly PartitionedRateLimiter<Caller>? _rate;

    internal EventPublisher(
        AppRegistry registry, AccessPolicy access, EventStore store, EventLogWriter writer, RealtimeMetrics metrics, TimeProvider time, IOptions<PublishingOptions> limits)
    {
        _limits = limits.Value;
        _validator = new DraftValidator(registry, access, store, metrics, _limits, time);
        _writer = writer;
        _metrics = metrics;
        _time = time;
        if (_limits.PublishesPerSecond > 0)
            _rate = PartitionedRateLimiter.Create<Caller, string>(caller => RateLimitPartition.GetTokenBucketLimiter(caller.Sub, _ => Bucket(_limits.PublishesPerSecond)));
    }

    public async Task<Outcome<Receipt>> PublishAsync(EventDraft draft, CancellationToken cancellationToken = default) =>
        await PublishAsync(Caller.Service, draft, cancellationToken);

    public Task<Outcome<IReadOnlyList<Receipt>>> PublishAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellationToken = default) =>
        PublishAsync(Caller.Service, drafts, cancellationToken);

    /// <summary>Publishes one event on behalf of a caller.</summary>
    public async Task<Outcome<Receipt>> PublishAsync(Caller caller, EventDraft draft, CancellationToken cancellationToken)
    {
        var outcome = await PublishAsync(caller, [draft], static _ => "", cancellationToken);
        return outcome.Value is { } receipts ? receipts[0] : outcome.Fault!;
    }

    /// <summary>Publishes an array on behalf of a publisher: all events or none.</summary>
    public async Task<Outcome<IReadOnlyList<Receipt>>> PublishAsync(Caller caller, IReadOnlyList<EventDraft> drafts, CancellationToken cancellationToken)
    {
        if (!caller.IsPublisher)
            return Refused(new Fault(FaultCodes.UserForbidden, "Arrays are for publishers; a user publishes one event at a time."));
        if (drafts.Count == 0)
            return Refused(Fault.Invalid("", "The array has no events."));
        if (drafts.Count > _limits.BatchEvents)
            return Refused(new Fault(FaultCodes.TooLarge, $"At most {_limits.BatchEvents} events in one request."));
        return await PublishAsync(caller, drafts, static i => $"/{i}", cancellationToken);
    }

    private async Task<Outcome<IReadOnlyList<Receipt>>> PublishAsync(
        Caller caller, IReadOnlyList<EventDraft> drafts, Func<int, string> pointerOf, CancellationToken cancellationToken)
    {
        if (_rate is not null && caller != Caller.Service)
        {
            using var lease = _rate.AttemptAcquire(caller, Math.Min(drafts.Count, _limits.PublishesPerSecond));
            if (!lease.IsAcquired)
                return Refused(new Fault(FaultCodes.RateLimited, $"This token may publish {_limits.PublishesPerSecond} events a second.") { RetryAfter = TimeSpan.FromSeconds(1) });
        }

        var started = _time.GetTimestamp();
        Outcome<List<NewEvent>> valid;
        try
        {
            valid = await _validator.ValidateAsync(caller, drafts, pointerOf, cancellationToken);
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            return Refused(Fault.Unavailable("The store cannot be reached at the moment.") with { EventIds = [.. drafts.Select(draft => draft.Id).OfType<string>()] });
        }

        if (valid.Value is not { } events)
            return Refused(valid.Fault!);
        // From here on the publish is not cancelled: its caller may be gone, but the answer must match what is stored.
        var outcome = await _writer.AppendAsync(new AppendRequest(events[0].Source, events));
        if (outcome.Fault is { } fault)
            return Refused(fault);
        _metrics.Published(events[0].Source, events.Count, _time.GetElapsedTime(started));
        return outcome;
    }

    public void Dispose() => _rate?.Dispose();

    private Fault Refused(Fault fault)
    {
        _metrics.PublishRefused(fault.Code);
        return fault;
    }

    /// <summary>About ten refills a second; a period that fits the number keeps the rate exact.</summary>
    private static int TokensAtOnce(int perSecond) => Math.Max(1, perSecond / 10);

    private static TokenBucketRateLimiterOptions Bucket(int perSecond) => new()
    {
        TokenLimit = perSecond,
        TokensPerPeriod = TokensAtOnce(perSecond),
        ReplenishmentPeriod = TimeSpan.FromSeconds((double)TokensAtOnce(perSecond) / perSecond),
        QueueLimit = 0,
        AutoReplenishment = true,
    };
}
