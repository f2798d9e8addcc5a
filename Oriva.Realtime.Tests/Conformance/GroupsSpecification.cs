using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteGroupsTests(SqliteFixture fixture) : GroupsSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresGroupsTests(PostgresFixture fixture) : GroupsSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Publishes share commits, but not fates: a bad row, a full queue or a stopping node touches only its own.</summary>
public abstract class GroupsSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    [Fact]
    public async Task RowThatTheStoreCannotTake_FailsAlone()
    {
        var store = await Fixture.NewStoreAsync();
        await store.RefuseEventsWithAsync("poison");
        var node = await StartNodeAsync(on: store);
        var app = await node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app));

        Task<Receipt> plug;
        List<Task<Outcome<Receipt>>> publishes;
        await using (await store.HoldAppendsAsync(app))
        {
            // Waits in the store, so that what follows is one group.
            plug = node.PublishAsync(Drafts.ToAll(app));
            publishes = [.. Enumerable.Range(0, 20).Select(n => node.Publisher.PublishAsync(
                Drafts.ToAll(app, new { n, text = n == 7 ? "poison" : "good" }) with { Id = $"e-{n}" }, Cancel))];
        }

        var outcomes = await Task.WhenAll(publishes).Soon("all are answered");
        outcomes[7].Refused(FaultCodes.Invalid).EventIds.ShouldBe(["e-7"]);
        outcomes.Where((_, n) => n != 7).Select(outcome => outcome.Required()).Append(await plug).Select(receipt => receipt.Position).Order()
            .ShouldBe(Enumerable.Range(2, 20).Select(n => (long)n));
        (await node.ReadStreamAsync(app)).Select(e => e.Position).ShouldBe(Enumerable.Range(1, 21).Select(n => (long)n));
        // It left no receipt: the id is free.
        (await node.PublishAsync(Drafts.ToAll(app) with { Id = "e-7" })).ShouldSatisfyAllConditions(
            receipt => receipt.Position.ShouldBe(22), receipt => receipt.Duplicate.ShouldBeFalse());
    }

    [Fact]
    public async Task ArrayWithARowThatTheStoreCannotTake_StoresNoneOfIt()
    {
        var store = await Fixture.NewStoreAsync();
        await store.RefuseEventsWithAsync("poison");
        var node = await StartNodeAsync(on: store);
        var app = await node.AddAppAsync();
        var arrays = Enumerable.Range(0, 12).Select(n => Task.Run(() => node.Publisher.PublishAsync(
            [Drafts.ToAll(app), Drafts.ToUser(app, "ada", new { text = n % 4 == 0 ? "poison" : "" }), Drafts.ToAll(app)], Cancel)));

        var outcomes = await Task.WhenAll(arrays);

        for (var n = 0; n < outcomes.Length; n++)
        {
            if (n % 4 == 0)
                outcomes[n].Refused(FaultCodes.Invalid).EventIds!.Count.ShouldBe(3);
            else
                outcomes[n].Required().Count.ShouldBe(3);
        }

        (await node.ReadStreamAsync(app)).Select(e => e.Position).ShouldBe(Enumerable.Range(1, 18).Select(n => (long)n));
        (await node.ReadStreamAsync($"{app}/users/ada")).Count.ShouldBe(9);
    }

    [Fact]
    public async Task AppWhoseQueueIsFull_IsRefused_AndNoOtherApp()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(new LogHostSettings { EventLog = options => options.QueuedEventsPerApp = 5 }, store);
        var (noisy, quiet) = (await node.AddAppAsync(), await node.AddAppAsync());
        await node.PublishAsync(Drafts.ToAll(noisy));

        var accepted = new List<Task<Outcome<IReadOnlyList<Receipt>>>>();
        Task<Receipt> other;
        await using (await store.HoldAppendsAsync(noisy))
        {
            // The writer waits in the store with what it has taken, and as much as is allowed waits for the writer.
            await Eventually("the queue is full", () =>
            {
                var answer = node.Writer.AppendAsync(new AppendRequest(noisy, [Drafts.Valid(noisy, $"e-{accepted.Count}")]));
                if (answer.IsCompleted)
                    return accepted.Count > 5;
                accepted.Add(answer);
                return false;
            });

            var refused = (await node.Publisher.PublishAsync(Drafts.ToAll(noisy) with { Id = "refused" }, Cancel)).Refused(FaultCodes.Unavailable);
            refused.RetryAfter.ShouldNotBeNull().ShouldBeGreaterThan(TimeSpan.Zero);
            refused.EventIds.ShouldBe(["refused"]);
            (await node.Publisher.PublishAsync([Drafts.ToAll(noisy), Drafts.ToAll(noisy)], Cancel)).Refused(FaultCodes.Unavailable)
                .EventIds!.Count.ShouldBe(2, "the ids that the service made travel along, so that a repeat can carry them");

            other = node.PublishAsync(Drafts.ToAll(quiet));
            other.IsCompleted.ShouldBeFalse();
            accepted.ShouldAllBe(answer => !answer.IsCompleted);
        }

        (await other.Soon("the other app is served")).Position.ShouldBe(1);
        var receipts = (await Task.WhenAll(accepted).Soon("what was accepted is answered")).SelectMany(outcome => outcome.Required()).ToList();
        receipts.Count.ShouldBeInRange(6, 10);
        receipts.Select(receipt => receipt.Position).ShouldBe(Enumerable.Range(2, receipts.Count).Select(n => (long)n));
        (await node.PublishAsync(Drafts.ToAll(noisy) with { Id = "refused" })).ShouldSatisfyAllConditions(
            receipt => receipt.Duplicate.ShouldBeFalse(), receipt => receipt.Position.ShouldBe(receipts.Count + 2));
    }

    [Fact]
    public async Task NodeThatStops_AnswersWhatItAccepted()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(on: store);
        var app = await node.AddAppAsync();
        var publishers = Enumerable.Range(0, 8).Select(publisher => Task.Run(async () =>
        {
            var receipts = new List<Receipt>();
            for (var n = 0; ; n++)
            {
                var outcome = await node.Publisher.PublishAsync(Drafts.ToAll(app) with { Id = $"{publisher}-{n}" }, Cancel);
                if (outcome.Value is not { } receipt)
                {
                    outcome.Refused(FaultCodes.Unavailable).EventIds.ShouldBe([$"{publisher}-{n}"]);
                    return receipts;
                }

                receipts.Add(receipt);
            }
        })).ToList();
        await Eventually("publishing is under way", async () => (await node.ReadStreamAsync(app)).Count > 50);

        await node.StopAsync().Soon("the node stops");

        var answered = (await Task.WhenAll(publishers).Soon("every publish is answered")).SelectMany(receipts => receipts).ToList();
        var after = await StartNodeAsync(on: store);
        var stored = await after.ReadStreamAsync(app);
        stored.Select(e => e.Position).ShouldBe(Enumerable.Range(1, stored.Count).Select(n => (long)n));
        stored.Select(e => e.Id).ShouldBe(answered.OrderBy(receipt => receipt.Position).Select(receipt => receipt.Id));
        (await after.PublishAsync(Drafts.ToAll(app))).Position.ShouldBe(stored.Count + 1);
    }
}
