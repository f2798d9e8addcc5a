using System.Text.Json;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Storage;

/// <summary>What waits for a time: digests, scheduled requests, and the windows of throttles.</summary>
internal sealed partial class NotificationStore
{
    public const string Throttled = "throttled";

    /// <summary>Requests whose time has come.</summary>
    /// <param name="perApp">Of one app at most, so that one app's heap delays only that app.</param>
    public Task<List<ScheduledWork>> ClaimScheduledAsync(int limit, int perApp, TimeSpan lease, DateTimeOffset now) => WithConnectionAsync(connection =>
    {
        var lockId = Guid.CreateVersion7(now);
        return connection.QueryAsync(
            sql.ClaimScheduled, [("limit", limit), ("per_app", perApp), ("lease", Span(lease)), ("lock", Id(lockId)), ("now", Time(now))],
            row => new ScheduledWork(row.GetString(0), row.GetString(1), lockId, row.GetString(2)));
    });

    /// <summary>Sends a scheduled request.</summary>
    /// <returns>Null: it was recalled, or another node has it.</returns>
    public Task<IReadOnlyList<NewNotification>?> SendScheduledAsync(
        ScheduledWork work, IReadOnlyList<NewNotification> notifications, DateTimeOffset now, Func<NewNotification, InboxCounts, OutboxRow?> announce) =>
        InTransactionAsync<IReadOnlyList<NewNotification>?>(async connection =>
            await connection.ExecuteAsync(sql.FinishScheduled, [("app", work.App), ("id", work.Id), ("lock", Id(work.LockId))]) > 0
                ? await AddAsync(connection, notifications, now, announce)
                : null);

    /// <returns>False: it was sent, or there is none that is scheduled.</returns>
    public Task<bool> RecallScheduledAsync(string app, string id, DateTimeOffset now) => WithConnectionAsync(async connection =>
        await connection.ExecuteAsync(sql.RecallScheduled, [("app", app), ("id", id), ("now", Time(now))]) > 0);

    /// <summary>Digests whose window is over, or that are full. From here on they are closed.</summary>
    /// <param name="perApp">Of one app at most.</param>
    public Task<List<DigestWork>> ClaimDigestsAsync(int limit, int perApp, TimeSpan lease, DateTimeOffset now) => WithConnectionAsync(connection =>
    {
        var lockId = Guid.CreateVersion7(now);
        return connection.QueryAsync(
            sql.ClaimDigests, [("limit", limit), ("per_app", perApp), ("lease", Span(lease)), ("lock", Id(lockId)), ("now", Time(now))],
            row => new DigestWork(ReadId(row, 0), lockId, row.GetString(1), row.GetString(2), row.GetString(3), ReadTime(row, 4)));
    });

    /// <summary>Makes a digest a notification.</summary>
    /// <returns>Null: another node has it.</returns>
    public Task<IReadOnlyList<NewNotification>?> FinishDigestAsync(
        DigestWork work, NewNotification notification, DateTimeOffset now, Func<NewNotification, InboxCounts, OutboxRow?> announce) =>
        InTransactionAsync<IReadOnlyList<NewNotification>?>(async connection =>
            await connection.ExecuteAsync(sql.FinishDigest, [("id", Id(work.Id)), ("lock", Id(work.LockId))]) > 0
                ? await AddAsync(connection, await ThrottleAsync(connection, [notification], now), now, announce)
                : null);

    /// <summary>In the caller's transaction: counts, and suppresses what is too many.</summary>
    private async Task<IReadOnlyList<NewNotification>> ThrottleAsync(StoreConnection connection, IReadOnlyList<NewNotification> notifications, DateTimeOffset now)
    {
        var groups = notifications.Where(n => n.Throttle is not null).GroupBy(n => (n.App, n.Rule, n.UserId, n.Throttle!.Key)).ToList();
        if (groups.Count == 0)
            return notifications;
        var rows = JsonSerializer.Serialize(
            groups.Select(group => new { group.Key.App, group.Key.Rule, group.Key.UserId, group.Key.Key, Count = group.Count(), EndsAt = JsonTime(now + group.First().Throttle!.Per) }), Json);
        var counted = (await connection.QueryAsync(
                sql.CountThrottles, [("rows", rows), ("now", Time(now))], row => (Key: (row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3)), Count: row.GetInt32(4))))
            .ToDictionary(row => row.Key, row => row.Count);
        var tooMany = groups.SelectMany(group => group.Skip(Math.Max(0, group.First().Throttle!.Most - (counted[group.Key] - group.Count())))).Select(n => n.Id).ToHashSet();
        return [.. notifications.Select(n => tooMany.Contains(n.Id) ? n.Suppressed(Throttled) : n)];
    }

    /// <summary>In the caller's transaction, which holds the digests until it ends.</summary>
    private async Task AddToDigestsAsync(StoreConnection connection, IReadOnlyList<NewDigestItem> items, DateTimeOffset now)
    {
        if (items.Count == 0)
            return;
        var groups = items.GroupBy(item => (item.App, item.Rule, item.UserId, item.Key)).ToList();
        var opened = JsonSerializer.Serialize(
            groups.Select(group => new
            {
                Id = JsonId(Guid.CreateVersion7(now)), group.Key.App, group.Key.Rule, group.Key.UserId, group.Key.Key, DueAt = JsonTime(now + group.First().Window),
            }),
            Json);
        var digests = (await connection.QueryAsync(
                sql.OpenDigests, [("rows", opened), ("now", Time(now))], row => (Id: ReadId(row, 0), Key: (row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4)))))
            .ToDictionary(row => row.Key, row => row.Id);
        var rows = JsonSerializer.Serialize(
            groups.SelectMany(group => group.Select(item => new
            {
                item.App, item.Rule, item.UserId, item.Source, item.EventId, DigestId = JsonId(digests[group.Key]), item.Data, item.SeesEvent, At = JsonTime(item.At), item.Position,
            })),
            Json);
        var added = (await connection.QueryAsync(sql.AddDigestItems, [("rows", rows)], row => ReadId(row, 0))).CountBy(id => id).ToDictionary();
        var growth = JsonSerializer.Serialize(
            groups.Select(group => (Id: digests[group.Key], group.First().Max)).Select(digest => new { Id = JsonId(digest.Id), Added = added.GetValueOrDefault(digest.Id), digest.Max }), Json);
        await connection.ExecuteAsync(sql.GrowDigests, [("rows", growth), ("now", Time(now))]);
    }
}
