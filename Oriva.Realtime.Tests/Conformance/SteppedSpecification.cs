using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

/// <summary>Tests on a node whose clock is the test's, and whose queues only the test runs.</summary>
public abstract class SteppedSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private protected static readonly DateTimeOffset Start = StoreTime.Truncate(TimeProvider.System.GetUtcNow());

    private protected FakeTimeProvider Time { get; set; } = new(Start);

    private protected TestChannel Email { get; } = new();

    private protected TestChannel Push { get; } = new("push");

    private protected TestChannel Webhook { get; } = new("webhook");

    private protected async Task<LogHost> StartAsync(Action<DeliveryOptions>? configure = null)
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartSteppedAsync(store, configure);
        await store.ExecuteAsync("DELETE FROM notification_delivery");
        await store.ExecuteAsync("DELETE FROM notifications");
        return node;
    }

    /// <summary>On a store that another node had before.</summary>
    /// <param name="settings">With channels of the service's own; null: the channels are the test's.</param>
    private protected async Task<LogHost> StartSteppedAsync(TestStore store, Action<DeliveryOptions>? configure = null, LogHostSettings? settings = null)
    {
        var node = await StartNodeAsync((settings ?? new LogHostSettings { Channels = [Email, Push, Webhook] }) with
        {
            Time = Time,
            Delivery = delivery =>
            {
                (delivery.JitterPercent, delivery.CircuitFailures) = (0, 100);
                configure?.Invoke(delivery);
            },
        }, store);
        // A service that is stopped before its loop has begun counts as crashed.
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", to = "members", channels = new[] { "email" } });
        await node.AddMembersAsync(app, "warm");
        await node.PublishAsync(Drafts.ToAll(app));
        await Eventually("the node's own loops run", async () => (await DeliveriesAsync(node, app)).Any(row => row.Status != DeliveryStatus.Pending));
        await node.Get<DeliveryWorker>().StopAsync(Cancel);
        await node.Get<NotificationRouter>().StopAsync(Cancel);
        await node.Get<ScheduleWorker>().StopAsync(Cancel);
        Email.Forget();
        return node;
    }

    /// <summary>Publishes to a user, or with null to everybody, and routes it.</summary>
    private protected static async Task PublishAsync(LogHost node, string app, string? user = "ada", string data = "{}")
    {
        await node.PublishAsync((user is null ? Drafts.ToAll(app) : Drafts.ToUser(app, user)) with { Data = System.Text.Json.JsonElement.Parse(data) });
        (await node.Get<NotificationRouter>().RunOnceAsync(Cancel)).ShouldBe(1);
    }

    private protected static Task<int> DeliverAsync(LogHost node) => node.Get<DeliveryWorker>().RunOnceAsync(Cancel);

    /// <summary>Until nothing is due.</summary>
    private protected static async Task DeliverAllAsync(LogHost node)
    {
        while (await DeliverAsync(node) > 0)
            Cancel.ThrowIfCancellationRequested();
    }

    private protected static Task<int> DoWhatIsDueAsync(LogHost node) => node.Get<ScheduleWorker>().RunOnceAsync(Cancel);

    private protected static async Task<List<NotificationDeliveryRow>> DeliveriesAsync(LogHost node, string app, string? channel = null)
    {
        await using var context = node.Database.ForService();
        return await context.Deliveries.AsNoTracking().Where(row => row.App == app && (channel == null || row.Channel == channel))
            .OrderBy(row => row.CreatedAt).ThenBy(row => row.Id).ThenBy(row => row.Channel).ToListAsync(Cancel);
    }

    private protected static async Task<NotificationDeliveryRow> DeliveryAsync(LogHost node, string app, string channel) =>
        (await DeliveriesAsync(node, app, channel)).ShouldHaveSingleItem();

    private protected static async Task<Guid> AddBrowserAsync(LogHost node, string app, string user, string host = "push.example")
    {
        await using var context = node.Database.ForService();
        var id = Guid.CreateVersion7(Start);
        context.PushSubscriptions.Add(new PushSubscriptionRow { Id = id, App = app, UserId = user, Endpoint = $"https://{host}/{id:N}", P256dh = "k", Auth = "a", CreatedAt = Start });
        await context.SaveChangesAsync(Cancel);
        return id;
    }
}
