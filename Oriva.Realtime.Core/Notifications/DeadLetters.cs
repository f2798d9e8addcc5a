using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A delivery that failed for good; or, with the channel <c>routing</c>, an event that could not be routed, which has no user and notification yet.</summary>
public sealed record DeadLetter(
    Guid Id, string App, string? UserId, Guid? NotificationId, EventReference? Event, string Rule, string Channel, int Attempts, string? LastError, DateTimeOffset FailedAt,
    IReadOnlyList<DeliveryHistory> History);

/// <summary>Dead letters that failed alike.</summary>
public sealed record DeadLetterGroup(string App, string Channel, string? LastError, int Count, DateTimeOffset First, DateTimeOffset Last);

/// <summary>Which dead letters are meant; each part that is null means all.</summary>
public sealed record DeadLetterFilter(string? App = null, string? Channel = null, string? Rule = null, string? Error = null);

public sealed record DeadLetterPage(IReadOnlyList<DeadLetter> Items, string? Next, int Total);

/// <summary>What failed for good: to be looked at, redriven, or discarded. A redrive keeps the history.</summary>
public sealed class DeadLetters
{
    /// <summary>In the place of a channel, for events that could not be routed.</summary>
    public const string Routing = "routing";

    public const int MaxLimit = 200;
    public const int MaxRetried = 10_000;
    private const string Discarded = "discarded";

    private readonly RealtimeDatabase _database;
    private readonly DeliveryWorker _worker;
    private readonly WakeSignal _routing;
    private readonly TimeProvider _time;

    internal DeadLetters(RealtimeDatabase database, DeliveryWorker worker, EventLogWriter writer, TimeProvider time)
    {
        _database = database;
        _worker = worker;
        _routing = writer.RoutingQueued;
        _time = time;
    }

    /// <summary>Deliveries, latest failure first; with the filter's channel <see cref="Routing"/>, events.</summary>
    public async Task<Outcome<DeadLetterPage>> ListAsync(DeadLetterFilter filter, int limit, string? after, CancellationToken cancellationToken)
    {
        if (limit is < 1 or > MaxLimit)
            return Fault.Invalid("/limit", $"Must be 1 to {MaxLimit}.");
        var (time, id) = (DateTimeOffset.MaxValue, Guid.Empty);
        if (after is not null && !(after.Split('_') is [var ticks, var last] && long.TryParse(ticks, out var microseconds) && Guid.TryParse(last, out id)
            && (time = StoreTime.FromMicroseconds(microseconds)) != default))
            return Fault.Invalid("/after", "Must be the 'next' of an earlier answer.");

        await using var context = _database.ForService();
        if (filter.Channel == Routing)
        {
            var events = DeadEvents(context, filter);
            var works = await events.Where(row => row.FailedAt < time || (row.FailedAt == time && row.Id.CompareTo(id) < 0)).OrderByDescending(row => row.FailedAt).ThenByDescending(row => row.Id)
                .Take(limit + 1).ToListAsync(cancellationToken);
            return Page(works.ConvertAll(row => new DeadLetter(
                row.Id, row.App, null, null, EventReference.Of(row.Source, row.EventId), row.ResumeRule ?? "", Routing, row.Attempts, row.LastError, row.FailedAt!.Value, [])), await events.CountAsync(cancellationToken));
        }

        var dead = Dead(context, filter);
        var rows = await dead.Where(row => row.FailedAt < time || (row.FailedAt == time && row.Id.CompareTo(id) < 0)).OrderByDescending(row => row.FailedAt).ThenByDescending(row => row.Id)
            .Take(limit + 1).ToListAsync(cancellationToken);
        var letters = await DeliveryRecords.WithHistoryAsync(context, rows, (row, history) => new DeadLetter(
            row.Id, row.App, row.UserId, row.NotificationId, null, row.Rule, row.Channel, row.Attempts, row.LastError, row.FailedAt!.Value, history), cancellationToken);
        return Page(letters, await dead.CountAsync(cancellationToken));

        DeadLetterPage Page(List<DeadLetter> found, int total)
        {
            var items = found.Take(limit).ToList();
            return new DeadLetterPage(items, found.Count > limit ? $"{StoreTime.ToMicroseconds(items[^1].FailedAt)}_{items[^1].Id}" : null, total);
        }
    }

    /// <summary>How many failed alike, most first.</summary>
    public async Task<IReadOnlyList<DeadLetterGroup>> GroupAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var groups = new List<DeadLetterGroup>();
        if (filter.Channel != Routing)
        {
            var deliveries = await Dead(context, filter).GroupBy(row => new { row.App, row.Channel, row.LastError })
                .Select(group => new { group.Key, Count = group.Count(), First = group.Min(row => row.FailedAt), Last = group.Max(row => row.FailedAt) }).ToListAsync(cancellationToken);
            groups.AddRange(deliveries.Select(group => new DeadLetterGroup(group.Key.App, group.Key.Channel, group.Key.LastError, group.Count, group.First!.Value, group.Last!.Value)));
        }

        if (filter.Channel is null or Routing)
        {
            var events = await DeadEvents(context, filter).GroupBy(row => new { row.App, row.LastError })
                .Select(group => new { group.Key, Count = group.Count(), First = group.Min(row => row.FailedAt), Last = group.Max(row => row.FailedAt) }).ToListAsync(cancellationToken);
            groups.AddRange(events.Select(group => new DeadLetterGroup(group.Key.App, Routing, group.Key.LastError, group.Count, group.First!.Value, group.Last!.Value)));
        }

        return [.. groups.OrderByDescending(group => group.Count)];
    }

    /// <returns>False: there is no such dead letter.</returns>
    public async Task<bool> RetryAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        return await RedriveAsync(context.Deliveries.Where(row => row.Id == id && row.Status == DeliveryStatus.Dead), cancellationToken) > 0
            || await RedriveAsync(context.RoutingQueue.Where(row => row.Id == id && row.FailedAt != null), cancellationToken) > 0;
    }

    /// <summary>The oldest first.</summary>
    /// <returns>How many are queued again.</returns>
    public async Task<int> RetryAsync(DeadLetterFilter filter, int limit, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var retried = 0;
        if (filter.Channel != Routing)
        {
            var ids = Dead(context, filter).OrderBy(row => row.FailedAt).ThenBy(row => row.Id).Select(row => row.Id).Take(limit);
            retried = await RedriveAsync(context.Deliveries.Where(row => row.Status == DeliveryStatus.Dead && ids.Contains(row.Id)), cancellationToken);
        }

        if (filter.Channel is null or Routing && retried < limit)
        {
            var ids = DeadEvents(context, filter).OrderBy(row => row.FailedAt).ThenBy(row => row.Id).Select(row => row.Id).Take(limit - retried);
            retried += await RedriveAsync(context.RoutingQueue.Where(row => row.FailedAt != null && ids.Contains(row.Id)), cancellationToken);
        }

        return retried;
    }

    /// <summary>Gives it up for good; its history stays.</summary>
    /// <returns>False: there is no such dead letter.</returns>
    public async Task<bool> DiscardAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        return await context.Deliveries.Where(row => row.Id == id && row.Status == DeliveryStatus.Dead)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.Status, DeliveryStatus.Cancelled).SetProperty(row => row.Reason, Discarded), cancellationToken) > 0
            || await context.RoutingQueue.Where(row => row.Id == id && row.FailedAt != null).ExecuteDeleteAsync(cancellationToken) > 0;
    }

    private async Task<int> RedriveAsync(IQueryable<NotificationDeliveryRow> rows, CancellationToken cancellationToken)
    {
        var now = StoreTime.Truncate(_time.GetUtcNow());
        var redriven = await rows.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Status, DeliveryStatus.Pending).SetProperty(row => row.Attempts, 0).SetProperty(row => row.NextAttemptAt, now).SetProperty(row => row.FailedAt, (DateTimeOffset?)null),
            cancellationToken);
        _worker.Announce();
        return redriven;
    }

    private async Task<int> RedriveAsync(IQueryable<RoutingQueueRow> rows, CancellationToken cancellationToken)
    {
        var now = StoreTime.Truncate(_time.GetUtcNow());
        var redriven = await rows.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Attempts, 0).SetProperty(row => row.DueAt, now).SetProperty(row => row.FailedAt, (DateTimeOffset?)null), cancellationToken);
        _routing.Set();
        return redriven;
    }

    private static IQueryable<NotificationDeliveryRow> Dead(RealtimeDbContext context, DeadLetterFilter filter) => context.Deliveries.AsNoTracking().Where(row =>
        row.Status == DeliveryStatus.Dead && (filter.App == null || row.App == filter.App) && (filter.Channel == null || row.Channel == filter.Channel)
        && (filter.Rule == null || row.Rule == filter.Rule) && (filter.Error == null || row.LastError == filter.Error));

    private static IQueryable<RoutingQueueRow> DeadEvents(RealtimeDbContext context, DeadLetterFilter filter) => context.RoutingQueue.AsNoTracking().Where(row =>
        row.FailedAt != null && filter.Rule == null && (filter.App == null || row.App == filter.App) && (filter.Error == null || row.LastError == filter.Error));
}
