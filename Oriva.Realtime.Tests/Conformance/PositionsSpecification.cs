using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqlitePositionsTests(SqliteFixture fixture) : PositionsSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresPositionsTests(PostgresFixture fixture) : PositionsSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Positions are contiguous, nobody sees one before the one before it, and what is read is what was published.</summary>
public abstract class PositionsSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private const int Publishers = 8;

    [Fact]
    public async Task ConcurrentPublishers_OverStreamsAndApps_GetContiguousPositions()
    {
        const int each = 60;
        var (source, consumer) = await Node.AddSharingAppsAsync();
        Func<int, EventDraft>[] audiences =
        [
            n => Drafts.ToAll(source, new { n }),
            n => Drafts.ToUser(source, $"user-{n % 3}", new { n }),
            n => Drafts.ToTopic(source, $"room-{n % 3}", new { n }),
            n => Drafts.Shared(source, new { n }),
            n => Drafts.Shared(source, new { n }) with { UserId = $"user-{n % 3}" },
            n => Drafts.Shared(source, new { n }) with { Topic = $"room-{n % 3}" },
            n => Drafts.ToAll(consumer, new { n }),
            n => Drafts.ToUser(consumer, $"user-{n % 3}", new { n }),
        ];

        var receipts = await PublishConcurrentlyAsync(each, (publisher, n) => audiences[(publisher + n) % audiences.Length](n));

        receipts.Count.ShouldBe(Publishers * each);
        receipts.ShouldAllBe(receipt => !receipt.Duplicate);
        var stored = new Dictionary<string, IReadOnlyList<StoredEvent>>();
        foreach (var app in new[] { source, consumer })
        {
            string[] streams = [app, .. Enumerable.Range(0, 3).SelectMany(n => new[] { $"{app}/users/user-{n}", $"{app}/topics/room-{n}" })];
            foreach (var stream in streams)
            {
                stored[stream] = await Node.ReadStreamAsync(stream);
                stored[stream].Select(e => e.Position).ShouldBe(Enumerable.Range(1, stored[stream].Count).Select(n => (long)n), stream);
                (await Node.Store.ReadHeadsAsync([stream], Cancel))[stream].Position.ShouldBe(stored[stream].Count, stream);
            }
        }

        foreach (var receipt in receipts)
        {
            var e = stored[receipt.Stream][(int)receipt.Position - 1];
            (e.Id, e.RecordedAt).ShouldBe((receipt.Id, receipt.RecordedAt));
        }

        var shared = stored.Values.SelectMany(events => events).Where(e => e.Type == TestManifest.SharedType).ToLookup(e => e.Id);
        shared.Count.ShouldBe(Publishers * each * 3 / audiences.Length);
        foreach (var copies in shared)
        {
            copies.Select(e => e.App).ShouldBe([source, consumer], ignoreOrder: true);
            copies.ShouldAllBe(e => e.Source == source);
            copies.Select(e => e.Stream[e.App.Length..]).Distinct().Count().ShouldBe(1, "a copy stands in the other app's matching stream");
            copies.Select(e => e.Data).Distinct().Count().ShouldBe(1);
        }
    }

    [Fact]
    public async Task Readers_WhilePublishing_NeverSeeAPositionBeforeTheOneBeforeIt()
    {
        const int each = 80;
        const int total = Publishers * each;
        var app = await Node.AddAppAsync();
        var sessions = Enumerable.Range(0, 4).Select(n => RunningSession.Open(Node, Callers.User($"reader-{n}", app))).ToList();
        foreach (var session in sessions)
            await session.SubscribeAsync(new SubscribeRequest(app));
        var readers = Enumerable.Range(1, 4).Select(limit => Task.Run(() => TailAsync(app, total, limit * 7))).ToList();

        await PublishConcurrentlyAsync(each, (_, n) => Drafts.ToAll(app, new { n }));

        await Task.WhenAll(readers).Soon("the readers have read everything");
        foreach (var session in sessions)
        {
            await session.ReachAsync(app, total);
            session.Output.PositionsIn(app).Count.ShouldBe(total);
            await session.DisposeAsync();
        }
    }

    [Fact]
    public async Task Session_SubscribedFromEverywhereWhilePublishing_ContinuesExactlyWhereItsAnswerSays()
    {
        const int each = 30;
        const int total = Publishers * each;
        var app = await Node.AddAppAsync();
        var publishing = PublishConcurrentlyAsync(each, (_, n) => Drafts.ToAll(app, new { n }));

        var sessions = new List<RunningSession>();
        var cursor = (Cursor?)null;
        for (var n = 0; n < 12; n++)
        {
            var session = RunningSession.Open(Node, Callers.User("reader", app));
            sessions.Add(session);
            var answer = await session.SubscribeAsync((n % 3) switch
            {
                0 => new SubscribeRequest(app),
                1 => new SubscribeRequest(app, From: "start"),
                _ => new SubscribeRequest(app, Cursor: cursor),
            });
            answer.Reset.ShouldBeFalse();
            if (n % 3 == 2)
                answer.Streams[app].ShouldBe(cursor!.Streams[app]);
            cursor = answer.Cursor;
        }

        await publishing;
        await Node.PublishAsync(Drafts.ToAll(app));
        foreach (var session in sessions)
        {
            await session.ReachAsync(app, total + 1);
            await session.DisposeAsync();
        }
    }

    [Fact]
    public async Task Sessions_SlowAndFast_DuringABurst_MissNothing()
    {
        // More than any cache of a stream's tail holds.
        const int arrays = 5;
        const int total = arrays * 500;
        var app = await Node.AddAppAsync();
        var stuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var turns = new SemaphoreSlim(0);
        await using var fast = RunningSession.Open(Node, Callers.User("fast", app));
        await using var slow = RunningSession.Open(Node, Callers.User("slow", app), new CollectingOutput { Pause = _ => turns.WaitAsync(Cancel) });
        await using var last = RunningSession.Open(Node, Callers.User("last", app), new CollectingOutput { Pause = _ => stuck.Task });
        foreach (var session in new[] { fast, slow, last })
            await session.SubscribeAsync(new SubscribeRequest(app));

        for (var n = 0; n < arrays; n++)
        {
            await Node.PublishAsync(Enumerable.Range(0, 500).Select(i => Drafts.ToAll(app, new { n, i })).ToList());
            turns.Release();
            await fast.ReachAsync(app, (n + 1) * 500);
        }

        last.Output.Events.ShouldBeEmpty();
        turns.Release(total);
        stuck.SetResult();
        foreach (var session in new[] { fast, slow, last })
        {
            await session.ReachAsync(app, total);
            session.Output.PositionsIn(app).Count.ShouldBe(total);
        }
    }

    [Fact]
    public async Task Clock_GoesBack_RecordedAtDoesNotDecreaseInAStream()
    {
        // Finer than what stores keep, which is whole microseconds.
        var kept = StoreTime.Truncate(TimeProvider.System.GetUtcNow());
        var clock = new FakeTimeProvider(kept.AddTicks(5));
        var node = await StartNodeAsync(new LogHostSettings { Time = clock });
        var app = await node.AddAppAsync();
        var now = clock.GetUtcNow();

        var receipts = new List<Receipt>();
        foreach (var minutes in new[] { 0, 5, -60, -61, -3, 6, 4, 7 })
        {
            clock.AdjustTime(now.AddMinutes(minutes));
            receipts.Add(await node.PublishAsync(Drafts.ToAll(app)));
        }

        receipts.Select(receipt => receipt.Position).ShouldBe([1, 2, 3, 4, 5, 6, 7, 8]);
        receipts.Select(receipt => receipt.RecordedAt).ShouldBeInOrder();
        receipts[2].RecordedAt.ShouldBe(receipts[1].RecordedAt);
        var stored = await node.ReadStreamAsync(app);
        stored.Select(e => e.RecordedAt).ShouldBe(receipts.Select(receipt => receipt.RecordedAt));
        // A stream that has nothing yet goes by the clock as it is.
        clock.AdjustTime(now.AddMinutes(-30));
        (await node.PublishAsync(Drafts.ToUser(app, "ada"))).RecordedAt.ShouldBe(kept.AddMinutes(-30));
    }

    [Fact]
    public async Task Clock_GoesBack_SessionAndCursorMissNothing()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var node = await StartNodeAsync(new LogHostSettings { Time = clock });
        var app = await node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app));
        await using var session = RunningSession.Open(node, Callers.User("ada", app));
        var answer = await session.SubscribeAsync(new SubscribeRequest(app));

        clock.AdjustTime(clock.GetUtcNow().AddHours(-2));
        await node.PublishAsync(Drafts.ToAll(app));
        await node.PublishAsync([Drafts.ToAll(app), Drafts.ToUser(app, "ada"), Drafts.ToAll(app)]);

        await session.ReachAsync(app, 4);
        await session.ReachAsync(app + "/users/ada", 1);
        await using var resumed = RunningSession.Open(node, Callers.User("ada", app));
        (await resumed.SubscribeAsync(new SubscribeRequest(app, Cursor: answer.Cursor))).Reset.ShouldBeFalse();
        await resumed.ReachAsync(app, 4);
        resumed.Output.PositionsIn(app).ShouldBe([2, 3, 4]);
    }

    [Fact]
    public async Task Event_ReadBack_IsWhatWasPublished()
    {
        var app = await Node.AddAppAsync();
        const string data = """
            { "b": 1.10, "a" : [1e400, -0.0, 123456789012345678901234567890.5, true, null], "text": "Ж🎧\u2028 \"q\" \\u0000 %_'$1", "n": {"": {"k/~": []}} }
            """;
        var draft = Drafts.ToTopic(app, "room-1") with
        {
            Id = "Ж-🎧-'\"\\%_$1{0}",
            Data = JsonElement.Parse(data),
            Time = new DateTimeOffset(2001, 2, 3, 4, 5, 6, 789, 123, TimeSpan.FromHours(5.5)),
            Metadata = new Dictionary<string, string> { ["correlationId"] = "c-1", ["ключ"] = "значение '\"\\" },
        };

        var receipt = await Node.PublishAsync(draft);

        var e = (await Node.ReadStreamAsync($"{app}/topics/room-1")).ShouldHaveSingleItem();
        (e.Id, e.Source, e.App, e.Type, e.Topic, e.UserId).ShouldBe((draft.Id, app, app, TestManifest.Type, "room-1", null));
        (e.Position, e.RecordedAt, e.Stream).ShouldBe((receipt.Position, receipt.RecordedAt, receipt.Stream));
        e.Actor.ShouldBe("oriva");
        e.Time.ShouldBe(draft.Time.Value);
        // Byte for byte, so that replay and live delivery are the same.
        e.Data.ShouldBe(draft.Data.GetRawText());
        JsonSerializer.Deserialize<Dictionary<string, string>>(e.Metadata!).ShouldBe(draft.Metadata);
    }

    [Fact]
    public async Task Event_AsLargeAsAllowed_IsStoredAndPushed()
    {
        var app = await Node.AddAppAsync();
        var text = string.Concat(Enumerable.Repeat("Ж", (64 * 1024 - Encoding.UTF8.GetByteCount("{\"t\":\"\"}")) / 2));
        await using var session = RunningSession.Open(Node, Callers.User("ada", app));
        await session.SubscribeAsync(new SubscribeRequest(app));

        await Node.PublishAsync(Enumerable.Range(0, 40).Select(_ => Drafts.ToAll(app) with { Data = JsonElement.Parse($$"""{"t":"{{text}}"}""") }).ToList());

        await session.ReachAsync(app, 40);
        session.Output.Events.ShouldAllBe(e => e.DataElement.GetProperty("t").GetString() == text);
        // A batch is bounded by bytes.
        session.Output.Batches.ShouldAllBe(batch => batch.Events.Count <= 5);
    }

    private async Task<List<Receipt>> PublishConcurrentlyAsync(int each, Func<int, int, EventDraft> draft)
    {
        var publishers = Enumerable.Range(0, Publishers).Select(publisher => Task.Run(async () =>
        {
            var receipts = new List<Receipt>();
            for (var n = 0; n < each; n++)
                receipts.Add(await Node.PublishAsync(draft(publisher, n)));
            return receipts;
        }));
        return [.. (await Task.WhenAll(publishers)).SelectMany(receipts => receipts)];
    }

    /// <summary>Reads a stream from its start until it has everything, and fails at the first position that does not follow the one before.</summary>
    private async Task TailAsync(string stream, long through, int limit)
    {
        var position = 0L;
        var since = DateTimeOffset.MinValue;
        while (position < through)
        {
            foreach (var e in await Node.Store.ReadAsync(stream, position, since, new ReadLimit(limit), Scopes.User("reader", stream), Cancel))
            {
                e.Position.ShouldBe(position + 1);
                e.RecordedAt.ShouldBeGreaterThanOrEqualTo(since);
                (position, since) = (e.Position, e.RecordedAt);
            }

            // SQLite reads on this thread: the others need their turns.
            await Task.Yield();
        }
    }
}
