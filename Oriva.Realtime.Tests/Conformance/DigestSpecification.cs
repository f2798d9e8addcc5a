using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteDigestTests(SqliteFixture fixture) : DigestSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresDigestTests(PostgresFixture fixture) : DigestSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>One notification for many events, and no more notifications than a user can bear.</summary>
public abstract class DigestSpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(10);

    private static readonly object s_digest = new
    {
        name = "r", on = TestManifest.Type, title = "{{ count }} comments", body = "{% for e in events %}{{ e.n }} {% endfor %}, last {{ data.n }}",
        channels = new[] { "in_app", "email" }, digest = new { window = 600, max = 5 },
    };

    [Fact]
    public async Task EventsOfAWindow_AreOneNotification_AtItsEnd()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, s_digest);
        for (var i = 1; i <= 3; i++)
        {
            await PublishAsync(node, app, data: $$"""{"n":{{i}}}""");
            Time.Advance(TimeSpan.FromMinutes(1));
        }

        (await DoWhatIsDueAsync(node)).ShouldBe(0);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(0);
        Time.Advance(s_window - TimeSpan.FromMinutes(3) - TimeSpan.FromMilliseconds(1));
        (await DoWhatIsDueAsync(node)).ShouldBe(0, "the window began with the first");
        Time.Advance(TimeSpan.FromMilliseconds(1));
        (await DoWhatIsDueAsync(node)).ShouldBe(1);

        var notification = (await node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        (notification.Title, notification.Body, notification.Type).ShouldBe(("3 comments", "1 2 3 , last 3", TestManifest.Type));
        notification.Data.GetProperty("count").GetInt32().ShouldBe(3);
        notification.Data.GetProperty("events")[2].GetProperty("n").GetInt32().ShouldBe(3);
        await DeliverAllAsync(node);
        Email.Attempts.Count.ShouldBe(1);
        await node.Outbox.RunOnceAsync(Cancel);
        (await node.NewsOfAsync(app, "ada")).ShouldHaveSingleItem().Type.ShouldBe("notification.created");

        // The next event opens the next digest.
        await PublishAsync(node, app, data: """{"n":4}""");
        Time.Advance(s_window);
        await DoWhatIsDueAsync(node);
        (await node.ListAsync(app, "ada")).Select(found => found.Title).ShouldBe(["1 comments", "3 comments"]);
    }

    [Fact]
    public async Task FullDigest_DoesNotWait()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, s_digest);
        for (var i = 1; i <= 7; i++)
            await PublishAsync(node, app, data: $$"""{"n":{{i}}}""");

        // Nobody has looked meanwhile: all seven are in it, and none is lost.
        (await DoWhatIsDueAsync(node)).ShouldBe(1);
        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Title.ShouldBe("7 comments");
        await PublishAsync(node, app, data: """{"n":8}""");
        (await DoWhatIsDueAsync(node)).ShouldBe(0);
    }

    [Fact]
    public async Task Key_AndUser_HaveDigestsOfTheirOwn()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, new
        {
            name = "r", on = TestManifest.Type, title = "{{ count }} in {{ data.room }}", to = "members", digest = new { window = 600, key = "{{ data.room }}" },
        });
        await node.AddMembersAsync(app, "bob");
        foreach (var room in new[] { "a", "b", "a" })
            await PublishAsync(node, app, user: null, data: $$"""{"room":"{{room}}"}""");

        Time.Advance(s_window);
        (await DoWhatIsDueAsync(node)).ShouldBe(4);

        foreach (var user in new[] { "ada", "bob" })
            (await node.ListAsync(app, user)).Select(found => found.Title).ShouldBe(["2 in a", "1 in b"], ignoreOrder: true);
    }

    [Fact]
    public async Task DigestForMembers_TellsTheText_AndKeepsTheDataFromWhomTheEventsAreNotFor()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, new { name = "r", on = TestManifest.Type, title = "Last {{ data.n }}", to = "members", digest = new { window = 600 } });
        await node.AddMembersAsync(app, "bob");
        await PublishAsync(node, app, "bob", """{"n":7}""");
        Time.Advance(s_window);
        (await DoWhatIsDueAsync(node)).ShouldBe(2);

        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            found => found.Title.ShouldBe("Last 7"), found => found.Data.GetRawText().ShouldBe("""{"count":1,"events":[{}]}"""));
        (await node.ListAsync(app, "bob")).ShouldHaveSingleItem().Data.GetRawText().ShouldBe("""{"count":1,"events":[{"n":7}]}""");
    }

    [Fact]
    public async Task HugeDigest_KeepsTheNewest_AndCountsAll()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, new { name = "r", on = TestManifest.Type, title = "{{ count }} of {{ events.size }}, last {{ data.n }}", digest = new { window = 600, max = 100 } });
        var text = new string('x', 30_000);
        for (var i = 1; i <= 5; i++)
            await PublishAsync(node, app, data: $$"""{"n":{{i}},"text":"{{text}}"}""");
        Time.Advance(s_window);
        await DoWhatIsDueAsync(node);

        var notification = (await node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        notification.Title.ShouldBe("5 of 2, last 5");
        notification.Data.GetProperty("events")[0].GetProperty("n").GetInt32().ShouldBe(4);
    }

    [Fact]
    public async Task RestartInTheMiddleOfTheWindow_LosesNothing_AndDoublesNothing()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartSteppedAsync(store);
        var app = await AppAsync(node, s_digest);
        await PublishAsync(node, app, data: """{"n":1}""");
        await PublishAsync(node, app, data: """{"n":2}""");
        await node.StopAsync();

        node = await StartSteppedAsync(store);
        await PublishAsync(node, app, data: """{"n":3}""");
        Time.Advance(s_window);
        // A node that claimed it and died: another takes over when the lease has lapsed.
        (await node.Get<NotificationStore>().ClaimDigestsAsync(10, 10, TimeSpan.FromMilliseconds(-1), Time.GetUtcNow())).Count.ShouldBe(1);
        await PublishAsync(node, app, data: """{"n":4}""");
        (await DoWhatIsDueAsync(node)).ShouldBe(1);
        (await DoWhatIsDueAsync(node)).ShouldBe(0);
        Time.Advance(s_window);
        (await DoWhatIsDueAsync(node)).ShouldBe(1, "what came after the claim is in the next digest");

        (await node.ListAsync(app, "ada")).Select(found => found.Body).ShouldBe(["4 , last 4", "1 2 3 , last 3"]);
    }

    [Fact]
    public async Task ClaimThatHasLapsed_MakesNoSecondNotification()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, s_digest);
        await PublishAsync(node, app);
        Time.Advance(s_window);
        var late = (await node.Get<NotificationStore>().ClaimDigestsAsync(10, 10, TimeSpan.FromMilliseconds(-1), Time.GetUtcNow())).ShouldHaveSingleItem();

        await DoWhatIsDueAsync(node);
        var composed = await node.Get<DigestComposer>().ComposeAsync(late, Cancel);
        (await node.Get<NotificationStore>().FinishDigestAsync(late, composed, Time.GetUtcNow(), (_, _) => null)).ShouldBeNull();

        (await node.ListAsync(app, "ada")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task DigestOfWhoHasLeft_OrOfARuleThatIsGone_GoesNowhere_AndSaysWhy()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, s_digest);
        await node.AddMembersAsync(app, "bob");
        await PublishAsync(node, app);
        await PublishAsync(node, app, "bob");
        await node.Directory.RemoveAsync(app, "bob", Cancel);
        Time.Advance(s_window / 2);
        await DoWhatIsDueAsync(node);
        Time.Advance(s_window / 2);
        await DoWhatIsDueAsync(node);
        (await DeliveriesAsync(node, app)).Where(row => row.UserId == "bob").ShouldAllBe(row => row.Status == DeliveryStatus.Suppressed && row.Reason == "left_app");

        await PublishAsync(node, app);
        await node.PutRulesAsync(app);
        Time.Advance(s_window);
        await DoWhatIsDueAsync(node);
        (await DeliveriesAsync(node, app)).Where(row => row.Reason == "rule_removed").ShouldNotBeEmpty();
        (await node.ListAsync(app, "ada")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Throttle_SuppressesWhatIsTooMany_InAWindowThatBeginsWithTheFirst()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, new
        {
            name = "r", on = TestManifest.Type, title = "{{ data.n }}", channels = new[] { "in_app", "email" }, throttle = new { count = 2, per = 60, key = "{{ data.room }}" },
        });
        async Task SendAsync(int n, string room = "a")
        {
            await PublishAsync(node, app, data: $$"""{"n":{{n}},"room":"{{room}}"}""");
            Time.Advance(TimeSpan.FromSeconds(20));
        }

        await SendAsync(1);
        await SendAsync(2);
        await SendAsync(3);
        await SendAsync(4);
        await SendAsync(5, "b");
        await DeliverAllAsync(node);

        (await node.ListAsync(app, "ada")).Select(found => found.Title).ShouldBe(["5", "4", "2", "1"]);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(4);
        Email.Attempts.Select(work => work.Title).Order(StringComparer.Ordinal).ShouldBe(["1", "2", "4", "5"]);
        (await DeliveriesAsync(node, app)).Count(row => row.Status == DeliveryStatus.Suppressed && row.Reason == "throttled").ShouldBe(2);
    }

    [Fact]
    public async Task Throttle_CountsEventsOfOneChunk_Together()
    {
        var node = await StartAsync();
        var app = await AppAsync(node, new { name = "r", on = TestManifest.Type, title = "t", throttle = new { count = 3, per = 60 } });
        for (var i = 0; i < 10; i++)
            await node.PublishAsync(Drafts.ToUser(app, "ada"));

        (await node.Get<NotificationRouter>().RunOnceAsync(Cancel)).ShouldBe(10);

        (await node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(3, 3, 3, (await node.CountAsync(app, "ada")).Rev));
    }

    private static async Task<string> AppAsync(LogHost node, params object[] rules)
    {
        var app = await node.AddAppAsync(rules);
        await node.AddMembersAsync(app, "ada");
        return app;
    }
}
