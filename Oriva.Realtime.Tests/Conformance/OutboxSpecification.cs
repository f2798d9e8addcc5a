using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteOutboxTests(SqliteFixture fixture) : OutboxSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresOutboxTests(PostgresFixture fixture) : OutboxSpecification(fixture), IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task Entries_WithTwoNodesAtThem_AreAppendedOnce()
    {
        var store = await Fixture.NewStoreAsync();
        // A lease that lapses while an append is under way: the nodes take entries from each other all the time.
        var settings = new LogHostSettings { EventLog = options => (options.OutboxLease, options.OutboxPoll) = (TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(5)) };
        LogHost[] nodes = [await StartNodeAsync(settings, store), await StartNodeAsync(settings, store)];
        var app = await nodes[0].AddAppAsync();
        const int rounds = 10, each = 30;

        for (var round = 0; round < rounds; round++)
            await AddAsync(nodes[round % 2], [.. Enumerable.Range(0, each).Select(n => Event(app, $"{round}-{n}"))]);

        await Eventually("the outbox is empty", async () => await CountAsync(nodes[0]) == 0);
        var stored = await nodes[0].ReadStreamAsync(app);
        stored.Select(e => e.Position).ShouldBe(Enumerable.Range(1, rounds * each).Select(n => (long)n));
        stored.Select(e => e.Id).Distinct().Count().ShouldBe(rounds * each);
    }
}

/// <summary>What another transaction wants appended is appended if it commits, and once.</summary>
public abstract class OutboxSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    /// <summary>A lease that has lapsed when it is given.</summary>
    private static readonly TimeSpan s_lapsed = TimeSpan.FromMilliseconds(-1);

    [Fact]
    public async Task Entry_OfACommittedTransaction_IsAppendedOnce()
    {
        var app = await Node.AddAppAsync();
        var (toAll, toUser) = (Event(app, "e-1"), Event(app, "e-2") with { UserId = "ada", Metadata = """{"correlationId":"c"}""", Hops = 3 });

        await AddAsync(Node, toAll, toUser);
        Node.Outbox.Announce();

        await Eventually("both are appended", async () => (await Node.ReadStreamAsync(app)).Count == 1 && (await Node.ReadStreamAsync($"{app}/users/ada")).Count == 1);
        await Eventually("the outbox is empty", async () => await CountAsync(Node) == 0);
        var e = (await Node.ReadStreamAsync($"{app}/users/ada"))[0];
        (e.Id, e.Source, e.Type, e.Actor, e.Data, e.Metadata, e.Time).ShouldBe(("e-2", app, TestManifest.Type, "somebody", toUser.Data, toUser.Metadata, toUser.Time));
        // Its receipt is a publish's.
        (await Node.PublishAsync(Drafts.ToAll(app) with { Id = "e-1" })).Duplicate.ShouldBeTrue();
    }

    [Fact]
    public async Task Entry_OfARolledBackTransaction_IsNotAppended()
    {
        var app = await Node.AddAppAsync();
        await using (var context = Node.Database.ForService())
        {
            await using var transaction = await context.Database.BeginTransactionAsync(Cancel);
            Node.Outbox.Add(context, Event(app, "never"));
            await context.SaveChangesAsync(Cancel);
        }

        await AddAsync(Node, Event(app, "later"));
        Node.Outbox.Announce();

        await Eventually("the later one is appended", async () => (await Node.ReadStreamAsync(app)).Count == 1);
        (await Node.ReadStreamAsync(app))[0].Id.ShouldBe("later");
        (await CountAsync(Node)).ShouldBe(0);
    }

    [Fact]
    public async Task Entry_OfAnOpenTransaction_WaitsForItsCommit()
    {
        var app = await Node.AddAppAsync();
        await using var context = Node.Database.ForService();
        await using var transaction = await context.Database.BeginTransactionAsync(Cancel);
        Node.Outbox.Add(context, Event(app, "e"));
        (await Node.ReadStreamAsync(app)).ShouldBeEmpty();
        await context.SaveChangesAsync(Cancel);
        (await Node.ReadStreamAsync(app)).ShouldBeEmpty();

        await transaction.CommitAsync(Cancel);

        await Eventually("it is appended without having been announced", async () => (await Node.ReadStreamAsync(app)).Count == 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Entry_ClaimedTwiceBecauseTheLeaseLapsed_IsAppendedOnce(bool idIsFresh)
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(
            new LogHostSettings { EventLog = options => (options.OutboxLease, options.OutboxPoll) = (s_lapsed, TimeSpan.FromMilliseconds(10)) }, store);
        var app = await node.AddAppAsync();
        await AddAsync(node, Event(app, "e-0"));
        await Eventually("the node's own loop runs", async () => await CountAsync(node) == 0);
        await node.Outbox.StopAsync(Cancel); // from here on the test alone claims
        await AddAsync(node, Event(app, "e-1") with { IdIsFresh = idIsFresh }, Event(app, "e-2") with { IdIsFresh = idIsFresh });

        // Two claims before the first of them is appended, as when a node was paused for longer than its lease.
        var claimed = await node.Store.ClaimOutboxAsync(10, s_lapsed, Cancel);
        claimed.Count.ShouldBe(2);
        (await node.Outbox.RunOnceAsync(Cancel).Soon("the other claim is appended")).ShouldBe(2);
        foreach (var entry in claimed)
        {
            var request = new AppendRequest(entry.App, [JsonSerializer.Deserialize<NewEvent>(entry.Event)! with { IdIsFresh = idIsFresh }], entry.Id);
            (await node.Writer.AppendAsync(request).Soon("the first claim is settled")).Required().ShouldHaveSingleItem().Duplicate.ShouldBeTrue();
        }

        (await node.ReadStreamAsync(app)).Select(e => e.Id).Order().ShouldBe(["e-0", "e-1", "e-2"]);
        (await CountAsync(node)).ShouldBe(0);
    }

    [Fact]
    public async Task Entry_ThatCanNeverBeAppended_IsKeptWithTheReason()
    {
        var store = await Fixture.NewStoreAsync();
        await store.RefuseEventsWithAsync("poison");
        var node = await StartNodeAsync(new LogHostSettings { EventLog = options => options.OutboxLease = s_lapsed }, store);
        var app = await node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app, new { n = 1 }) with { Id = "taken" });

        await AddAsync(node, Event(app, "taken"), Event(app, "good-1"), Event(app, "bad") with { Data = """{"text":"poison"}""" }, Event(app, "good-2"));
        node.Outbox.Announce();

        await Eventually("only what is refused is left", async () => await CountAsync(node) == 2);
        await Eventually("the reasons are kept", async () => (await RefusalsAsync(node)).All(refusal => refusal.Value is not null));
        var refusals = await RefusalsAsync(node);
        refusals["taken"].ShouldStartWith("id_reused");
        refusals["bad"].ShouldStartWith("invalid");
        (await node.ReadStreamAsync(app)).Select(e => e.Id).Order().ShouldBe(["good-1", "good-2", "taken"]);
        // Nobody claims them again.
        (await node.Store.ClaimOutboxAsync(10, TimeSpan.FromSeconds(1), Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Entry_ClaimedByANodeThatDied_IsTakenOverWhenTheLeaseLapses()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(new LogHostSettings { EventLog = options => options.OutboxPoll = TimeSpan.FromMilliseconds(20) }, store);
        var app = await node.AddAppAsync();
        await using var context = node.Database.ForService();
        await using (var transaction = await context.Database.BeginTransactionAsync(Cancel))
        {
            node.Outbox.Add(context, Event(app, "e"));
            await context.SaveChangesAsync(Cancel);
            // In the database's time, as a node's claim that is never finished.
            await context.Outbox.ExecuteUpdateAsync(set => set.SetProperty(row => row.LeasedUntil, TimeProvider.System.GetUtcNow().AddSeconds(1.5)), Cancel);
            await transaction.CommitAsync(Cancel);
        }

        (await node.Store.ClaimOutboxAsync(10, TimeSpan.FromHours(1), Cancel)).ShouldBeEmpty();
        (await node.ReadStreamAsync(app)).ShouldBeEmpty();

        await Eventually("the node takes it over", async () => (await node.ReadStreamAsync(app)).Count == 1);
    }

    private protected static NewEvent Event(string app, string id) => Drafts.Valid(app, id);

    private protected static async Task AddAsync(LogHost node, params NewEvent[] events)
    {
        await using var context = node.Database.ForService();
        foreach (var e in events)
            node.Outbox.Add(context, e);
        await context.SaveChangesAsync(Cancel);
    }

    private protected static async Task<int> CountAsync(LogHost node)
    {
        await using var context = node.Database.ForService();
        return await context.Outbox.CountAsync(Cancel);
    }

    private static async Task<Dictionary<string, string?>> RefusalsAsync(LogHost node)
    {
        await using var context = node.Database.ForService();
        return await context.Outbox.ToDictionaryAsync(row => row.EventId, row => row.Refusal, Cancel);
    }
}
