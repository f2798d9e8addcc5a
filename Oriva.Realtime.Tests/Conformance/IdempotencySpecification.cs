using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteIdempotencyTests(SqliteFixture fixture) : IdempotencySpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresIdempotencyTests(PostgresFixture fixture) : IdempotencySpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>An id is one event: repeats get its first receipt, other content under it is refused.</summary>
public abstract class IdempotencySpecification(StoreFixture fixture) : StoreTests(fixture)
{
    [Fact]
    public async Task Repeat_OfTheSameContent_IsAnsweredWithTheFirstReceipt()
    {
        var app = await Node.AddAppAsync();
        var draft = Drafts.ToUser(app, "ada") with { Id = "e-1", Data = JsonElement.Parse("""{"a":1,"b":{"c":[1.0,2]}}""") };
        var first = await Node.PublishAsync(draft);
        await Node.PublishAsync(Drafts.ToUser(app, "ada"));

        // The same in canonical form: order of members, white space and the writing of numbers do not count; nor do time and metadata.
        var repeat = await Node.PublishAsync(draft with
        {
            Data = JsonElement.Parse("""{ "b" : { "c" : [ 1, 2e0 ] }, "a" : 1.0 }"""),
            Time = TimeProvider.System.GetUtcNow().AddDays(-1),
            Metadata = new Dictionary<string, string> { ["attempt"] = "2" },
        });

        first.Duplicate.ShouldBeFalse();
        repeat.ShouldBe(first with { Duplicate = true });
        (await Node.ReadStreamAsync(first.Stream)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Repeat_ByFiftyAtOnce_StoresOneEvent()
    {
        var app = await Node.AddAppAsync();
        for (var round = 0; round < 5; round++)
        {
            var draft = Drafts.ToAll(app, new { round }) with { Id = $"e-{round}" };

            var receipts = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => Node.PublishAsync(draft))));

            var first = receipts.Where(receipt => !receipt.Duplicate).ShouldHaveSingleItem();
            var repeat = first with { Duplicate = true };
            receipts.Where(receipt => receipt.Duplicate).ShouldAllBe(receipt => receipt == repeat);
            (await Node.ReadStreamAsync(app)).Count.ShouldBe(round + 1);
        }
    }

    [Fact]
    public async Task Id_ReusedWithOtherContent_IsRefused()
    {
        var (app, _) = await Node.AddSharingAppsAsync();
        var draft = Drafts.ToUser(app, "ada", new { n = 1 }) with { Id = "e-1" };
        await Node.PublishAsync(draft);

        EventDraft[] others =
        [
            draft with { Data = JsonElement.Parse("""{"n":2}""") },
            draft with { Type = TestManifest.SharedType },
            draft with { UserId = "eve" },
            draft with { UserId = null },
            draft with { UserId = null, Topic = "room-1" },
        ];
        foreach (var other in others)
            (await Node.Publisher.PublishAsync(other, Cancel)).Refused(FaultCodes.IdReused).EventIds.ShouldBe(["e-1"]);

        (await Node.ReadStreamAsync($"{app}/users/ada")).Count.ShouldBe(1);
        foreach (var stream in new[] { app, $"{app}/users/eve", $"{app}/topics/room-1" })
            (await Node.ReadStreamAsync(stream)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Id_OfAnotherApp_IsAnotherEvent()
    {
        var (one, other) = (await Node.AddAppAsync(), await Node.AddAppAsync());

        var receipts = new[] { await Node.PublishAsync(Drafts.ToAll(one) with { Id = "e" }), await Node.PublishAsync(Drafts.ToAll(other, new { n = 1 }) with { Id = "e" }) };

        receipts.ShouldAllBe(receipt => receipt.Position == 1 && !receipt.Duplicate);
    }

    [Fact]
    public async Task Id_ReusedInAGroupWithGoodOnes_IsRefusedAlone()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync(Drafts.ToAll(app, new { n = 0 }) with { Id = "taken" });
        Task<Receipt> plug;
        List<Task<Outcome<Receipt>>> good, bad;
        await using (await Store.HoldAppendsAsync(app))
        {
            // Waits in the store, so that what follows is one group.
            plug = Node.PublishAsync(Drafts.ToAll(app));
            good = [.. Enumerable.Range(1, 15).Select(n => Node.Publisher.PublishAsync(Drafts.ToAll(app, new { n }) with { Id = $"good-{n}" }, Cancel))];
            bad = [.. Enumerable.Range(1, 5).Select(n => Node.Publisher.PublishAsync(Drafts.ToAll(app, new { n }) with { Id = "taken" }, Cancel))];
            plug.IsCompleted.ShouldBeFalse();
        }

        foreach (var outcome in await Task.WhenAll(bad))
            outcome.Refused(FaultCodes.IdReused);
        (await Task.WhenAll(good)).Select(outcome => outcome.Required()).Append(await plug).Select(receipt => receipt.Position).Order()
            .ShouldBe(Enumerable.Range(2, 16).Select(n => (long)n));
        (await Node.ReadStreamAsync(app)).Count.ShouldBe(17);
    }

    [Fact]
    public async Task Id_WithTwoContentsAtOnce_GoesToOneOfThem()
    {
        var app = await Node.AddAppAsync();
        for (var round = 0; round < 5; round++)
        {
            var drafts = Enumerable.Range(0, 20).Select(n => Drafts.ToAll(app, new { content = n % 2 }) with { Id = $"e-{round}" });

            var outcomes = await Task.WhenAll(drafts.Select(draft => Task.Run(() => Node.Publisher.PublishAsync(draft, Cancel))));

            foreach (var refused in outcomes.Where(outcome => outcome.Fault is not null))
                refused.Refused(FaultCodes.IdReused);
            var receipts = outcomes.Select(outcome => outcome.Value).OfType<Receipt>().ToList();
            receipts.Count.ShouldBe(10);
            receipts.Where(receipt => !receipt.Duplicate).ShouldHaveSingleItem();
            (await Node.ReadStreamAsync(app)).Count.ShouldBe(round + 1);
        }
    }

    [Fact]
    public async Task Array_WithAReusedId_IsRefusedWhole()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync(Drafts.ToAll(app, new { n = 1 }) with { Id = "taken" });

        var outcome = await Node.Publisher.PublishAsync(
            [Drafts.ToAll(app), Drafts.ToUser(app, "ada"), Drafts.ToAll(app, new { n = 2 }) with { Id = "taken" }, Drafts.ToAll(app)], Cancel);

        outcome.Refused(FaultCodes.IdReused).EventIds.ShouldBe(["taken"]);
        (await Node.ReadStreamAsync(app)).Count.ShouldBe(1);
        (await Node.ReadStreamAsync($"{app}/users/ada")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Array_WithIdsThatArePublishedAlready_AppendsTheRest()
    {
        var app = await Node.AddAppAsync();
        EventDraft Event(int n) => Drafts.ToTopic(app, "room-1", new { n }) with { Id = $"e-{n}" };
        var earlier = await Node.PublishAsync([Event(2), Event(4)]);

        var receipts = await Node.PublishAsync([Event(1), Event(2), Event(3), Event(4), Event(5)]);

        receipts.Select(receipt => receipt.Id).ShouldBe(["e-1", "e-2", "e-3", "e-4", "e-5"]);
        receipts.Select(receipt => receipt.Position).ShouldBe([3, 1, 4, 2, 5]);
        receipts.Select(receipt => receipt.Duplicate).ShouldBe([false, true, false, true, false]);
        (receipts[1], receipts[3]).ShouldBe((earlier[0] with { Duplicate = true }, earlier[1] with { Duplicate = true }));
        (await Node.PublishAsync([Event(5), Event(1)])).ShouldAllBe(receipt => receipt.Duplicate);
        (await Node.ReadStreamAsync($"{app}/topics/room-1")).Count.ShouldBe(5);
    }

    [Fact]
    public async Task Array_OfAThousandOverSeveralStreams_KeepsItsOrderInEachStream()
    {
        var app = await Node.AddAppAsync();
        var drafts = Enumerable.Range(0, 1_000).Select(n => (n % 3) switch
        {
            0 => Drafts.ToAll(app, new { n }),
            1 => Drafts.ToUser(app, "ada", new { n }),
            _ => Drafts.ToTopic(app, "room-1", new { n }),
        }).ToList();

        var receipts = await Node.PublishAsync(drafts);

        receipts.Count.ShouldBe(1_000);
        foreach (var stream in receipts.GroupBy(receipt => receipt.Stream))
            stream.Select(receipt => receipt.Position).ShouldBe(Enumerable.Range(1, stream.Count()).Select(n => (long)n));
        (await Node.ReadStreamAsync(app)).Select(e => e.DataElement.GetProperty("n").GetInt32()).ShouldBe(Enumerable.Range(0, 334).Select(n => n * 3));
    }

    [Fact]
    public async Task Array_WithOneIdTwice_IsRefused()
    {
        var app = await Node.AddAppAsync();

        var outcome = await Node.Publisher.PublishAsync([Drafts.ToAll(app) with { Id = "e" }, Drafts.ToAll(app), Drafts.ToAll(app) with { Id = "e" }], Cancel);

        outcome.Refused(FaultCodes.Invalid).Errors!.Keys.ShouldBe(["/2/id"]);
        (await Node.ReadStreamAsync(app)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Arrays_AtOnceThatShareIds_StoreEachIdOnce()
    {
        var app = await Node.AddAppAsync();
        for (var round = 0; round < 10; round++)
        {
            EventDraft Event(int n) => Drafts.ToAll(app, new { round, n }) with { Id = $"{round}-{n}" };
            var arrays = Enumerable.Range(0, 8).Select(n => new[] { Event(n), Event(n + 1), Event((n + 5) % 9) });

            var receipts = await Task.WhenAll(arrays.Select(array => Task.Run(() => Node.PublishAsync(array))));

            var all = receipts.SelectMany(answered => answered).ToList();
            all.Count(receipt => !receipt.Duplicate).ShouldBe(9);
            all.GroupBy(receipt => receipt.Id).ShouldAllBe(same => same.Select(receipt => receipt.Position).Distinct().Count() == 1);
            var stored = await Node.ReadStreamAsync(app, after: round * 9);
            stored.Select(e => e.Id).Order().ShouldBe(Enumerable.Range(0, 9).Select(n => $"{round}-{n}"));
        }
    }

    /// <summary>Each array is worth a commit of its own, so that two are under way at once where the store allows it, over the same streams and ids.</summary>
    [Fact]
    public async Task LargeArrays_AtOnceThatShareIds_StoreEachIdOnce()
    {
        const int arrays = 24, size = 120, step = 80, users = 7;
        var app = await Node.AddAppAsync();
        EventDraft Event(int n) => Drafts.ToUser(app, $"user-{n % users}", new { n }) with { Id = $"e-{n}" };

        var receipts = await Task.WhenAll(Enumerable.Range(0, arrays).Select(array => Task.Run(() =>
            Node.PublishAsync([.. Enumerable.Range(array * step, size).Select(Event)]))));

        var all = receipts.SelectMany(answered => answered).ToLookup(receipt => receipt.Id);
        all.Count.ShouldBe(((arrays - 1) * step) + size);
        foreach (var same in all)
        {
            same.Count(receipt => !receipt.Duplicate).ShouldBe(1, same.Key);
            same.Select(receipt => (receipt.Stream, receipt.Position)).Distinct().Count().ShouldBe(1, same.Key);
        }

        foreach (var stream in all.GroupBy(same => same.First().Stream))
        {
            var stored = await Node.ReadStreamAsync(stream.Key);
            stored.Select(e => e.Id).ShouldBe(stream.OrderBy(id => id.First().Position).Select(id => id.Key));
            stored.Select(e => e.Position).ShouldBe(Enumerable.Range(1, stored.Count).Select(n => (long)n));
        }
    }

    [Fact]
    public async Task SharedEvent_RepeatedAtOnce_IsCopiedOnce()
    {
        var (source, consumer) = await Node.AddSharingAppsAsync();
        var draft = Drafts.Shared(source) with { Id = "e" };

        var receipts = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => Node.PublishAsync(draft))));

        receipts.ShouldAllBe(receipt => receipt.Stream == source);
        var copy = (await Node.ReadStreamAsync(consumer)).ShouldHaveSingleItem();
        (copy.Id, copy.Source, copy.App).ShouldBe(("e", source, consumer));
        await using var context = Node.Database.ForService();
        (await context.PublishReceipts.CountAsync(receipt => receipt.EventId == "e" && receipt.App == source, Cancel)).ShouldBe(1);
        // The id is the source's: the consumer's own event may have it too.
        (await Node.PublishAsync(Drafts.ToAll(consumer) with { Id = "e" })).Position.ShouldBe(2);
    }
}
