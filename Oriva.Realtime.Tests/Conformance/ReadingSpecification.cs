using System.Collections.Immutable;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteReadingTests(SqliteFixture fixture) : ReadingSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresReadingTests(PostgresFixture fixture) : ReadingSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Reading after a position, finding a position by time, and the epoch that says whose positions they are.</summary>
public abstract class ReadingSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    [Fact]
    public async Task Read_AfterAPosition_ReturnsWhatFollowsUpToTheLimit()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync(Enumerable.Range(0, 25).Select(_ => Drafts.ToAll(app)).ToList());
        // A stream whose name begins with the other's is another stream.
        await Node.PublishAsync(Drafts.ToUser(app, "ada"));

        async Task<IEnumerable<long>> ReadAsync(long after, int limit, int bytes = int.MaxValue) =>
            (await Node.Store.ReadAsync(app, after, DateTimeOffset.MinValue, new ReadLimit(limit, bytes), Scopes.Whole(app), Cancel)).Select(e => e.Position);
        (await ReadAsync(0, 3)).ShouldBe([1, 2, 3]);
        (await ReadAsync(3, 3)).ShouldBe([4, 5, 6]);
        (await ReadAsync(22, 10)).ShouldBe([23, 24, 25]);
        (await ReadAsync(25, 10)).ShouldBeEmpty();
        (await ReadAsync(1_000, 10)).ShouldBeEmpty();
        (await ReadAsync(22, 10, bytes: 1)).ShouldBe([23], "one at least, however large");
        (await ReadAsync(0, 10, bytes: (2 * (await Node.ReadStreamAsync(app))[0].Size) - 1)).ShouldBe([1, 2]);
        (await Node.Store.ReadAsync("no-such-app", 0, DateTimeOffset.MinValue, new ReadLimit(10), Scopes.Whole("no-such-app"), Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Read_SinceTheLastEventsTime_MissesNothing()
    {
        var app = await Node.AddAppAsync();
        // One commit, so all have one recorded_at, which is the bound that a reader in the middle of them gives.
        await Node.PublishAsync(Enumerable.Range(0, 10).Select(_ => Drafts.ToAll(app)).ToList());
        var fourth = (await Node.ReadStreamAsync(app))[3];

        var rest = await Node.Store.ReadAsync(app, fourth.Position, fourth.RecordedAt, new ReadLimit(100), Scopes.Whole(app), Cancel);

        rest.Select(e => e.Position).ShouldBe([5, 6, 7, 8, 9, 10]);
    }

    [Fact]
    public async Task Heads_OfStreams_AreTheirNewestPositions()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToUser(app, "ada"), Drafts.ToAll(app)]);
        var last = await Node.PublishAsync(Drafts.ToAll(app));

        var heads = await Node.Store.ReadHeadsAsync([app, $"{app}/users/ada", $"{app}/users/nobody"], Cancel);

        heads.Keys.Order().ShouldBe([app, $"{app}/users/ada"]);
        (heads[app].Position, heads[app].RecordedAt, heads[$"{app}/users/ada"].Position).ShouldBe((3, last.RecordedAt, 1));
        (await Node.Store.ReadHeadsAsync([], Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task PositionBefore_ATime_IsTheOneBeforeTheFirstEventThen()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 23, 59, 0, TimeSpan.Zero));
        var node = await StartNodeAsync(new LogHostSettings { Time = clock });
        var app = await node.AddAppAsync();
        var times = new List<DateTimeOffset>();
        for (var n = 0; n < 4; n++)
        {
            await node.PublishAsync([Drafts.ToAll(app), Drafts.ToAll(app)]);
            times.Add(clock.GetUtcNow());
            clock.Advance(TimeSpan.FromSeconds(20));
        }

        Task<long?> FindAsync(DateTimeOffset from) => node.Store.FindPositionBeforeAsync(app, from, Cancel);
        (await FindAsync(DateTimeOffset.MinValue)).ShouldBe(0);
        (await FindAsync(times[0])).ShouldBe(0);
        (await FindAsync(times[0].AddTicks(10))).ShouldBe(2);
        (await FindAsync(times[1])).ShouldBe(2);
        (await FindAsync(times[3].ToOffset(TimeSpan.FromHours(-8)))).ShouldBe(6);
        (await FindAsync(times[3].AddTicks(10))).ShouldBeNull();
        (await node.Store.FindPositionBeforeAsync($"{app}/users/nobody", DateTimeOffset.MinValue, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task Subscribe_FromNowStartOrATime_BeginsThere()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 23, 59, 50, TimeSpan.Zero));
        var node = await StartNodeAsync(new LogHostSettings { Time = clock });
        var app = await node.AddAppAsync();
        for (var n = 0; n < 5; n++)
        {
            await node.PublishAsync([Drafts.ToAll(app, new { n }), Drafts.ToTopic(app, "room-1", new { n })]);
            clock.Advance(TimeSpan.FromSeconds(10));
        }

        async Task<IReadOnlyList<long>> PositionsAsync(string? from)
        {
            await using var session = RunningSession.Open(node, Callers.User("ada", app));
            var answer = await session.SubscribeAsync(new SubscribeRequest(app, ["room-1"], From: from));
            answer.Reset.ShouldBeFalse();
            answer.Epoch.ShouldBe(node.Epoch.Value);
            answer.Streams.Keys.Order().ShouldBe([app, $"{app}/topics/room-1", $"{app}/users/ada"]);
            answer.Streams[$"{app}/users/ada"].ShouldBe(0);
            answer.Streams[app].ShouldBe(answer.Streams[$"{app}/topics/room-1"]);
            if (answer.Streams[app] < 5)
                await session.ReachAsync(app, 5);
            return session.Output.PositionsIn(app);
        }

        (await PositionsAsync(null)).ShouldBeEmpty();
        (await PositionsAsync("now")).ShouldBeEmpty();
        (await PositionsAsync("start")).ShouldBe([1, 2, 3, 4, 5]);
        (await PositionsAsync("2026-03-02T00:00:10Z")).ShouldBe([3, 4, 5]);
        (await PositionsAsync("2026-03-02T01:00:05+01:00")).ShouldBe([3, 4, 5]);
        (await PositionsAsync("2026-03-02T00:00:31Z")).ShouldBeEmpty();
        (await PositionsAsync("1999-01-01T00:00:00Z")).ShouldBe([1, 2, 3, 4, 5]);
    }

    [Fact]
    public async Task Epoch_StaysAcrossStarts_UntilItIsRenewed()
    {
        var store = await Fixture.NewStoreAsync();
        string first, app;
        Cursor cursor;
        await using (var node = await LogHost.StartAsync(store))
        {
            first = node.Epoch.Value;
            app = await node.AddAppAsync();
            await node.PublishAsync([Drafts.ToAll(app), Drafts.ToAll(app)]);
            cursor = new Cursor(first, ImmutableDictionary<string, long>.Empty.Add(app, 1));
        }

        await using (var node = await LogHost.StartAsync(store))
        {
            node.Epoch.Value.ShouldBe(first);
            await using (var session = RunningSession.Open(node, Callers.User("ada", app)))
            {
                (await session.SubscribeAsync(new SubscribeRequest(app, Cursor: cursor))).Reset.ShouldBeFalse();
                await session.ReachAsync(app, 2);
            }
        }

        // As the hub's command for a restored store does it.
        await using (var node = LogHost.Build(store))
            await node.Migrator.RenewEpochAsync(Cancel);

        await using (var node = await LogHost.StartAsync(store))
        {
            node.Epoch.Value.ShouldNotBe(first);
            await using var session = RunningSession.Open(node, Callers.User("ada", app));
            var answer = await session.SubscribeAsync(new SubscribeRequest(app, Cursor: cursor));
            (answer.Reset, answer.Epoch, answer.Streams[app]).ShouldBe((true, node.Epoch.Value, 2));
            await node.PublishAsync(Drafts.ToAll(app));
            await session.ReachAsync(app, 3);
            session.Output.PositionsIn(app).ShouldBe([3]);
        }
    }

    [Fact]
    public async Task Cursor_BeyondTheHead_IsAReset()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync(Drafts.ToAll(app));
        var cursor = new Cursor(Node.Epoch.Value, ImmutableDictionary<string, long>.Empty.Add(app, 2));
        await using var session = RunningSession.Open(Node, Callers.User("ada", app));

        var answer = await session.SubscribeAsync(new SubscribeRequest(app, Cursor: cursor));

        (answer.Reset, answer.Streams[app]).ShouldBe((true, 1));
    }

    [Fact]
    public async Task Cursor_ThatLacksAStream_StartsThatStreamAtFrom()
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToAll(app), Drafts.ToTopic(app, "room-1"), Drafts.ToTopic(app, "room-1")]);
        var cursor = new Cursor(Node.Epoch.Value, ImmutableDictionary<string, long>.Empty.Add(app, 1));
        await using var session = RunningSession.Open(Node, Callers.User("ada", app));

        var answer = await session.SubscribeAsync(new SubscribeRequest(app, ["room-1"], Cursor: cursor, From: "start"));

        (answer.Reset, answer.Streams[app], answer.Streams[$"{app}/topics/room-1"]).ShouldBe((false, 1, 0));
        await session.ReachAsync(app, 2);
        await session.ReachAsync($"{app}/topics/room-1", 2);
        session.Output.PositionsIn(app).ShouldBe([2]);
        session.Output.PositionsIn($"{app}/topics/room-1").ShouldBe([1, 2]);
    }
}
