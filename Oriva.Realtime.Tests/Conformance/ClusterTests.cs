using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

/// <summary>Several nodes on one PostgreSQL, with nothing else between them.</summary>
public sealed class ClusterTests(PostgresFixture fixture) : StoreTests(fixture), IClassFixture<PostgresFixture>
{
    private const int Publishers = 8;

    [Fact]
    public async Task TwoNodes_PublishingToTheSameStreams_GetContiguousPositions()
    {
        const int each = 40;
        var other = await StartNodeAsync(on: Store);
        var (source, consumer) = await Node.AddSharingAppsAsync();
        await other.Registry.RefreshAsync(Cancel);
        EventDraft Draft(int n) => (n % 4) switch
        {
            0 => Drafts.Shared(source, new { n }),
            1 => Drafts.Shared(source, new { n }) with { Topic = $"room-{n % 3}" },
            2 => Drafts.ToAll(consumer, new { n }),
            _ => Drafts.ToUser(source, $"user-{n % 3}", new { n }),
        };
        var deadlocks = await DeadlocksAsync();

        var publishing = new[] { Node, other }.SelectMany(node => Enumerable.Range(0, Publishers).Select(publisher => Task.Run(async () =>
        {
            var receipts = new List<Receipt>();
            for (var n = 0; n < each; n++)
            {
                // Arrays take several heads in one commit: in another order on each node, they would deadlock.
                var next = publisher + n;
                receipts.AddRange(await node.PublishAsync(n % 5 == 0 ? [Draft(next + 3), Draft(next + 2), Draft(next + 1), Draft(next)] : [Draft(next)]));
            }

            return receipts;
        })));
        var receipts = (await Task.WhenAll(publishing)).SelectMany(answered => answered).ToList();

        receipts.Count.ShouldBe(2 * Publishers * (each + (3 * each / 5)));
        (await DeadlocksAsync()).ShouldBe(deadlocks);
        await using var context = Node.Database.ForService();
        var streams = await context.Streams.Where(row => row.App == source || row.App == consumer).ToListAsync(Cancel);
        streams.Count.ShouldBe(1 + 3 + 3 + 1 + 3);
        foreach (var stream in streams)
        {
            var stored = await Node.ReadStreamAsync(stream.Stream);
            stored.Select(e => e.Position).ShouldBe(Enumerable.Range(1, stored.Count).Select(n => (long)n), stream.Stream);
            stored.Select(e => e.RecordedAt).ShouldBeInOrder();
            stored.Count.ShouldBe((int)stream.Head);
        }

        foreach (var receipt in receipts)
            (await context.Events.CountAsync(e => e.Stream == receipt.Stream && e.Position == receipt.Position && e.Id == receipt.Id, Cancel)).ShouldBe(1);
    }

    [Fact]
    public async Task TwoNodes_RacingTheSameIds_StoreEachOnce()
    {
        var other = await StartNodeAsync(on: Store);
        var app = await Node.AddAppAsync();
        await other.Registry.RefreshAsync(Cancel);
        for (var round = 0; round < 25; round++)
        {
            EventDraft Event(int n) => Drafts.ToUser(app, $"user-{n % 2}", new { round, n }) with { Id = $"{round}-{n}" };
            var publishes = new[] { Node, other, Node, other }.SelectMany(node => new[]
            {
                Task.Run(() => node.PublishAsync([Event(0), Event(1), Event(2)])),
                Task.Run(() => node.PublishAsync([Event(2), Event(1)])),
                Task.Run(() => node.PublishAsync([Event(1)])),
            });

            var receipts = (await Task.WhenAll(publishes)).SelectMany(answered => answered).ToLookup(receipt => receipt.Id);

            receipts.Count.ShouldBe(3);
            foreach (var same in receipts)
            {
                same.Count(receipt => !receipt.Duplicate).ShouldBe(1, same.Key);
                same.Select(receipt => (receipt.Stream, receipt.Position, receipt.RecordedAt)).Distinct().Count().ShouldBe(1, same.Key);
            }
        }

        (await Node.ReadStreamAsync($"{app}/users/user-0")).Count.ShouldBe(50);
        (await Node.ReadStreamAsync($"{app}/users/user-1")).Select(e => e.Position).ShouldBe(Enumerable.Range(1, 25).Select(n => (long)n));
    }

    [Fact]
    public async Task Session_OnAnotherNode_SeesPublishesWithoutAFeedBetween()
    {
        var other = await StartNodeAsync(on: Store);
        var app = await Node.AddAppAsync();
        await using var session = RunningSession.Open(other, Callers.User("ada", app));
        await other.Registry.RefreshAsync(Cancel);
        await session.SubscribeAsync(new SubscribeRequest(app, ["room-1"]));

        var delays = new List<TimeSpan>();
        for (var round = 1; round <= 4; round++)
        {
            await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToTopic(app, "room-1"), Drafts.ToUser(app, "ada")]);
            var published = TimeProvider.System.GetTimestamp();
            foreach (var stream in new[] { app, $"{app}/topics/room-1", $"{app}/users/ada" })
                await session.ReachAsync(stream, round);
            delays.Add(TimeProvider.System.GetElapsedTime(published));
        }

        // The poll of heads asks every second. A busy machine may take longer, but not every time.
        delays.Min().ShouldBeLessThan(TimeSpan.FromSeconds(1.5));
    }

    [Fact]
    public async Task Sessions_OnBothNodesWhileBothPublish_GetEverythingInOrder()
    {
        const int each = 30;
        var other = await StartNodeAsync(on: Store);
        var app = await Node.AddAppAsync();
        await other.Registry.RefreshAsync(Cancel);
        LogHost[] nodes = [Node, other];
        var sessions = nodes.Select(node => RunningSession.Open(node, Callers.User("ada", app))).ToList();
        foreach (var session in sessions)
            await session.SubscribeAsync(new SubscribeRequest(app));

        await Task.WhenAll(nodes.SelectMany(node => Enumerable.Range(0, Publishers / 2).Select(_ => Task.Run(async () =>
        {
            for (var n = 0; n < each; n++)
                await node.PublishAsync(Drafts.ToAll(app, new { n }));
        }))));

        foreach (var session in sessions)
        {
            await session.ReachAsync(app, Publishers * each);
            session.Output.PositionsIn(app).Count.ShouldBe(Publishers * each);
            await session.DisposeAsync();
        }
    }

    [Fact]
    public async Task Session_HoppingBetweenNodesWithItsCursor_GetsEveryEventOnce()
    {
        const int each = 60;
        var other = await StartNodeAsync(on: Store);
        var app = await Node.AddAppAsync();
        LogHost[] nodes = [Node, other];
        await using var watching = RunningSession.Open(other, Callers.User("watcher", app));
        var cursor = (await watching.SubscribeAsync(new SubscribeRequest(app, ["room-1"]))).Cursor;
        var publishing = Task.WhenAll(nodes.SelectMany(node => Enumerable.Range(0, Publishers / 2).Select(_ => Task.Run(async () =>
        {
            for (var n = 0; n < each; n++)
                await node.PublishAsync([Drafts.ToAll(app), Drafts.ToTopic(app, "room-1"), Drafts.ToUser(app, "ada")]);
        }))));

        string[] streams = [app, $"{app}/topics/room-1", $"{app}/users/ada"];
        var seen = streams.ToDictionary(stream => stream, _ => new List<long>());
        for (var hop = 0; streams.Any(stream => seen[stream].Count < Publishers * each); hop++)
        {
            await using var session = RunningSession.Open(nodes[hop % 2], Callers.User("ada", app));
            var answer = await session.SubscribeAsync(new SubscribeRequest(app, ["room-1"], Cursor: cursor, From: "start"));
            answer.Reset.ShouldBeFalse();
            // Goes with whatever it has when something has come, as a client on a bad network does.
            IReadOnlyList<StoredEvent> got = [];
            await Eventually("something comes", () => (got = session.Output.Events).Count > 0);
            foreach (var e in got)
            {
                seen[e.Stream].Add(e.Position);
                cursor = cursor with { Streams = cursor.Streams.SetItem(e.Stream, e.Position) };
            }
        }

        await publishing;
        foreach (var stream in streams)
            seen[stream].ShouldBe(Enumerable.Range(1, Publishers * each).Select(n => (long)n), stream);
    }

    [Fact]
    public async Task NodeWhoseClockIsBehind_DoesNotTurnBackAStream()
    {
        var behind = await StartNodeAsync(new LogHostSettings { Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow().AddHours(-30)) }, Store);
        var app = await Node.AddAppAsync();
        await behind.Registry.RefreshAsync(Cancel);
        await using var session = RunningSession.Open(Node, Callers.User("ada", app));
        await session.SubscribeAsync(new SubscribeRequest(app));

        for (var n = 0; n < 5; n++)
        {
            await Node.PublishAsync(Drafts.ToAll(app));
            await behind.PublishAsync(Drafts.ToAll(app));
        }

        (await Node.ReadStreamAsync(app)).Select(e => e.RecordedAt).ShouldBeInOrder();
        await session.ReachAsync(app, 10);
    }

    [Fact]
    public async Task Manifest_PutOnOneNode_CanBeUsedOnTheOtherAtOnce()
    {
        var other = await StartNodeAsync(on: Store);
        await other.Registry.RefreshAsync(Cancel);
        var app = await Node.AddAppAsync();

        await other.PublishAsync(Drafts.ToAll(app));

        await Node.PutManifestAsync(TestManifest.Of(app).Replace(TestManifest.SharedType, "thing.added", StringComparison.Ordinal));
        await other.PublishAsync(Drafts.ToAll(app) with { Type = "thing.added" });
    }

    [Fact]
    public async Task Manifest_ChangedOnOneNode_IsSeenByTheOther()
    {
        var other = await StartNodeAsync(on: Store);
        var app = await Node.AddAppAsync();
        await Eventually("the other node knows the app", () => other.Registry.Find(app) is not null);

        await Node.PutManifestAsync(TestManifest.Of(app).Replace("Test app", "Renamed", StringComparison.Ordinal));

        await Eventually("the other node knows the change", () => other.Registry.Find(app)!.Name == "Renamed " + app);
    }

    private Task<long> DeadlocksAsync() => Store.SingleAsync<long>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
}
