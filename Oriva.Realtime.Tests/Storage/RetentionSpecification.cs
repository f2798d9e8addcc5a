using System.Collections.Immutable;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Storage;

public sealed class SqliteRetentionTests(SqliteFixture fixture) : RetentionSpecification(fixture), IClassFixture<SqliteFixture>
{
    [Fact]
    public async Task Dropping_InTheMiddleOfOneCommit_LeavesNoHoles()
    {
        var (node, clock) = await StartAsync(on: await Fixture.NewStoreAsync());
        var app = await node.AddAppAsync();
        // More events of one time than one step drops, of two streams by turns.
        for (var n = 0; n < 3; n++)
            await node.PublishAsync(Enumerable.Range(0, 1_000).Select(i => i % 2 == 0 ? Drafts.ToAll(app) : Drafts.ToUser(app, "ada")).ToList());
        clock.Advance(TimeSpan.FromDays(40));

        (await node.Store.DropEventsBeforeAsync(DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime), Cancel)).ShouldBeTrue();

        foreach (var stream in new[] { app, $"{app}/users/ada" })
        {
            var left = (await node.ReadStreamAsync(stream)).Select(e => e.Position).ToList();
            left.ShouldBe(Enumerable.Range(1_501 - left.Count, left.Count).Select(n => (long)n), stream);
        }
    }
}

public sealed class PostgresRetentionTests(PostgresFixture fixture) : RetentionSpecification(fixture), IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task Runs_OfSeveralNodesAtOnce_DropEachDayOnce()
    {
        var store = await Fixture.NewStoreAsync();
        var (node, clock) = await StartAsync(on: store);
        var (other, _) = await StartAsync(clock, store);
        var app = await node.AddAppAsync();
        for (var day = 0; day < 6; day++)
        {
            await node.PublishAsync(Drafts.ToAll(app));
            clock.Advance(TimeSpan.FromDays(1));
        }

        clock.Advance(TimeSpan.FromDays(RetentionDays - 2));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() => (n % 2 == 0 ? node : other).Retention.RunOnceAsync(Cancel))));
        // Whoever found another at it has left it to that one.
        await node.Retention.RunOnceAsync(Cancel);

        (await node.ReadStreamAsync(app)).Select(e => e.Position).ShouldBe([5, 6]);
        await using var context = node.Database.ForService();
        (await context.PublishReceipts.CountAsync(row => row.App == app, Cancel)).ShouldBe(2);
    }

    [Fact]
    public async Task Events_OfADayThatCannotBeDropped_KeepTheirReceipts()
    {
        var store = await Fixture.NewStoreAsync();
        var (node, clock) = await StartAsync(on: store);
        var app = await node.AddAppAsync();
        var draft = Drafts.ToAll(app) with { Id = "old" };
        var first = await node.PublishAsync(draft);
        clock.Advance(TimeSpan.FromDays(RetentionDays + 1));

        await using (var reading = await store.OpenAsync())
        {
            // A long query, such as a backup's.
            await using var transaction = await reading.BeginTransactionAsync(Cancel);
            await using var command = reading.CreateCommand();
            command.CommandText = "SELECT count(*) FROM events";
            await command.ExecuteScalarAsync(Cancel);

            await node.Retention.RunOnceAsync(Cancel).Soon("retention gives up and does not queue");

            (await node.ReadStreamAsync(app)).Count.ShouldBe(1);
            (await node.PublishAsync(draft)).ShouldBe(first with { Duplicate = true });
        }

        await node.Retention.RunOnceAsync(Cancel);
        (await node.ReadStreamAsync(app)).ShouldBeEmpty();
        (await node.PublishAsync(draft)).ShouldSatisfyAllConditions(receipt => receipt.Duplicate.ShouldBeFalse(), receipt => receipt.Position.ShouldBe(2));
    }

    [Fact]
    public async Task Days_AreMadeAhead_AndWhereTheClockJumpedByTheAppendItself()
    {
        var store = await Fixture.NewStoreAsync();
        var (node, clock) = await StartAsync(on: store);
        var app = await node.AddAppAsync();
        await node.Retention.RunOnceAsync(Cancel);
        (await DaysAsync(store)).Where(day => day < s_start.AddDays(100)).ShouldBe(Enumerable.Range(-1, 9).Select(day => s_start.AddDays(day)));

        clock.Advance(TimeSpan.FromDays(7));
        (await node.PublishAsync(Drafts.ToAll(app))).Position.ShouldBe(1);
        // Nobody has made this day.
        clock.Advance(TimeSpan.FromDays(20));
        var receipts = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => node.PublishAsync(Drafts.ToAll(app)))));
        receipts.Select(receipt => receipt.Position).Order().ShouldBe(Enumerable.Range(2, 10).Select(n => (long)n));
        (await DaysAsync(store)).ShouldContain(s_start.AddDays(27));
        (await node.ReadStreamAsync(app)).Count.ShouldBe(11);
    }

    [Fact]
    public async Task Day_OfOneNodeMadeByAnother_IsThere()
    {
        var store = await Fixture.NewStoreAsync();
        var (node, clock) = await StartAsync(on: store);
        var (other, _) = await StartAsync(clock, store);
        var app = await node.AddAppAsync();
        await other.Registry.RefreshAsync(Cancel);
        clock.Advance(TimeSpan.FromDays(40));

        // Both find that the day is missing, and both make it.
        var receipts = await Task.WhenAll(Enumerable.Range(0, 20).Select(n => Task.Run(() => (n % 2 == 0 ? node : other).PublishAsync(Drafts.ToAll(app)))));

        receipts.Select(receipt => receipt.Position).Order().ShouldBe(Enumerable.Range(1, 20).Select(n => (long)n));
    }

    private static async Task<List<DateOnly>> DaysAsync(TestStore store)
    {
        var partitions = await store.QueryAsync<string>("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1");
        return partitions.ConvertAll(partition => DateOnly.ParseExact(partition[^8..], "yyyyMMdd"));
    }
}

/// <summary>Events are kept for their days and then gone, and nobody is misled about what is gone.</summary>
public abstract class RetentionSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private protected const int RetentionDays = 30;

    /// <summary>Over the end of a February, and far from the days that the template has.</summary>
    private protected static readonly DateOnly s_start = new(2024, 2, 10);

    [Fact]
    public async Task FortyDays_OfPublishingAndRetention_KeepThirty()
    {
        const int days = 40;
        var (node, clock) = await StartAsync(on: await Fixture.NewStoreAsync());
        var (source, consumer) = await node.AddSharingAppsAsync();
        await using var session = RunningSession.Open(node, Callers.User("ada", source));
        await session.SubscribeAsync(new SubscribeRequest(source, ["room-1"]));
        // Subscribed on the first day, and stuck since.
        var stuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var left = RunningSession.Open(node, Callers.User("eve", source), new CollectingOutput { Pause = _ => stuck.Task });
        await left.SubscribeAsync(new SubscribeRequest(source));

        var published = new List<(DateTimeOffset At, EventDraft Draft, Receipt Receipt)>();
        var cursors = new List<Cursor>();
        for (var day = 0; day < days; day++)
        {
            // One microsecond before midnight, at midnight, and at noon.
            foreach (var time in new[] { new TimeSpan(23, 59, 59) + TimeSpan.FromMicroseconds(999_999), TimeSpan.FromDays(1), TimeSpan.FromHours(36) })
            {
                MoveTo(clock, day, time);
                EventDraft[] drafts =
                [
                    Drafts.ToAll(source, new { day }) with { Id = $"{day}-{time}" }, Drafts.Shared(source, new { day }), Drafts.ToTopic(source, "room-1"), Drafts.ToUser(source, "ada"),
                ];
                published.AddRange(drafts.Zip(await node.PublishAsync(drafts)).Select(pair => (clock.GetUtcNow(), pair.First, pair.Second)));
            }

            foreach (var receipt in published[^4..].Select(last => last.Receipt))
                await session.ReachAsync(receipt.Stream, receipt.Position);
            cursors.Add(new Cursor(node.Epoch.Value, ImmutableDictionary<string, long>.Empty.Add(source, published[^3].Receipt.Position)));
            await node.Retention.RunOnceAsync(Cancel);
        }

        var cutoff = new DateTimeOffset(s_start.AddDays(days - RetentionDays), TimeOnly.MinValue, TimeSpan.Zero);
        clock.GetUtcNow().ShouldBe(cutoff.AddDays(RetentionDays).AddHours(12));
        foreach (var stream in published.GroupBy(one => one.Receipt.Stream))
        {
            (await node.ReadStreamAsync(stream.Key)).Select(e => (e.Position, e.Id))
                .ShouldBe(stream.Where(one => one.At >= cutoff).Select(one => (one.Receipt.Position, one.Receipt.Id)), stream.Key);
            session.Output.PositionsIn(stream.Key).ShouldBe(stream.Select(one => one.Receipt.Position), "the session that kept up has had everything");
        }

        var copies = await node.ReadStreamAsync(consumer);
        copies.Count.ShouldBe(published.Count(one => one.At >= cutoff && one.Draft.Type == TestManifest.SharedType));
        copies[0].RecordedAt.ShouldBe(cutoff);
        session.Output.Resets.ShouldBeEmpty();

        await using (var context = node.Database.ForService())
        {
            (await context.Events.CountAsync(e => e.RecordedAt < cutoff, Cancel)).ShouldBe(0);
            (await context.PublishReceipts.CountAsync(row => row.RecordedAt < cutoff, Cancel)).ShouldBe(0);
            (await context.PublishReceipts.CountAsync(Cancel)).ShouldBe(published.Count(one => one.At >= cutoff));
            // Its head is what keeps positions from being given twice.
            (await context.Streams.CountAsync(row => row.App == source, Cancel)).ShouldBe(3);
        }

        // The session that was left behind is told so, and is not given what follows the gap.
        stuck.SetResult();
        await Eventually("the session that was left behind is reset", () => left.Output.Resets.Count == 1);
        left.Output.Resets[0].App.ShouldBe(source);
        left.Output.PositionsIn(source).ShouldBe(left.Output.PositionsIn(source).Order());

        // Cursors: what is kept in full is replayed, what is not is a reset to now.
        var head = published[^3].Receipt.Position;
        for (var day = 0; day < days; day += 3)
        {
            await using var resumed = RunningSession.Open(node, Callers.User("ada", source));
            var answer = await resumed.SubscribeAsync(new SubscribeRequest(source, Cursor: cursors[day]));
            var kept = day >= days - RetentionDays - 1;
            (answer.Reset, answer.Streams[source]).ShouldBe((!kept, kept ? cursors[day].Streams[source] : head), $"the cursor of day {day}");
            await node.PublishAsync(Drafts.ToAll(source));
            head++;
            await resumed.ReachAsync(source, head);
            resumed.Output.PositionsIn(source).Count.ShouldBe((int)(head - answer.Streams[source]));
        }

        await using (var fromStart = RunningSession.Open(node, Callers.User("ada", source)))
        {
            var answer = await fromStart.SubscribeAsync(new SubscribeRequest(source, From: "start"));
            answer.Reset.ShouldBeFalse();
            answer.Streams[source].ShouldBe(published.First(one => one.At >= cutoff && one.Receipt.Stream == source).Receipt.Position - 1);
            await fromStart.ReachAsync(source, head);
        }

        // An id is known as long as its event.
        var (_, oldDraft, _) = published.Last(one => one.At < cutoff && one.Draft.Id is not null);
        (await node.PublishAsync(oldDraft)).ShouldSatisfyAllConditions(receipt => receipt.Duplicate.ShouldBeFalse(), receipt => receipt.Position.ShouldBe(head + 1));
        var (_, keptDraft, keptReceipt) = published.First(one => one.At >= cutoff && one.Draft.Id is not null);
        (await node.PublishAsync(keptDraft)).ShouldBe(keptReceipt with { Duplicate = true });
    }

    [Fact]
    public async Task StreamWithNothingKept_GoesOnWhereItWas()
    {
        var (node, clock) = await StartAsync(on: await Fixture.NewStoreAsync());
        var app = await node.AddAppAsync();
        await node.PublishAsync([Drafts.ToAll(app), Drafts.ToAll(app), Drafts.ToAll(app)]);
        await using var live = RunningSession.Open(node, Callers.User("ada", app));
        var atHead = (await live.SubscribeAsync(new SubscribeRequest(app))).Cursor;
        clock.Advance(TimeSpan.FromDays(45));
        await node.Retention.RunOnceAsync(Cancel);
        (await node.ReadStreamAsync(app)).ShouldBeEmpty();

        // Who has everything up to the head has lost nothing.
        await using var resumed = RunningSession.Open(node, Callers.User("ada", app));
        (await resumed.SubscribeAsync(new SubscribeRequest(app, Cursor: atHead))).Reset.ShouldBeFalse();
        await using var behind = RunningSession.Open(node, Callers.User("ada", app));
        (await behind.SubscribeAsync(new SubscribeRequest(app, Cursor: atHead with { Streams = atHead.Streams.SetItem(app, 2) }))).Reset.ShouldBeTrue();
        await using var fromStart = RunningSession.Open(node, Callers.User("ada", app));
        (await fromStart.SubscribeAsync(new SubscribeRequest(app, From: "start"))).Streams[app].ShouldBe(3);

        (await node.PublishAsync(Drafts.ToAll(app))).Position.ShouldBe(4);
        foreach (var session in new[] { live, resumed, behind, fromStart })
        {
            await session.ReachAsync(app, 4);
            session.Output.PositionsIn(app).ShouldBe([4]);
            session.Output.Resets.ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Publishing_WhileRetentionRuns_GoesOn()
    {
        var (node, clock) = await StartAsync(on: await Fixture.NewStoreAsync());
        var app = await node.AddAppAsync();
        for (var day = 0; day < 8; day++)
        {
            await node.PublishAsync(Enumerable.Range(0, 1_000).Select(n => Drafts.ToUser(app, $"user-{n % 10}")).ToList());
            clock.Advance(TimeSpan.FromDays(1));
        }

        clock.Advance(TimeSpan.FromDays(RetentionDays));
        await using var session = RunningSession.Open(node, Callers.User("user-1", app));
        await session.SubscribeAsync(new SubscribeRequest(app));
        using var stopping = new CancellationTokenSource();
        var begun = new TaskCompletionSource();
        var publishing = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var count = 0;
            for (; !stopping.IsCancellationRequested; count++)
            {
                await node.PublishAsync([Drafts.ToAll(app), Drafts.ToUser(app, "user-1")]);
                begun.TrySetResult();
            }

            return count;
        }, Cancel)).ToList();

        await begun.Task.Soon("publishing goes on");

        // Two at once, as when an operator starts one by hand.
        await Task.WhenAll(Task.Run(() => node.Retention.RunOnceAsync(Cancel), Cancel), Task.Run(() => node.Retention.RunOnceAsync(Cancel), Cancel));
        await Eventually("what is over age is gone", async () =>
        {
            await node.Retention.RunOnceAsync(Cancel);
            return (await node.ReadStreamAsync($"{app}/users/user-0")).Count == 0;
        });

        await stopping.CancelAsync();
        var count = (await Task.WhenAll(publishing)).Sum();
        count.ShouldBeGreaterThan(0);
        await session.ReachAsync(app, count);
        await session.ReachAsync($"{app}/users/user-1", 800 + count);
        session.Output.PositionsIn($"{app}/users/user-1").Count.ShouldBe(count);
        session.Output.Resets.ShouldBeEmpty();
        await using var context = node.Database.ForService();
        (await context.Events.CountAsync(Cancel)).ShouldBe(2 * count);
        (await context.PublishReceipts.CountAsync(Cancel)).ShouldBe(2 * count);
    }

    /// <summary>A node at noon of the first day, whose own retention runs at its start and then not for 49 days, the longest that a timer can wait.</summary>
    private protected async Task<(LogHost Node, FakeTimeProvider Clock)> StartAsync(FakeTimeProvider? clock = null, TestStore? on = null)
    {
        clock ??= new FakeTimeProvider(new DateTimeOffset(s_start, new TimeOnly(12, 0), TimeSpan.Zero));
        var node = await StartNodeAsync(new LogHostSettings
        {
            Time = clock,
            Retention = options => (options.Days, options.Interval) = (RetentionDays, TimeSpan.FromDays(49)),
        }, on);
        return (node, clock);
    }

    private static void MoveTo(FakeTimeProvider clock, int day, TimeSpan time) =>
        clock.Advance(new DateTimeOffset(s_start.AddDays(day), TimeOnly.MinValue, TimeSpan.Zero) + time - clock.GetUtcNow());
}
