using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteDeliveryTests(SqliteFixture fixture) : DeliverySpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresDeliveryTests(PostgresFixture fixture) : DeliverySpecification(fixture), IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task TwoNodes_DeliverEachOnce()
    {
        var store = await Fixture.NewStoreAsync();
        var (one, other) = (new TestChannel(), new TestChannel());
        var first = await StartNodeAsync(new LogHostSettings { Channels = [one] }, store);
        await StartNodeAsync(new LogHostSettings { Channels = [other] }, store);
        var app = await AddAppAsync(first, members: 2_000);

        await first.PublishAsync(Drafts.ToAll(app));

        await Eventually("all are sent", async () => await CountAsync(first, row => row.Status == DeliveryStatus.Sent) == 2_000);
        one.Attempts.Concat(other.Attempts).Select(work => work.Id).Distinct().Count().ShouldBe(2_000);
        (one.Attempts.Count + other.Attempts.Count).ShouldBe(2_000);
        Math.Min(one.Attempts.Count, other.Attempts.Count).ShouldBeGreaterThan(0, "both nodes work");
    }
}

/// <summary>The delivery queue: retried, held, dead, redriven; each delivery one worker's at a time.</summary>
public abstract class DeliverySpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    [Fact]
    public async Task FailedDelivery_IsTriedAfter1_2_4_8_16Seconds_AndThenDead_AndRedriven()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Failed("421 try later"));
        await QueueAsync(node, app);

        foreach (var seconds in new[] { 0, 1, 2, 4, 8, 16 })
        {
            Time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(seconds == 0 ? 0 : 1));
            if (seconds > 0)
            {
                (await DeliverAsync(node)).ShouldBe(0, $"not before {seconds} s");
                Time.Advance(TimeSpan.FromMilliseconds(1));
            }

            (await DeliverAsync(node)).ShouldBe(1, $"after {seconds} s");
        }

        Email.Attempts.Count.ShouldBe(6);
        var dead = await SingleAsync(node);
        (dead.Status, dead.Attempts, dead.NextAttemptAt, dead.LastError).ShouldBe((DeliveryStatus.Dead, 6, null, "421 try later"));
        Time.Advance(TimeSpan.FromDays(1));
        (await DeliverAsync(node)).ShouldBe(0);

        var letters = node.Get<DeadLetters>();
        var letter = (await letters.ListAsync(new DeadLetterFilter(app), 10, null, Cancel)).Required().Items.ShouldHaveSingleItem();
        letter.History.Select(attempt => attempt.At - Start).ShouldBe(new[] { 0, 1, 3, 7, 15, 31 }.Select(seconds => TimeSpan.FromSeconds(seconds)));
        letter.History.ShouldAllBe(attempt => attempt.Outcome == "failed" && attempt.Error == "421 try later");

        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Sent);
        (await letters.RetryAsync(letter.Id, Cancel)).ShouldBeTrue();
        (await letters.RetryAsync(letter.Id, Cancel)).ShouldBeFalse("it is no dead letter any more");
        (await DeliverAsync(node)).ShouldBe(1);
        var sent = await SingleAsync(node);
        (sent.Status, sent.Attempts, sent.FailedAt).ShouldBe((DeliveryStatus.Sent, 1, null));
        (await node.Get<DeliveryRecords>().FindAsync(Callers.Publisher(app), sent.NotificationId, Cancel)).Required().Single(delivery => delivery.Channel == "email").History.Count.ShouldBe(7);
    }

    [Fact]
    public async Task PermanentFailure_IsDeadAtOnce()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Refused("550 no such mailbox"));
        await QueueAsync(node, app);

        (await DeliverAsync(node)).ShouldBe(1);

        var dead = await SingleAsync(node);
        (dead.Status, dead.Attempts, dead.LastError).ShouldBe((DeliveryStatus.Dead, 1, "550 no such mailbox"));
    }

    [Fact]
    public async Task RetryAfter_IsHonoured_AndAnExceptionIsAFailureThatPasses()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Failed("429", TimeSpan.FromSeconds(90)));
        await QueueAsync(node, app);

        await DeliverAsync(node);
        (await SingleAsync(node)).NextAttemptAt.ShouldBe(Start.AddSeconds(90));
        Email.Answer = (_, _) => throw new InvalidOperationException("bug");
        Time.Advance(TimeSpan.FromSeconds(90));
        await DeliverAsync(node);

        var failed = await SingleAsync(node);
        (failed.Status, failed.LastError).ShouldBe((DeliveryStatus.Failed, "InvalidOperationException: bug"));
        failed.NextAttemptAt.ShouldBe(Start.AddSeconds(92));
    }

    [Fact]
    public async Task ChannelThatHangs_IsCutOff_WithinTheLease()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        Email.Answer = async (_, cancel) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancel);
            return ChannelResult.Sent;
        };
        await QueueAsync(node, app);

        var running = DeliverAsync(node);
        await Eventually("it is being sent", () => Email.Attempts.Count == 1);
        Time.Advance(TimeSpan.FromSeconds(23));
        await running.Soon("it is cut off");

        (await SingleAsync(node)).LastError.ShouldBe("The destination did not answer in time.");
    }

    [Fact]
    public async Task OpenCircuit_HoldsWithoutSpendingAttempts_AndClosesByOneProbe()
    {
        var node = await StartAsync(delivery => delivery.CircuitFailures = 3);
        var app = await AddAppAsync(node, members: 40);
        var isUp = false;
        Email.Answer = (_, _) => Task.FromResult(isUp ? ChannelResult.Sent : ChannelResult.Failed("down"));
        await QueueAsync(node, app);

        // Ten minutes of outage: nothing dies.
        for (var second = 0; second < 600; second += 5)
        {
            while (await DeliverAsync(node) > 0)
                Cancel.ThrowIfCancellationRequested();
            Time.Advance(TimeSpan.FromSeconds(5));
        }

        var letters = (await node.Get<DeadLetters>().ListAsync(new DeadLetterFilter(app), 10, null, Cancel)).Required().Items;
        letters.ShouldBeEmpty(string.Join(Environment.NewLine, letters.SelectMany(letter => letter.History.Select(attempt => $"{letter.Id} {attempt.At - Start} {attempt.Outcome}"))));
        (await CountAsync(node, row => row.Attempts > 2)).ShouldBe(0);
        Email.Attempts.Count.ShouldBeLessThan(40 + 30, "while the circuit is open it is asked twice a minute");

        isUp = true;
        for (var second = 0; second < 120; second += 1)
        {
            await DeliverAsync(node);
            Time.Advance(TimeSpan.FromSeconds(1));
        }

        (await CountAsync(node, row => row.Status == DeliveryStatus.Sent)).ShouldBe(40);
    }

    [Fact]
    public async Task WhatADestinationDefers_IsTriedAgain_AndOpensNoCircuit()
    {
        var node = await StartAsync(delivery => delivery.CircuitFailures = 2);
        var app = await AddAppAsync(node, members: 10);
        Email.Answer = (work, _) => Task.FromResult(work.UserId is "u0009" ? ChannelResult.Sent : ChannelResult.Deferred("450 not now, for this one"));
        await QueueAsync(node, app);

        while (await DeliverAsync(node) > 0)
            Cancel.ThrowIfCancellationRequested();

        (await CountAsync(node, row => row.Status == DeliveryStatus.Sent)).ShouldBe(1);
        (await CountAsync(node, row => row.Status == DeliveryStatus.Failed && row.Attempts == 1)).ShouldBe(9);
    }

    [Fact]
    public async Task Circuit_IsTheDestinationsOwn()
    {
        var node = await StartAsync(delivery => delivery.CircuitFailures = 2);
        var app = await AddAppAsync(node, members: 20);
        Email.Destination = work => work.UserId is "u0000" or "u0001" or "u0002" or "u0003" ? "down" : "up";
        Email.Answer = (work, _) => Task.FromResult(Email.Destination(work) == "up" ? ChannelResult.Sent : ChannelResult.Failed("down"));
        await QueueAsync(node, app);

        while (await DeliverAsync(node) > 0)
            Cancel.ThrowIfCancellationRequested();

        (await CountAsync(node, row => row.Status == DeliveryStatus.Sent)).ShouldBe(16);
    }

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(true, true, false)]
    [InlineData(false, false, true)]
    [InlineData(true, true, true)]
    public async Task Pause_HoldsAndLosesNothing(bool byApp, bool byRule, bool byChannel)
    {
        var node = await StartAsync();
        var (app, other) = (await AddAppAsync(node), await AddAppAsync(node));
        await QueueAsync(node, app);
        await QueueAsync(node, other);
        var pauses = node.Get<Pauses>();
        var pause = (await pauses.AddAsync(Callers.Publisher(app), new PauseRequest(byApp ? app : null, byRule ? "r" : null, byChannel ? "email" : null, "because"), Cancel)).Required();

        (await DeliverAsync(node)).ShouldBe(byApp ? 1 : 0);
        Email.Attempts.ShouldAllBe(work => work.App == other);
        Time.Advance(TimeSpan.FromHours(1));
        (await DeliverAsync(node)).ShouldBe(0);

        (await pauses.RemoveAsync(pause.Id, Cancel)).ShouldBeTrue();
        (await pauses.RemoveAsync(pause.Id, Cancel)).ShouldBeFalse();
        (await DeliverAsync(node)).ShouldBe(byApp ? 1 : 2);
        Email.Attempts.ShouldAllBe(work => work.Attempts == 0);
    }

    [Fact]
    public async Task ClaimOfADeadWorker_IsTakenOverWhenItLapses_AndItsLateAnswerIsRefused()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        await QueueAsync(node, app);
        var queue = node.Get<NotificationStore>();

        var stale = (await queue.ClaimDeliveriesAsync(["email"], 10, 10, TimeSpan.FromMilliseconds(-1), Time.GetUtcNow())).ShouldHaveSingleItem();
        (await queue.ClaimDeliveriesAsync(["push"], 10, 10, TimeSpan.FromMinutes(1), Time.GetUtcNow())).ShouldBeEmpty();
        var taken = (await queue.ClaimDeliveriesAsync(["email"], 10, 10, TimeSpan.FromMinutes(1), Time.GetUtcNow())).ShouldHaveSingleItem();
        (await queue.ClaimDeliveriesAsync(["email"], 10, 10, TimeSpan.FromMinutes(1), Time.GetUtcNow())).ShouldBeEmpty();

        var attempt = new DeliveryAttempt(Time.GetUtcNow(), Time.GetUtcNow(), DeliveryStatus.Sent, "sent", null, null);
        (await queue.RecordAttemptAsync(stale, attempt)).ShouldBeFalse();
        (await queue.RecordAttemptAsync(taken, attempt)).ShouldBeTrue();
        (await SingleAsync(node)).Attempts.ShouldBe(1);
    }

    [Fact]
    public async Task HeapsOfSomeApps_DelayNoOtherApp()
    {
        var node = await StartAsync(delivery => delivery.Concurrency = 4);
        var apps = new List<string>();
        for (var i = 0; i < 6; i++)
            apps.Add(await AddAppAsync(node, members: 300));
        var small = await AddAppAsync(node);
        foreach (var app in apps)
            await QueueAsync(node, app);
        Time.Advance(TimeSpan.FromSeconds(1));
        await QueueAsync(node, small);

        // Two apps a turn, in another order each time: it would be bad luck of one in ten million to wait for this long.
        for (var turn = 0; turn < 50; turn++)
            await DeliverAsync(node);

        Email.Attempts.ShouldContain(work => work.App == small);
        Email.Attempts.Count.ShouldBeLessThan(300);
    }

    [Fact]
    public async Task AppWhoseDestinationsHang_LeavesSlotsToTheOthers()
    {
        var channel = new TestChannel { Destination = work => work.Id.ToString() };
        var node = await StartNodeAsync(
            new LogHostSettings { Channels = [channel], Delivery = delivery => (delivery.Concurrency, delivery.Poll, delivery.Lease) = (4, TimeSpan.FromMilliseconds(20), TimeSpan.FromMinutes(5)) },
            await Fixture.NewStoreAsync());
        var (hanging, other) = (await AddAppAsync(node, members: 30), await AddAppAsync(node, members: 5));
        var ended = new TaskCompletionSource();
        channel.Answer = async (work, cancel) =>
        {
            if (work.App == hanging)
                await ended.Task.WaitAsync(cancel);
            return ChannelResult.Sent;
        };
        await node.PublishAsync(Drafts.ToAll(hanging));
        await Eventually("its share of the slots hangs", () => channel.Attempts.Count == 3);

        await node.PublishAsync(Drafts.ToAll(other));

        await Eventually("the other app is served", async () => await CountAsync(node, row => row.App == other && row.Status == DeliveryStatus.Sent) == 5);
        channel.Attempts.Count(work => work.App == hanging).ShouldBe(3);
        ended.SetResult();
        await Eventually("and then all", async () => await CountAsync(node, row => row.Status == DeliveryStatus.Sent) == 35);
    }

    [Fact]
    public async Task UserWhoHasLeft_IsSentNothingMore()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node);
        await QueueAsync(node, app);
        await node.Directory.RemoveAsync(app, "u0000", Cancel);

        await DeliverAsync(node);

        Email.Attempts.ShouldBeEmpty();
        var delivery = await SingleAsync(node);
        (delivery.Status, delivery.Reason, delivery.NextAttemptAt).ShouldBe((DeliveryStatus.Suppressed, "left_app", null));
    }

    [Fact]
    public async Task OneDeliveryThatBreaksItsChannel_LeavesTheOthersAlone()
    {
        var node = await StartAsync();
        var app = await AddAppAsync(node, members: 5);
        Email.Destination = work => work.UserId == "u0002" ? throw new InvalidOperationException("no address") : "up";
        await QueueAsync(node, app);

        while (await DeliverAsync(node) > 0)
            Cancel.ThrowIfCancellationRequested();

        (await CountAsync(node, row => row.Status == DeliveryStatus.Sent)).ShouldBe(4);
        (await CountAsync(node, row => row.Status == DeliveryStatus.Pending && row.Attempts == 0)).ShouldBe(1);
    }

    [Fact]
    public async Task DeadLetters_AreListedGroupedRetriedAndDiscarded()
    {
        var node = await StartAsync(delivery => delivery.CircuitFailures = 1_000);
        var app = await AddAppAsync(node, members: 30);
        Email.Answer = (work, _) => Task.FromResult(ChannelResult.Refused(work.UserId.EndsWith('1') ? "full" : "gone"));
        await QueueAsync(node, app);
        while (await DeliverAsync(node) > 0)
            Time.Advance(TimeSpan.FromSeconds(1));
        var letters = node.Get<DeadLetters>();

        (await letters.GroupAsync(new DeadLetterFilter(app), Cancel)).Select(group => (group.LastError, group.Channel, group.Count)).ShouldBe([("gone", "email", 27), ("full", "email", 3)]);
        var seen = new List<Guid>();
        string? after = null;
        do
        {
            var page = (await letters.ListAsync(new DeadLetterFilter(app, Error: "gone"), 10, after, Cancel)).Required();
            page.Total.ShouldBe(27);
            seen.AddRange(page.Items.Select(letter => letter.Id));
            after = page.Next;
        }
        while (after is not null);
        seen.Distinct().Count().ShouldBe(27);
        (await letters.ListAsync(new DeadLetterFilter(app), 10, "wrong", Cancel)).Refused("invalid");

        (await letters.DiscardAsync(seen[0], Cancel)).ShouldBeTrue();
        (await letters.DiscardAsync(seen[0], Cancel)).ShouldBeFalse();
        (await letters.RetryAsync(seen[0], Cancel)).ShouldBeFalse();
        (await letters.RetryAsync(new DeadLetterFilter(app, Error: "gone"), 20, Cancel)).ShouldBe(20);
        (await letters.RetryAsync(new DeadLetterFilter("no-such-app"), 20, Cancel)).ShouldBe(0);
        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Delivered);
        while (await DeliverAsync(node) > 0)
            Cancel.ThrowIfCancellationRequested();
        (await CountAsync(node, row => row.Status == DeliveryStatus.Delivered)).ShouldBe(20);
        (await CountAsync(node, row => row.Status == DeliveryStatus.Dead)).ShouldBe(9);
        (await CountAsync(node, row => row.Status == DeliveryStatus.Cancelled && row.Reason == "discarded")).ShouldBe(1);
    }

    private protected static async Task<string> AddAppAsync(LogHost node, int members = 1)
    {
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", to = "members", channels = new[] { "email" } });
        await node.AddManyMembersAsync(app, Enumerable.Range(0, members).Select(i => $"u{i:0000}"));
        return app;
    }

    private static async Task QueueAsync(LogHost node, string app)
    {
        await node.PublishAsync(Drafts.ToAll(app));
        (await node.Get<NotificationRouter>().RunOnceAsync(Cancel)).ShouldBe(1);
    }

    private static async Task<Core.Storage.Rows.NotificationDeliveryRow> SingleAsync(LogHost node)
    {
        await using var context = node.Database.ForService();
        return await context.Deliveries.SingleAsync(Cancel);
    }

    private protected static async Task<int> CountAsync(LogHost node, System.Linq.Expressions.Expression<Func<Core.Storage.Rows.NotificationDeliveryRow, bool>> which)
    {
        await using var context = node.Database.ForService();
        return await context.Deliveries.CountAsync(which, Cancel);
    }
}
