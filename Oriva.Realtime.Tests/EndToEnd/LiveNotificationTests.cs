using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class LiveNotificationOnSqliteTests(SqliteHub fixture) : LiveNotificationSpecification(fixture), IClassFixture<SqliteHub>;

public sealed class LiveNotificationOnPostgresTests(PostgresHub fixture) : LiveNotificationSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>A thousand notifications to one user with two devices, of which one is cut off for half of them.</summary>
public abstract class LiveNotificationSpecification(HubFixture fixture) : HubTests(fixture)
{
    private const int Count = 1_000;

    private readonly string _user = New("user");

    private string Own => $"{WorkBuddy}/users/{_user}";

    [Fact]
    public async Task AllArrive_AreAcknowledged_AndCountedAlikeEverywhere()
    {
        await using var steady = await ConnectAsync();
        await steady.SubscribeAsync(new { app = WorkBuddy });
        object cursor;
        await using (var cut = await ConnectAsync())
        {
            var answer = await cut.SubscribeAsync(new { app = WorkBuddy });
            await PublishAsync(0, Count / 2);
            await HasAsync(cut, Count / 2);
            await cut.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [Own] = cut.Received.Positions[Own] } });
            cursor = new { epoch = answer.Text("epoch"), streams = new Dictionary<string, long> { [Own] = cut.Received.Positions[Own] } };
        }

        await PublishAsync(Count / 2, Count / 2);
        await HasAsync(steady, Count);
        await using var back = await ConnectAsync();
        await back.SubscribeAsync(new { app = WorkBuddy, cursor });
        await HasAsync(back, Count / 2);

        // Each has the counts after it, so the badge is right throughout: nothing was read yet, and each change is one notification more.
        foreach (var device in new[] { steady, back })
            CreatedOn(device).Select(e => Badge.Of(e.At("data", "counts"))).ShouldAllBe(badge => badge.Total == badge.Rev && badge.Unread == badge.Rev && badge.Unseen == badge.Rev);

        // Each once, on the log's word; and each device's badge is the service's.
        CreatedOn(steady).Ids().Distinct().Count().ShouldBe(Count);
        CreatedOn(back).Ids().Intersect(CreatedOn(steady).Ids().TakeLast(Count / 2)).Count().ShouldBe(Count / 2);
        var counts = await CountsAsync();
        (counts.Unread, counts.Total, BadgeOn(steady), BadgeOn(back)).ShouldBe((Count, Count, counts, counts));
        var byPolling = await PollAllAsync();
        byPolling.Ids().Order(StringComparer.Ordinal).ShouldBe(CreatedOn(steady).Ids().Order(StringComparer.Ordinal));
        byPolling.Select(e => Badge.Of(e.At("data", "counts"))).MaxBy(badge => badge.Rev).ShouldBe(counts);

        // One is read on one device: the other's badge follows without a request, and so does who polls.
        var first = CreatedOn(steady)[0].Text("data", "notification", "id");
        var marked = await back.InvokeAsync("MarkNotifications", new { ids = new[] { first }, state = "read" });
        marked.Number("unread").ShouldBe(Count - 1);
        await Waiting.Eventually("both badges follow", async () => BadgeOn(steady) is var badge && badge.Unread == Count - 1 && badge == BadgeOn(back) && badge == await CountsAsync());
        var polled = (await AsUser(_user).PollAsync(new { app = WorkBuddy, cursor, limit = 1_000, interests = new[] { new { types = new[] { "notification.read" } } } })).ShouldBe(200).Items("events");
        polled.ShouldHaveSingleItem().Number("data", "counts", "unread").ShouldBe(Count - 1);
        await back.RefusedAsync("invalid", "MarkNotifications", new { ids = new[] { first }, state = "read,unread" });
        await back.RefusedAsync("not_found", "MarkNotifications", new { ids = new[] { Guid.Empty.ToString() }, state = "read" });

        await steady.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [Own] = steady.Received.Positions[Own] } });
        await Hub.Get<EvidenceLog>().SaveAsync(TestContext.Current.CancellationToken);
        (await Fixture.Store.QueryAsync<string>($"SELECT DISTINCT status FROM notification_delivery WHERE user_id = '{_user}' AND channel IN ('in_app', 'websocket')")).ShouldBe(["delivered"]);
    }

    private Task<HubClient> ConnectAsync() => HubClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));

    private async Task PublishAsync(int from, int count)
    {
        // The type is one that a rule is on.
        foreach (var chunk in Enumerable.Range(from, count).Chunk(100))
        {
            (await Publisher.PublishAsync(chunk.Select(n => new
            {
                source = WorkBuddy, type = "task.assigned", userId = _user, id = $"{_user}-{n}", data = new { taskId = $"t-{n}", title = "Ship it", assignedBy = "bob" },
            }))).ShouldBe(201);
        }
    }

    /// <summary>As a third device would that knows nothing but polling.</summary>
    private async Task<IReadOnlyList<System.Text.Json.JsonElement>> PollAllAsync()
    {
        var created = new List<System.Text.Json.JsonElement>();
        object request = new { app = WorkBuddy, from = "start", limit = 300 };
        while (true)
        {
            var answer = (await AsUser(_user).PollAsync(request)).ShouldBe(200);
            var events = answer.Items("events");
            if (events.Count == 0)
                return created;
            created.AddRange(events.Where(e => e.Text("type") == "notification.created"));
            request = new { app = WorkBuddy, cursor = answer.At("cursor"), limit = 300 };
        }
    }

    private static Task HasAsync(HubClient device, int notifications) =>
        Waiting.Eventually($"{notifications} notifications on a device", () => CreatedOn(device).Count >= notifications, TimeSpan.FromSeconds(60));

    private static IReadOnlyList<System.Text.Json.JsonElement> CreatedOn(HubClient device) =>
        [.. device.Received.Events.Where(e => e.Text("type") == "notification.created")];

    private static Badge BadgeOn(HubClient device) => device.Received.Events.Where(e => e.Text("type").StartsWith("notification.", StringComparison.Ordinal))
        .Select(e => e.At("data", "counts")).Select(Badge.Of).MaxBy(badge => badge.Rev)!;

    private async Task<Badge> CountsAsync() => Badge.Of((await AsUser(_user).GetAsync($"/api/v1/notifications/counts?app={WorkBuddy}")).ShouldBe(200));

    private sealed record Badge(long Total, long Unread, long Unseen, long Rev)
    {
        public static Badge Of(System.Text.Json.JsonElement json) => new(json.Number("total"), json.Number("unread"), json.Number("unseen"), json.Number("rev"));
    }
}
