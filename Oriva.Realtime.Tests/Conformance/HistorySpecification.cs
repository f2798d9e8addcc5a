using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteHistoryTests(SqliteFixture fixture) : HistorySpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresHistoryTests(PostgresFixture fixture) : HistorySpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Searching an app's history: every event once, page by page, while others are published.</summary>
public abstract class HistorySpecification(StoreFixture fixture) : StoreTests(fixture)
{
    [Theory]
    [InlineData(true, 7)]
    [InlineData(false, 7)]
    [InlineData(true, 500)]
    [InlineData(false, 1)]
    public async Task Pages_WhilePublishing_HaveEveryEventOnce(bool ascending, int limit)
    {
        var app = await Node.AddAppAsync();
        // Groups of several streams have one recorded_at: pages end in the middle of them.
        for (var n = 0; n < 12; n++)
        {
            await Node.PublishAsync(
                [Drafts.ToAll(app), Drafts.ToUser(app, "ada"), Drafts.ToAll(app), Drafts.ToTopic(app, "room-1"), Drafts.ToUser(app, "eve"), Drafts.ToAll(app)]);
        }

        var before = (await PageAsync(app, new HistoryQuery(app) { Limit = 500 })).Items.Select(Key).ToHashSet();
        before.Count.ShouldBe(72);
        using var stopping = new CancellationTokenSource();
        var publishing = Task.Run(async () =>
        {
            while (!stopping.IsCancellationRequested)
                await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToUser(app, "ada")]);
        }, Cancel);

        var seen = new List<StoredEvent>();
        string? next = null;
        do
        {
            var page = await PageAsync(app, new HistoryQuery(app) { Ascending = ascending, Limit = limit, After = next });
            page.Items.Count.ShouldBeLessThanOrEqualTo(limit);
            if (page.Next is not null)
                page.Items.Count.ShouldBe(limit, "only the last page is not full");
            seen.AddRange(page.Items);
            next = page.Next;
            if (seen.Count > 400)
                await stopping.CancelAsync();
        }
        while (next is not null);

        await stopping.CancelAsync();
        await publishing;
        seen.Select(Key).Distinct().Count().ShouldBe(seen.Count, "an event came twice");
        before.ExceptWith(seen.Select(Key));
        before.ShouldBeEmpty();
        seen.Select(e => e.RecordedAt).ShouldBeInOrder(ascending ? SortDirection.Ascending : SortDirection.Descending);
        foreach (var stream in seen.GroupBy(e => e.Stream))
            stream.Select(e => e.Position).ShouldBeInOrder(ascending ? SortDirection.Ascending : SortDirection.Descending);
    }

    [Fact]
    public async Task Query_FiltersByTypeAudienceSourceAndTime()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 23, 59, 58, TimeSpan.Zero));
        var node = await StartNodeAsync(new LogHostSettings { Time = clock });
        var (source, consumer) = await node.AddSharingAppsAsync();
        await node.PublishAsync(
            [Drafts.ToAll(source) with { Id = "all" }, Drafts.ToUser(source, "ada") with { Id = "ada" }, Drafts.ToTopic(source, "room-1") with { Id = "room" }]);
        clock.Advance(TimeSpan.FromSeconds(1));
        await node.PublishAsync([Drafts.Shared(source) with { Id = "shared" }, Drafts.ToAll(consumer) with { Id = "own" }]);
        clock.Advance(TimeSpan.FromSeconds(1));
        await node.PublishAsync(Drafts.ToAll(source) with { Id = "midnight", Type = "session.started" });
        var midnight = new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero);

        async Task<string> FindAsync(HistoryQuery query)
        {
            var items = (await node.History.SearchAsync(Scopes.Whole(source, consumer), query with { Ascending = true }, Cancel)).Required().Items;
            return string.Join(' ', items.Select(e => e.Id));
        }

        (await FindAsync(new(source))).ShouldBe("all room ada shared midnight");
        (await FindAsync(new(source) { Type = "*" })).ShouldBe("all room ada shared midnight");
        (await FindAsync(new(source) { Type = "thing.*" })).ShouldBe("all room ada shared");
        (await FindAsync(new(source) { Type = "thing.shared" })).ShouldBe("shared");
        (await FindAsync(new(source) { Type = "thing" })).ShouldBeEmpty();
        (await FindAsync(new(source) { UserId = "ada" })).ShouldBe("ada");
        (await FindAsync(new(source) { Topic = "room-1" })).ShouldBe("room");
        (await FindAsync(new(source) { UserId = "ada", Topic = "room-1" })).ShouldBeEmpty();
        (await FindAsync(new(consumer))).ShouldBe("shared own");
        (await FindAsync(new(consumer) { Source = source })).ShouldBe("shared");
        (await FindAsync(new(consumer) { Source = consumer })).ShouldBe("own");
        (await FindAsync(new(source) { From = midnight.ToOffset(TimeSpan.FromHours(5)) })).ShouldBe("midnight");
        (await FindAsync(new(source) { To = midnight })).ShouldBe("all room ada shared");
        (await FindAsync(new(source) { From = midnight.AddSeconds(-1), To = midnight.ToOffset(TimeSpan.FromHours(-5)) })).ShouldBe("shared");
        (await FindAsync(new("app-nobody-has"))).ShouldBeEmpty();
    }

    [Fact]
    public async Task Query_ThatIsWrong_IsRefusedWithItsPointer()
    {
        var app = await Node.AddAppAsync();
        (HistoryQuery, string)[] wrong =
        [
            (new(app) { Limit = 0 }, "/limit"), (new(app) { Limit = 501 }, "/limit"), (new(app) { After = "nonsense" }, "/after"), (new(app) { After = "e30" }, "/after"),
            (new(app) { Type = "thing*" }, "/type"), (new(app) { Type = "Thing.*" }, "/type"),
        ];
        foreach (var (query, pointer) in wrong)
            (await Node.History.SearchAsync(Scopes.Whole(app), query, Cancel)).Refused(FaultCodes.Invalid).Errors!.Keys.ShouldBe([pointer]);
    }

    private async Task<HistoryPage> PageAsync(string app, HistoryQuery query) => (await Node.History.SearchAsync(Scopes.Whole(app), query, Cancel)).Required();

    private static (string Stream, long Position) Key(StoredEvent e) => (e.Stream, e.Position);
}
