using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A notification's way through one channel.</summary>
/// <param name="Target">Of web push, which browser: the id of its subscription.</param>
/// <param name="Reason">Why it was suppressed or cancelled, or what it waits for.</param>
/// <param name="Attempts">Since it was queued or redriven; the history has all.</param>
public sealed record Delivery(
    Guid Id, string Channel, string? Target, string Status, string? Reason, int Attempts, DateTimeOffset? NextAttemptAt, string? LastError, DateTimeOffset? SentAt, DateTimeOffset? DeliveredAt,
    IReadOnlyList<DeliveryHistory> History);

public sealed record DeliveryHistory(DateTimeOffset At, string Outcome, string? Error, int DurationMs);

/// <summary>What became of a notification, channel by channel.</summary>
public sealed class DeliveryRecords
{
    private readonly RealtimeDatabase _database;

    internal DeliveryRecords(RealtimeDatabase database) => _database = database;

    /// <summary>For the notification's user, without errors; and for publishers and admins of its app.</summary>
    public async Task<Outcome<IReadOnlyList<Delivery>>> FindAsync(Caller caller, Guid notificationId, CancellationToken cancellationToken)
    {
        await using var service = _database.ForService();
        // An admin holds every app; the walls want its name.
        var app = await service.Notifications.AsNoTracking().Where(row => row.Id == notificationId).Select(row => row.App).FirstOrDefaultAsync(cancellationToken);
        if (app is null || !caller.Holds(app))
            return Fault.NotFound;
        var deliveries = await _database.ReadAsync(new ReadScope(caller.Sub, [app], [], Whole: caller.IsPublisher), async context =>
        {
            var rows = await context.Deliveries.AsNoTracking().Where(row => row.NotificationId == notificationId).OrderBy(row => row.Channel).ThenBy(row => row.Target).ToListAsync(cancellationToken);
            return await WithHistoryAsync<Delivery>(context, rows, caller.IsPublisher ? ToDelivery : ToUsersDelivery, cancellationToken);
        }, cancellationToken);
        return deliveries.Count == 0 ? Fault.NotFound : deliveries;
    }

    internal static async Task<List<T>> WithHistoryAsync<T>(
        RealtimeDbContext context, List<NotificationDeliveryRow> rows, Func<NotificationDeliveryRow, IReadOnlyList<DeliveryHistory>, T> build, CancellationToken cancellationToken)
    {
        var ids = rows.ConvertAll(row => row.Id);
        var attempts = (await context.DeliveryAttempts.AsNoTracking().Where(attempt => ids.Contains(attempt.DeliveryId)).OrderBy(attempt => attempt.At).ToListAsync(cancellationToken))
            .ToLookup(attempt => attempt.DeliveryId);
        return rows.ConvertAll(row => build(row, [.. attempts[row.Id].Select(attempt => new DeliveryHistory(attempt.At, attempt.Outcome, attempt.Error, attempt.DurationMs))]));
    }

    /// <summary>What went wrong in the machinery is for those who run it.</summary>
    private static Delivery ToUsersDelivery(NotificationDeliveryRow row, IReadOnlyList<DeliveryHistory> history) =>
        ToDelivery(row, [.. history.Select(attempt => attempt with { Error = null })]) with { LastError = null };

    internal static Delivery ToDelivery(NotificationDeliveryRow row, IReadOnlyList<DeliveryHistory> history) => new(
        row.Id, row.Channel, row.Target.Length == 0 ? null : row.Target, row.Status, row.Reason, row.Attempts, row.NextAttemptAt, row.LastError, row.SentAt, row.DeliveredAt, history);
}
