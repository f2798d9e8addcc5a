using System.Data.Common;
using System.Text.Json;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// The transactions of notifications: claiming what is to be routed or delivered, writing what came of it, changing an inbox. Reads and simple changes go
/// through <see cref="RealtimeDbContext"/>.
/// </summary>
/// <remarks>
/// Claims are leases by the database's clock with a fresh lock id; what is written later under another id is refused, so a node that was paused for longer
/// than its lease writes nothing. When something is due, is by the clock of whoever asks. Whoever changes a user's notifications locks the user's counts
/// first; who has several users locks them in the order of the key. Outages are thrown as <see cref="StoreException"/>.
/// </remarks>
internal sealed partial class NotificationStore(StoreDialect dialect, NotificationStatements sql) : SqlStore(dialect)
{
    /// <summary>Queued events that are due and nobody's, each app's oldest first, with what the log has of them.</summary>
    /// <param name="perApp">Of one app at most, so that one app's heap delays only that app.</param>
    /// <param name="exceptOf">Apps of which there is enough to do already.</param>
    public Task<List<RoutingWork>> ClaimRoutingAsync(int perApp, IReadOnlyCollection<string> exceptOf, TimeSpan lease, DateTimeOffset now) => WithConnectionAsync(async connection =>
    {
        var lockId = Guid.CreateVersion7(now);
        return await connection.QueryAsync(
            sql.ClaimRouting,
            [("per_app", perApp), ("except", JsonSerializer.Serialize(exceptOf, Json)), ("lease", Span(lease)), ("lock", Id(lockId)), ("now", Time(now))],
            row => ReadWork(row, lockId));
    });

    /// <summary>Writes what a chunk of routing has found, in one transaction: notifications that are new, their deliveries, counts and log entries, and how far each event has come.</summary>
    /// <param name="announce">The log entry of a notification, with its user's counts after it.</param>
    public Task<RoutedChunk> RouteAsync(
        IReadOnlyList<RoutingProgress> progress, IReadOnlyList<NewNotification> notifications, IReadOnlyList<NewDigestItem> digested, TimeSpan lease, DateTimeOffset now,
        Func<NewNotification, InboxCounts, OutboxRow?> announce) => InTransactionAsync(async connection =>
    {
        var claims = JsonSerializer.Serialize(progress.Select(step => new { Id = JsonId(step.Work.Id), LockId = JsonId(step.Work.LockId) }), Json);
        var held = (await connection.QueryAsync(sql.HoldRouting, [("claims", claims)], row => ReadId(row, 0))).ToHashSet();
        var allowed = await ThrottleAsync(connection, [.. notifications.Where(notification => held.Contains(notification.WorkId))], now);
        await AddToDigestsAsync(connection, [.. digested.Where(item => held.Contains(item.WorkId))], now);
        var added = await AddAsync(connection, allowed, now, announce);
        var moved = progress.Where(step => held.Contains(step.Work.Id)).ToLookup(step => step.IsDone);
        if (moved[true].Any())
            await connection.ExecuteAsync(sql.FinishRouting, [("ids", JsonSerializer.Serialize(moved[true].Select(step => JsonId(step.Work.Id)), Json))]);
        if (moved[false].Any())
        {
            var rest = JsonSerializer.Serialize(moved[false].Select(step => new { Id = JsonId(step.Work.Id), step.ResumeRule, step.ResumeUser }), Json);
            await connection.ExecuteAsync(sql.MoveRouting, [("works", rest), ("lease", Span(lease))]);
        }

        return new RoutedChunk(held, added);
    });

    /// <summary>Puts a queued event off after a failure, or, without a time, among the dead letters.</summary>
    public Task FailRoutingAsync(RoutingWork work, string error, DateTimeOffset? dueAt, DateTimeOffset now) => WithConnectionAsync(connection => connection.ExecuteAsync(
        sql.FailRouting,
        [("id", Id(work.Id)), ("lock", Id(work.LockId)), ("attempts", work.Attempts + 1), ("error", error), ("due", Time(dueAt ?? now)), ("failed", dueAt is null ? Time(now) : null)]));

    /// <summary>Notifications without an event.</summary>
    /// <param name="scheduled">The request itself and its time, to be sent then; null: it is sent now.</param>
    /// <returns>Null: the id was used before with other content.</returns>
    public Task<RequestedNotifications?> AddRequestedAsync(
        string app, string id, byte[] contentHash, (string Request, DateTimeOffset SendAt)? scheduled, IReadOnlyList<NewNotification> notifications, DateTimeOffset now,
        Func<NewNotification, InboxCounts, OutboxRow?> announce) => InTransactionAsync(async connection =>
    {
        var isNew = await connection.ExecuteAsync(
            sql.AddRequest,
            [
                ("app", app), ("id", id), ("hash", contentHash), ("now", Time(now)), ("scheduled", scheduled?.Request), ("send_at", scheduled is { } given ? Time(given.SendAt) : null),
            ]) > 0;
        if (isNew)
            return new RequestedNotifications(IsRepeat: false, IsScheduled: scheduled is not null, await AddAsync(connection, notifications, now, announce));
        var stored = await connection.QueryAsync(sql.FindRequest, [("app", app), ("id", id)], row => (Hash: row.GetFieldValue<byte[]>(0), IsScheduled: row.GetBoolean(1)));
        return stored[0].Hash.AsSpan().SequenceEqual(contentHash) ? new RequestedNotifications(IsRepeat: true, stored[0].IsScheduled, []) : null;
    });

    /// <summary>Marks some of a user's notifications, or all that are unread, and counts anew. Those that are marked so already do not change.</summary>
    /// <param name="ids">Null: all that are unread, up to <paramref name="through"/> when that is given.</param>
    /// <param name="announce">The log entry of the change: the ids that changed and the counts after it. Not called when nothing changed.</param>
    public Task<MarkedInbox> MarkAsync(
        string app, string userId, IReadOnlyCollection<Guid>? ids, Guid? through, InboxMark mark, DateTimeOffset now, Func<IReadOnlyList<Guid>, InboxCounts, OutboxRow> announce) =>
        InTransactionAsync(async connection =>
    {
        var counts = (await connection.QueryAsync(sql.LockCounts, [("app", app), ("user", userId)], row => ReadCounts(row, 0)))[0];
        var states = ids is null
            ? await connection.QueryAsync(sql.FindUnread, [("app", app), ("user", userId), ("through", through is { } last ? Id(last) : null)], ReadState)
            : await connection.QueryAsync(sql.FindStates, [("app", app), ("user", userId), ("ids", JsonSerializer.Serialize(ids.Select(JsonId), Json))], ReadState);
        var found = states.Select(state => state.Id).ToHashSet();
        var changes = states.Select(state => (Before: state, After: state.Marked(mark))).Where(change => change.Before != change.After).ToList();
        if (changes.Count == 0)
            return new MarkedInbox(counts, found);

        counts = changes.Aggregate(counts, (sum, change) => sum.Less(change.Before).Plus(change.After)) with { Rev = counts.Rev + 1 };
        var rows = JsonSerializer.Serialize(changes.Select(change => new { Id = JsonId(change.After.Id), change.After.Seen, change.After.Read, change.After.Archived }), Json);
        await connection.ExecuteAsync(sql.MarkNotifications, [("changes", rows), ("now", Time(now))]);
        // Who has seen it need not be told another way.
        if (mark is InboxMark.Seen or InboxMark.Read or InboxMark.Archived)
        {
            var seen = JsonSerializer.Serialize(changes.Select(change => JsonId(change.After.Id)), Json);
            await connection.ExecuteAsync(sql.CancelAcknowledged, [("app", app), ("user", userId), ("ids", seen)]);
        }

        await connection.ExecuteAsync(
            sql.SetCounts, [("app", app), ("user", userId), ("total", counts.Total), ("unread", counts.Unread), ("unseen", counts.Unseen), ("rev", counts.Rev)]);
        await AddToOutboxAsync(connection, [announce([.. changes.Select(change => change.After.Id)], counts)], now);
        return new MarkedInbox(counts, found);
    });

    /// <summary>Deliveries that are due and nobody's and not paused, each app's oldest first, and apps in another order each time.</summary>
    /// <param name="exceptOf">Apps that have enough under way; null: none.</param>
    public Task<List<DeliveryWork>> ClaimDeliveriesAsync(
        IReadOnlyCollection<string> channels, int limit, int perApp, TimeSpan lease, DateTimeOffset now, IReadOnlyCollection<string>? exceptOf = null) =>
        WithConnectionAsync(async connection =>
    {
        var lockId = Guid.CreateVersion7(now);
        return await connection.QueryAsync(
            sql.ClaimDeliveries,
            [
                ("channels", JsonSerializer.Serialize(channels, Json)), ("except", JsonSerializer.Serialize(exceptOf ?? [], Json)), ("limit", limit), ("per_app", perApp),
                ("lease", Span(lease)), ("lock", Id(lockId)), ("now", Time(now)),
            ],
            row => ReadDelivery(row, lockId));
    });

    /// <summary>Records an attempt and what follows from it.</summary>
    /// <returns>False: the lease has lapsed and somebody else has the delivery; nothing is recorded.</returns>
    public Task<bool> RecordAttemptAsync(DeliveryWork work, DeliveryAttempt attempt) => InTransactionAsync(async connection =>
    {
        var next = attempt.NextAttemptAt;
        var moved = await connection.ExecuteAsync(
            sql.FinishDelivery,
            [
                ("id", Id(work.Id)), ("lock", Id(work.LockId)), ("status", attempt.Status), ("attempts", work.Attempts + (attempt.IsSpent ? 1 : 0)), ("next", next is null ? null : Time(next.Value)),
                ("error", attempt.Error), ("now", Time(attempt.EndedAt)), ("sent", attempt.Status is DeliveryStatus.Sent or DeliveryStatus.Delivered),
                ("delivered", attempt.Status == DeliveryStatus.Delivered), ("dead", attempt.Status == DeliveryStatus.Dead), ("reason", attempt.Reason),
            ]);
        if (moved == 0)
            return false;
        await connection.ExecuteAsync(
            sql.AddAttempt,
            [
                ("id", Id(Guid.CreateVersion7(attempt.EndedAt))), ("delivery", Id(work.Id)), ("app", work.App), ("user", work.UserId), ("at", Time(attempt.StartedAt)),
                ("duration", (int)(attempt.EndedAt - attempt.StartedAt).TotalMilliseconds), ("outcome", attempt.Outcome), ("error", attempt.Error),
            ]);
        return true;
    });

    /// <summary>It will not be sent, for this reason.</summary>
    public Task SuppressAsync(DeliveryWork work, string reason) =>
        WithConnectionAsync(connection => connection.ExecuteAsync(sql.SuppressDelivery, [("id", Id(work.Id)), ("lock", Id(work.LockId)), ("reason", reason)]));

    /// <summary>Gives a claim back without an attempt, for this reason; what was acknowledged or recalled after a claim is cancelled instead.</summary>
    public Task PostponeAsync(DeliveryWork work, DateTimeOffset until, string reason) => WithConnectionAsync(connection =>
        connection.ExecuteAsync(sql.PostponeDelivery, [("id", Id(work.Id)), ("lock", Id(work.LockId)), ("next", Time(until)), ("reason", reason)]));

    /// <summary>In the caller's transaction. What is stored already, by the key that makes a notification one, is left out of all that follows.</summary>
    private async Task<IReadOnlyList<NewNotification>> AddAsync(
        StoreConnection connection, IReadOnlyList<NewNotification> notifications, DateTimeOffset now, Func<NewNotification, InboxCounts, OutboxRow?> announce)
    {
        if (notifications.Count == 0)
            return [];
        var rows = JsonSerializer.Serialize(
            notifications.Select(n => new
            {
                Id = JsonId(n.Id), n.App, n.UserId, n.Type, n.Rule, n.Source, n.EventId, n.Title, n.Body, n.Link, n.Image, n.Actions, n.Data, n.InInbox, n.TemplateError,
                n.ManifestVersion, ExpiresAt = JsonTime(n.ExpiresAt),
            }),
            Json);
        var ids = (await connection.QueryAsync(sql.AddNotifications, [("rows", rows), ("now", Time(now))], row => ReadId(row, 0))).ToHashSet();
        var added = notifications.Where(notification => ids.Contains(notification.Id)).ToList();
        if (added.Count == 0)
            return added;

        var deliveries = JsonSerializer.Serialize(
            added.SelectMany(n => n.Deliveries.Select(d => new
            {
                Id = JsonId(Guid.CreateVersion7(now)), NotificationId = JsonId(n.Id), n.App, n.UserId, n.Rule, d.Channel, d.Target, d.Status, d.Reason, d.UnlessAcked, d.Content, DueAt = JsonTime(d.DueAt),
                IsDelivered = d.Status == DeliveryStatus.Delivered,
            })),
            Json);
        await connection.ExecuteAsync(sql.AddDeliveries, [("rows", deliveries), ("now", Time(now))]);

        var owners = added.GroupBy(n => (n.App, n.UserId)).OrderBy(group => group.Key.App, StringComparer.Ordinal).ThenBy(group => group.Key.UserId, StringComparer.Ordinal).ToList();
        var growth = JsonSerializer.Serialize(owners.Select(owner => new { owner.Key.App, owner.Key.UserId, Added = owner.Count(n => n.InInbox), Changes = owner.Count() }), Json);
        var counts = (await connection.QueryAsync(sql.GrowCounts, [("rows", growth)], row => (Key: (row.GetString(0), row.GetString(1)), Counts: ReadCounts(row, 2))))
            .ToDictionary(row => row.Key, row => row.Counts);
        var entries = new List<OutboxRow?>(added.Count);
        foreach (var owner in owners)
        {
            // Back from what the counts are after all of them, so that each entry has the counts after it.
            var (after, first) = (counts[owner.Key], entries.Count);
            foreach (var notification in owner.Reverse())
            {
                entries.Insert(first, announce(notification, after));
                var one = notification.InInbox ? 1 : 0;
                after = new InboxCounts(after.Total - one, after.Unread - one, after.Unseen - one, after.Rev - 1);
            }
        }

        await AddToOutboxAsync(connection, [.. entries.OfType<OutboxRow>()], now);
        return added;
    }

    private async Task AddToOutboxAsync(StoreConnection connection, IReadOnlyList<OutboxRow> entries, DateTimeOffset now)
    {
        if (entries.Count > 0)
            await connection.ExecuteAsync(
                sql.AddToOutbox, [("rows", JsonSerializer.Serialize(entries.Select(entry => new { Id = JsonId(entry.Id), entry.App, entry.EventId, entry.Event }), Json)), ("now", Time(now))]);
    }

    private RoutingWork ReadWork(DbDataReader row, Guid lockId)
    {
        var work = new RoutingWork(
            ReadId(row, 0), lockId, row.GetString(1), row.GetString(2), row.GetString(3), row.GetInt64(4), row.GetInt32(5), TextOrNull(row, 6), TextOrNull(row, 7));
        if (row.IsDBNull(8))
            return work;
        return work with
        {
            Event = new StoredEvent
            {
                Id = work.EventId,
                Source = work.Source,
                App = work.App,
                Type = row.GetString(8),
                Data = row.GetString(9),
                UserId = TextOrNull(row, 10),
                Topic = TextOrNull(row, 11),
                Actor = row.GetString(12),
                Time = ReadTime(row, 13),
                RecordedAt = ReadTime(row, 14),
                Metadata = TextOrNull(row, 15),
                Stream = row.GetString(16),
                Position = row.GetInt64(17),
            },
        };
    }

    private DeliveryWork ReadDelivery(DbDataReader row, Guid lockId) => new(
        ReadId(row, 0), lockId, ReadId(row, 1), row.GetString(2), row.GetString(3), row.GetString(4), row.GetString(5), row.GetInt32(6))
    {
        Type = TextOrNull(row, 7),
        Title = row.GetString(8),
        Body = TextOrNull(row, 9),
        Link = TextOrNull(row, 10),
        Image = TextOrNull(row, 11),
        Actions = TextOrNull(row, 12),
        Data = row.GetString(13),
        CreatedAt = ReadTime(row, 14),
        Email = TextOrNull(row, 15),
        Locale = TextOrNull(row, 16),
        TimeZone = TextOrNull(row, 17),
        HasLeft = row.GetBoolean(18),
        Target = row.GetString(19),
        Content = TextOrNull(row, 20),
        ExpiresAt = row.IsDBNull(21) ? null : ReadTime(row, 21),
        IsRecalled = row.GetBoolean(22),
        IsMuted = !row.IsDBNull(23) && row.GetBoolean(23),
        MutedChannels = TextOrNull(row, 24),
        QuietHours = TextOrNull(row, 25),
        IsOver = !row.IsDBNull(26) && row.GetBoolean(26),
    };

    private NotificationState ReadState(DbDataReader row) => new(ReadId(row, 0), row.GetBoolean(1), row.GetBoolean(2), row.GetBoolean(3));

    private static InboxCounts ReadCounts(DbDataReader row, int column) =>
        new(row.GetInt32(column), row.GetInt32(column + 1), row.GetInt32(column + 2), row.GetInt64(column + 3));
}
