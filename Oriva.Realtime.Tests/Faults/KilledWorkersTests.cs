using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>Processes that route and deliver, killed in the middle of it.</summary>
public sealed class KilledWorkersTests : ProcessTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    [Fact]
    [Trait("Category", "Long")]
    public async Task TwoWorkers_Attempt10000DeliveriesOnceEach()
    {
        await using var store = await PostgresServer.CreateMigratedAsync();
        await using var node = await StartPublisherAsync(store);
        using var one = new Worker(store, millisecondsASend: 1, leaseSeconds: 30);
        using var other = new Worker(store, millisecondsASend: 1, leaseSeconds: 30);

        await QueueAsync(node, 10_000);
        await SentAsync(node, 10_000);

        one.Sent().Concat(other.Sent()).Count().ShouldBe(10_000);
        one.Sent().Concat(other.Sent()).Distinct().Count().ShouldBe(10_000);
        Math.Min(one.Sent().Count, other.Sent().Count).ShouldBeGreaterThan(1_000, "both work");
        await using var context = node.Database.ForService();
        (await context.DeliveryAttempts.CountAsync(TestContext.Current.CancellationToken)).ShouldBe(10_000);
    }

    [Fact]
    public async Task KilledWorker_IsTakenOver_AndOnlyWhatWasUnderWayIsRepeated()
    {
        const int Deliveries = 400;
        await using var store = await PostgresServer.CreateMigratedAsync();
        await using var node = await StartPublisherAsync(store);
        using var killed = new Worker(store, millisecondsASend: 100, leaseSeconds: 3);
        await QueueAsync(node, Deliveries);
        await Waiting.Eventually("it is in the middle of it", () => killed.Sent().Count > 100);
        killed.Kill();
        var before = killed.Sent();
        before.Count.ShouldBeLessThan(Deliveries);

        using var other = new Worker(store, millisecondsASend: 1, leaseSeconds: 3);
        await SentAsync(node, Deliveries);

        var repeated = before.Intersect(other.Sent()).Count();
        repeated.ShouldBeLessThanOrEqualTo(new DeliveryOptions().Concurrency, "what was under way");
        before.Concat(other.Sent()).Distinct().Count().ShouldBe(Deliveries);
        (before.Count + other.Sent().Count - repeated).ShouldBe(Deliveries);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task RouterKilled20Times_During5000Events_NotifiesEverybodyOnce()
    {
        const int Events = 5_000, Kills = 20, Users = 50;
        await using var store = await PostgresServer.CreateMigratedAsync();
        await using var node = await StartPublisherAsync(store);
        var app = await node.AddAppAsync(
            new { name = "mine", on = TestManifest.Type, title = "n {{ data.n }}", to = "user" }, new { name = "all", on = TestManifest.SharedType, title = "n {{ data.n }}", to = "members" });
        await node.AddManyMembersAsync(app, Enumerable.Range(0, Users).Select(i => $"u{i:00}"));
        for (var from = 0; from < Events; from += 500)
            await node.PublishAsync([.. Enumerable.Range(from, 500).Select(n => n % 25 == 0 ? Drafts.Shared(app, new { n }) : Drafts.ToUser(app, $"u{n % Users:00}", new { n }))]);

        var random = new Random(5);
        var expected = (Events / 25 * Users) + (Events - (Events / 25));
        for (var kill = 0; kill < Kills; kill++)
        {
            var hub = await StartAsync(store, ("Delivery:Lease", "00:00:01"), ("EventLog:OutboxLease", "00:00:01"));
            var goal = Math.Min(await CountAsync(node) + random.Next(1, expected / Kills), expected);
            await Waiting.Eventually($"{goal} notifications", async () => await CountAsync(node) >= goal, s_patience);
            await hub.KillAsync();
        }

        await StartAsync(store, ("Delivery:Lease", "00:00:01"), ("EventLog:OutboxLease", "00:00:01"));
        await node.RoutedAsync(s_patience);

        await using var context = node.Database.ForService();
        (await CountAsync(node)).ShouldBe(expected);
        (await context.Notifications.GroupBy(row => new { row.EventId, row.Rule, row.UserId }).CountAsync(group => group.Count() > 1, TestContext.Current.CancellationToken)).ShouldBe(0);
        (await context.Deliveries.CountAsync(TestContext.Current.CancellationToken)).ShouldBe(2 * expected);
        (await context.Events.CountAsync(row => row.Type == "notification.created", TestContext.Current.CancellationToken)).ShouldBe(expected);
        (await context.InboxCounts.SumAsync(row => row.Unread, TestContext.Current.CancellationToken)).ShouldBe(expected);
        (await context.InboxCounts.SumAsync(row => row.Rev, TestContext.Current.CancellationToken)).ShouldBe(expected);
    }

    /// <summary>A node that only publishes: what is killed routes, and it has the channel.</summary>
    private static async Task<LogHost> StartPublisherAsync(TestStore store)
    {
        var node = await LogHost.StartAsync(store);
        // A service that is stopped before its loop has begun counts as crashed.
        await node.PublishAsync(Drafts.ToUser(await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", to = "user" }), "stranger"));
        await node.RoutedAsync();
        await node.Get<NotificationRouter>().StopAsync(TestContext.Current.CancellationToken);
        return node;
    }

    private static async Task QueueAsync(LogHost node, int deliveries)
    {
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", to = "members", channels = new[] { "email" } });
        await node.AddManyMembersAsync(app, Enumerable.Range(0, deliveries).Select(i => $"u{i:00000}"));
        await node.PublishAsync(Drafts.ToAll(app));
    }

    private static Task SentAsync(LogHost node, int deliveries) => Waiting.Eventually($"{deliveries} are sent", async () =>
    {
        await using var context = node.Database.ForService();
        return await context.Deliveries.CountAsync(row => row.Status == DeliveryStatus.Sent) == deliveries;
    }, s_patience);

    private static async Task<int> CountAsync(LogHost node)
    {
        await using var context = node.Database.ForService();
        return await context.Notifications.CountAsync();
    }

    /// <summary>A process that delivers into a file.</summary>
    private sealed class Worker : IDisposable
    {
        private readonly string _file = Path.GetTempFileName();
        private readonly Process _process;

        public Worker(PostgresStore store, int millisecondsASend, int leaseSeconds) => _process = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Tests.Worker.dll"), store.ConnectionString, _file, $"{millisecondsASend}", $"{leaseSeconds}"]) { UseShellExecute = false })!;

        /// <summary>The deliveries that it began to send.</summary>
        public IReadOnlyList<string> Sent()
        {
            using var reader = new StreamReader(new FileStream(_file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd().Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        }

        public void Kill()
        {
            _process.Kill();
            _process.WaitForExit();
        }

        public void Dispose()
        {
            if (!_process.HasExited)
                Kill();
            _process.Dispose();
            File.Delete(_file);
        }
    }
}
