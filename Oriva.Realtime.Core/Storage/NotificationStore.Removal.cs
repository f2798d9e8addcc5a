using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Storage;

/// <summary>What takes notifications away: recall, and age.</summary>
internal sealed partial class NotificationStore
{
    public const string Recalled = "recalled";
    public const string RecalledAfterClaim = "recalled_after_claim";

    /// <summary>
    /// Takes a notification back: out of the inbox and its counts, and what is not sent will not be. Of a delivery that is claimed at this moment the claim
    /// wins, and is not repeated.
    /// </summary>
    /// <param name="replaces">Channels in which something can be sent that replaces what was sent before.</param>
    /// <param name="announce">The log entry of the change, with the counts after it.</param>
    /// <returns>Null: there is no such notification, or it was recalled before.</returns>
    public Task<IReadOnlyList<RecalledDelivery>?> RecallAsync(
        Guid id, string app, string userId, IReadOnlyCollection<string> replaces, DateTimeOffset now, Func<InboxCounts, OutboxRow> announce) =>
        InTransactionAsync<IReadOnlyList<RecalledDelivery>?>(async connection =>
    {
        var counts = (await connection.QueryAsync(sql.LockCounts, [("app", app), ("user", userId)], row => ReadCounts(row, 0)))[0];
        var found = await connection.QueryAsync(sql.LockNotification, [("id", Id(id))], row => (State: ReadState(row), InInbox: row.GetBoolean(4)));
        if (found is not [var (state, inInbox)])
            return null;
        await connection.ExecuteAsync(sql.RecallNotification, [("id", Id(id)), ("now", Time(now))]);
        counts = (inInbox ? counts.Less(state) : counts) with { Rev = counts.Rev + 1 };
        await connection.ExecuteAsync(
            sql.SetCounts, [("app", app), ("user", userId), ("total", counts.Total), ("unread", counts.Unread), ("unseen", counts.Unseen), ("rev", counts.Rev)]);
        await AddToOutboxAsync(connection, [announce(counts)], now);

        var deliveries = await connection.QueryAsync(
            sql.FindDeliveries, [("id", Id(id))], row => new DeliveryState(ReadId(row, 0), row.GetString(1), row.GetString(2), row.GetBoolean(3)));
        var recalls = deliveries.ConvertAll(delivery => (Delivery: delivery, Recall: RecallOf(delivery, replaces)));
        var rows = recalls.Where(recall => recall.Recall.Reason is not null).Select(recall => new
        {
            Id = JsonId(recall.Delivery.Id), recall.Recall.Status, recall.Recall.Reason, recall.Recall.IsQueued, recall.Delivery.IsLeased,
        });
        await connection.ExecuteAsync(sql.RecallDeliveries, [("rows", JsonSerializer.Serialize(rows, Json)), ("now", Time(now))]);
        return recalls.ConvertAll(recall => new RecalledDelivery(recall.Delivery.Channel, recall.Recall.Outcome));
    });

    /// <summary>
    /// Deletes a bounded number of notifications from before <paramref name="cutoff"/>, with their deliveries and attempts, and takes them out of the counts:
    /// user by user, so that nobody's inbox is locked for long.
    /// </summary>
    /// <param name="announce">The log entry of an inbox that has changed. Not called for what did not count any more.</param>
    /// <returns>Whether there may be more.</returns>
    public async Task<bool> DropBeforeAsync(
        DateTimeOffset cutoff, int limit, DateTimeOffset now, Func<string, string, IReadOnlyList<Guid>, InboxCounts, OutboxRow> announce)
    {
        var old = await WithConnectionAsync(connection => connection.QueryAsync(
            sql.FindOldNotifications, [("cutoff", Time(cutoff)), ("limit", limit)], row => (Id: ReadId(row, 0), App: row.GetString(1), UserId: row.GetString(2))));
        foreach (var inbox in old.GroupBy(row => (row.App, row.UserId)))
        {
            await InTransactionAsync(async connection =>
            {
                var (app, user) = inbox.Key;
                var ids = JsonSerializer.Serialize(inbox.Select(row => JsonId(row.Id)), Json);
                var before = (await connection.QueryAsync(sql.LockCounts, [("app", app), ("user", user)], row => ReadCounts(row, 0)))[0];
                var states = await connection.QueryAsync(sql.FindStates, [("app", app), ("user", user), ("ids", ids)], ReadState);
                var counts = states.Aggregate(before, (sum, state) => sum.Less(state));
                if (counts != before)
                {
                    counts = counts with { Rev = counts.Rev + 1 };
                    await connection.ExecuteAsync(
                        sql.SetCounts, [("app", app), ("user", user), ("total", counts.Total), ("unread", counts.Unread), ("unseen", counts.Unseen), ("rev", counts.Rev)]);
                    await AddToOutboxAsync(connection, [announce(app, user, states.ConvertAll(state => state.Id), counts)], now);
                }

                foreach (var drop in new[] { sql.DropAttempts, sql.DropDeliveries, sql.DropNotifications })
                    await connection.ExecuteAsync(drop, [("ids", ids)]);
                return true;
            });
        }

        return old.Count == limit;
    }

    /// <summary>Deletes a bounded number of what only told repeats, joined digests or counted for throttles, and no longer does.</summary>
    /// <returns>Whether there may be more.</returns>
    public Task<bool> DropLeftoversAsync(DateTimeOffset cutoff, int limit, DateTimeOffset now) => WithConnectionAsync(async connection =>
    {
        var requests = await connection.ExecuteAsync(sql.DropRequests, [("cutoff", Time(cutoff)), ("limit", limit)]);
        var items = await connection.ExecuteAsync(sql.DropDigestItems, [("cutoff", Time(cutoff)), ("limit", limit)]);
        var throttles = await connection.ExecuteAsync(sql.DropThrottles, [("now", Time(now)), ("limit", limit)]);
        return requests == limit || items == limit || throttles == limit;
    });

    /// <returns>Without a reason: it stays as it is.</returns>
    private static (string Outcome, string Status, string? Reason, bool IsQueued) RecallOf(DeliveryState delivery, IReadOnlyCollection<string> replaces) => delivery switch
    {
        { Channel: ChannelNames.InApp, Status: DeliveryStatus.Delivered } => (RecallOutcome.Removed, DeliveryStatus.Cancelled, Recalled, false),
        { Channel: ChannelNames.Websocket, Status: DeliveryStatus.Pending or DeliveryStatus.Sent or DeliveryStatus.Delivered } => (RecallOutcome.Removed, DeliveryStatus.Cancelled, Recalled, false),
        { IsLeased: true } => (RecallOutcome.NotRecalled, delivery.Status, RecalledAfterClaim, false),
        { Status: DeliveryStatus.Pending or DeliveryStatus.Failed or DeliveryStatus.Dead } => (RecallOutcome.Cancelled, DeliveryStatus.Cancelled, Recalled, false),
        { Status: DeliveryStatus.Sent or DeliveryStatus.Delivered } when replaces.Contains(delivery.Channel) => (RecallOutcome.Replacing, DeliveryStatus.Pending, Recalled, true),
        { Status: DeliveryStatus.Sent or DeliveryStatus.Delivered } => (RecallOutcome.NotRecalled, delivery.Status, null, false),
        _ => (RecallOutcome.None, delivery.Status, null, false),
    };
}
