using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteRoutingTests(SqliteFixture fixture) : RoutingSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresRoutingTests(PostgresFixture fixture) : RoutingSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>From an event to the notifications of those whom it concerns.</summary>
public abstract class RoutingSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private static object Rule(string name = "r", string? to = null, string title = "{{ data.what }} happened", object? channels = null) => new
    {
        name, on = TestManifest.Type, title, body = "To {{ app.name }}", link = "/things/{{ data.id }}", to = to ?? "user", channels = channels ?? new[] { "in_app", "websocket" },
    };

    [Fact]
    public async Task RuleToUser_NotifiesTheEventsUser_AndNobodyElse()
    {
        var app = await Node.AddAppAsync(Rule());
        await Node.AddMembersAsync(app, "ada", "bob");

        var receipt = await Node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It", id = 7 }));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        (notification.Title, notification.Body, notification.Link).ShouldBe(("It happened", $"To Test app {app}", "/things/7"));
        (notification.Type, notification.App, notification.UserId, notification.Status).ShouldBe((TestManifest.Type, app, "ada", "delivered"));
        notification.Event.ShouldBe(new EventReference(app, receipt.Id));
        notification.Data.GetProperty("what").GetString().ShouldBe("It");
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(1, 1, 1, 1));
        (await Node.ListAsync(app, "bob")).ShouldBeEmpty();

        var created = (await Node.NewsOfAsync(app, "ada")).ShouldHaveSingleItem();
        (created.Type, created.Id, created.Actor).ShouldBe(("notification.created", notification.Id.ToString(), Caller.Service.Sub));
        var data = JsonElement.Parse(created.Data);
        data.GetProperty("notification").GetProperty("title").GetString().ShouldBe("It happened");
        data.GetProperty("notification").GetProperty("id").GetGuid().ShouldBe(notification.Id);
        data.GetProperty("counts").GetProperty("unread").GetInt32().ShouldBe(1);
    }

    [Fact]
    public async Task UserWhoIsNoMember_OrHasLeft_GetsNothing()
    {
        var app = await Node.AddAppAsync(Rule(), Rule("all", "members"));
        await Node.AddMembersAsync(app, "ada", "bob");
        await Node.Directory.RemoveAsync(app, "bob", Cancel);

        await Node.PublishAsync([Drafts.ToUser(app, "bob", new { what = "a" }), Drafts.ToUser(app, "stranger", new { what = "b" })]);
        await Node.RoutedAsync();

        await using var context = Node.Database.ForService();
        (await context.Notifications.Where(row => row.App == app).Select(row => row.UserId).Distinct().ToListAsync(Cancel)).ShouldBe(["ada"]);
    }

    [Fact]
    public async Task TypeWithoutRuleOrSubscription_IsNotQueued()
    {
        var app = await Node.AddAppAsync(new { name = "other", on = TestManifest.SharedType, title = "t" });
        await Node.AddMembersAsync(app, "ada");
        await Store.ExecuteAsync("SELECT 1");

        await Node.PublishAsync(Drafts.ToUser(app, "ada"));

        await Node.RoutedAsync();
        (await Node.ListAsync(app, "ada")).ShouldBeEmpty();
    }

    [Fact]
    public async Task RuleToMembers_NotifiesAll_OverManyChunks_EachOnce()
    {
        var app = await Node.AddAppAsync(Rule(to: "members"));
        var users = Enumerable.Range(0, 1_234).Select(i => $"u{i:0000}").ToList();
        await Node.AddManyMembersAsync(app, users);

        await Node.PublishAsync(Drafts.ToAll(app, new { what = "It" }));
        await Node.RoutedAsync();

        await using var context = Node.Database.ForService();
        (await context.Notifications.Where(row => row.App == app).Select(row => row.UserId).ToListAsync(Cancel)).Order(StringComparer.Ordinal).ShouldBe(users);
        (await context.InboxCounts.CountAsync(row => row.App == app && row.Unread == 1 && row.Rev == 1, Cancel)).ShouldBe(users.Count);
        (await context.Deliveries.CountAsync(row => row.App == app, Cancel)).ShouldBe(2 * users.Count);
    }

    [Fact]
    public async Task RuleToFollowers_NotifiesThoseWhoseSubscriptionMatches()
    {
        var app = await Node.AddAppAsync(Rule(to: "followers"));
        await Node.AddMembersAsync(app, "all", "prefix", "exact", "filtered", "unmatched", "roomer", "idle");
        await Node.FollowAsync(app, "all", new(app, "*"));
        await Node.FollowAsync(app, "prefix", new(app, "thing.*"));
        await Node.FollowAsync(app, "exact", new(app, TestManifest.Type));
        await Node.FollowAsync(app, "exact", new(app, "*"));
        await Node.FollowAsync(app, "filtered", new(app, "*", Filters: [Filter("price", "gt", 10)]));
        await Node.FollowAsync(app, "unmatched", new(app, "*", Filters: [Filter("price", "lt", 10)]));
        await Node.FollowAsync(app, "roomer", new(app, "*", Topic: "room-1"));

        await Node.PublishAsync(Drafts.ToAll(app, new { what = "It", price = 11 }));
        await Node.RoutedAsync();
        (await NotifiedAsync(app)).ShouldBe(["all", "exact", "filtered", "prefix"]);

        await Node.PublishAsync(Drafts.ToTopic(app, "room-1", new { what = "In the room" }));
        await Node.RoutedAsync();
        (await Node.ListAsync(app, "roomer")).ShouldHaveSingleItem().Title.ShouldBe("In the room happened");
        (await NotifiedAsync(app)).ShouldBe(["all", "exact", "filtered", "prefix", "roomer"]);
    }

    [Fact]
    public async Task SubscriptionThatNoRuleDescribes_GetsTheTypesTitle()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, "ada", "bob");
        await Node.FollowAsync(app, "ada", new(app, "thing.*", Channels: ["in_app"]));

        await Node.PublishAsync(Drafts.ToAll(app));
        await Node.PublishAsync(Drafts.ToUser(app, "bob"));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        (notification.Title, notification.Body).ShouldBe((TestManifest.Type, $"{TestManifest.Type} in Test app {app}"));
        (await Node.ListAsync(app, "bob")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Subscription_EndsWithItsDeletion_AndIsTheUsersAlone()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, "ada", "eve");
        var subscription = await Node.FollowAsync(app, "ada", new(app, "*"));
        var subscriptions = Node.Get<EventSubscriptions>();

        (await subscriptions.RemoveAsync(Callers.User("eve", app), subscription.Id, Cancel)).ShouldBeFalse();
        (await subscriptions.ListAsync(Callers.User("eve", app), app, null, Cancel)).Required().ShouldBeEmpty();
        (await subscriptions.ListAsync(Callers.User("eve", app), app, "ada", Cancel)).Refused("user_forbidden");
        (await subscriptions.ListAsync(Callers.Publisher(app), app, "ada", Cancel)).Required().ShouldHaveSingleItem().Id.ShouldBe(subscription.Id);
        (await subscriptions.RemoveAsync(Callers.User("ada", app), subscription.Id, Cancel)).ShouldBeTrue();

        await Node.PublishAsync(Drafts.ToAll(app));
        await Node.RoutedAsync();
        (await Node.ListAsync(app, "ada")).ShouldBeEmpty();
    }

    [Fact]
    public async Task SubscriptionToATopic_NeedsAccess_AndLosesItWithTheTopic()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, "ada", "vip");
        var subscriptions = Node.Get<EventSubscriptions>();
        (await subscriptions.AddAsync(Callers.User("ada", app), new(app, "*", Topic: "vip-1"), Cancel)).Refused("topic_forbidden");
        (await subscriptions.AddAsync(Callers.User("vip", app, $"{app}/vip-*"), new(app, "*", Topic: "vip-1"), Cancel)).Required();
        await Node.FollowAsync(app, "ada", new(app, "*", Topic: "room-1"));

        await Node.PublishAsync([Drafts.ToTopic(app, "vip-1"), Drafts.ToTopic(app, "room-1")]);
        await Node.RoutedAsync();
        (await NotifiedAsync(app)).ShouldBe(["ada", "vip"]);

        // Rooms are now for those who have them in their token; what membership gave is gone.
        var manifest = TestManifest.Of(app).Replace("\"access\":\"members\"", "\"access\":\"claim\"", StringComparison.Ordinal);
        await Node.PutManifestAsync(manifest);
        await Node.PublishAsync([Drafts.ToTopic(app, "vip-1"), Drafts.ToTopic(app, "room-1")]);
        await Node.RoutedAsync();
        (await Node.ListAsync(app, "ada")).Count.ShouldBe(1);
        (await Node.ListAsync(app, "vip")).Count.ShouldBe(2);
    }

    [Fact]
    public async Task BackEnd_ManagesSubscriptionsForAUser_UpToTheLimit()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, "ada");
        var (subscriptions, backEnd) = (Node.Get<EventSubscriptions>(), Callers.Publisher(app));

        var made = (await subscriptions.AddAsync(backEnd, new(app, "thing.*", Topic: "vip-1", UserId: "ada"), Cancel)).Required();
        made.UserId.ShouldBe("ada");
        await Node.PublishAsync(Drafts.ToTopic(app, "vip-1"));
        await Node.RoutedAsync();
        (await Node.ListAsync(app, "ada")).Count.ShouldBe(1, "what a back end makes, it vouches for");
        (await subscriptions.RemoveAsync(Callers.Publisher("elsewhere"), made.Id, Cancel)).ShouldBeFalse();
        (await subscriptions.RemoveAsync(backEnd, made.Id, Cancel)).ShouldBeTrue();

        for (var i = 0; i < EventSubscriptions.MostPerUser; i++)
            (await subscriptions.AddAsync(backEnd, new(app, "*", UserId: "ada"), Cancel)).Required();
        (await subscriptions.AddAsync(backEnd, new(app, "*", UserId: "ada"), Cancel)).Refused("limit_exceeded");
        (await subscriptions.AddAsync(backEnd, new(app, "no.such.*", UserId: "bob"), Cancel)).Refused("unknown_type");
    }

    [Fact]
    public async Task WrongSubscription_IsRefusedWithPointers()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, "ada");

        var refused = (await Node.Get<EventSubscriptions>().AddAsync(
            Callers.User("ada", app), new(app, "Not a type", Filters: [Filter("", "eq", 1), Filter("a", "like", 1)], Channels: ["pigeon"], UserId: "bob"), Cancel)).Refused("invalid");

        refused.Errors!.Keys.Order().ShouldBe(["/channels/0", "/filters/0/path", "/filters/1/op", "/type", "/userId"]);
    }

    [Fact]
    public async Task SharedEvent_IsRoutedByTheRulesOfTheAppThatTakesIt()
    {
        var (source, consumer) = await Node.AddSharingAppsAsync();
        await Node.PutRulesAsync(consumer, new { name = "r", on = TestManifest.SharedType, title = "From elsewhere", to = "user" });
        await Node.AddMembersAsync(source, "ada");
        await Node.AddMembersAsync(consumer, "ada");

        var receipt = await Node.PublishAsync(Drafts.Shared(source) with { UserId = "ada" });
        await Node.RoutedAsync();

        (await Node.ListAsync(consumer, "ada")).ShouldHaveSingleItem().Event.ShouldBe(new EventReference(source, receipt.Id));
        (await Node.ListAsync(source, "ada")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Texts_AreInTheUsersLanguage()
    {
        var app = await Node.AddAppAsync(new
        {
            name = "r", on = TestManifest.Type, to = "members", title = "{{ data.n }} new", body = "See them",
            locales = new Dictionary<string, object> { ["pt"] = new { title = "{{ data.n }} novos" }, ["de-AT"] = new { title = "{{ data.n }} neue", body = "Schau" } },
        });
        foreach (var (user, locale) in new[] { ("ada", "pt-BR"), ("bob", "de-AT"), ("cyd", "de"), ("dan", null) })
            await Node.Directory.PutAsync(app, user, new AppUserDetails(null, locale, null), Cancel);

        await Node.PublishAsync(Drafts.ToAll(app, new { n = 3 }));
        await Node.RoutedAsync();

        (await TextAsync("ada")).ShouldBe(("3 novos", "See them"));
        (await TextAsync("bob")).ShouldBe(("3 neue", "Schau"));
        (await TextAsync("cyd")).ShouldBe(("3 new", "See them"));
        (await TextAsync("dan")).ShouldBe(("3 new", "See them"));

        async Task<(string, string?)> TextAsync(string user)
        {
            var notification = (await Node.ListAsync(app, user)).ShouldHaveSingleItem();
            return (notification.Title, notification.Body);
        }
    }

    [Theory]
    [InlineData("{% for i in data.many %}{% assign x = i %}{% endfor %}x", "title: ")]
    [InlineData("{% for i in data.some %}{{ data.long }}{% endfor %}", "title: The template makes more than 4000 characters")]
    [InlineData("{% assign x = data.long %}{% for i in data.some %}{% assign x = x | append: x %}{% endfor %}y", "title: The filter 'append' makes more than")]
    [InlineData("{% assign x = data.long %}{% for i in data.some %}{% assign x = x | replace: 'x', 'xxxxxxxx' %}{% endfor %}y", "title: The filter 'replace' makes more than")]
    public async Task TemplateThatFails_IsSaidPlainly_AndRecorded(string title, string error)
    {
        var app = await Node.AddAppAsync(new { name = "r", on = TestManifest.Type, to = "members", title, body = "fine" });
        await Node.AddMembersAsync(app, "ada");
        var counted = 0L;
        using var listener = new MeterListener { InstrumentPublished = (instrument, started) =>
        {
            if (instrument.Name == "oriva.notifications.template_errors")
                started.EnableMeasurementEvents(instrument);
        } };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Interlocked.Add(ref counted, tags[0].Value as string == app ? value : 0));
        listener.Start();

        await Node.PublishAsync(Drafts.ToAll(app, new { many = Enumerable.Range(0, 5_000), some = Enumerable.Range(0, 100), @long = new string('x', 100) }));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        (notification.Title, notification.Body).ShouldBe((TestManifest.Type, "fine"));
        await using var context = Node.Database.ForService();
        (await context.Notifications.SingleAsync(row => row.App == app, Cancel)).TemplateError.ShouldNotBeNull().ShouldStartWith(error);
        counted.ShouldBe(1);
    }

    [Theory]
    [InlineData("{% for i in (1..5) %}{% endfor %}", false)]
    [InlineData("{% for i in (1..data.n) %}{% endfor %}", false)]
    [InlineData("{% assign r = ( 1 .. data.n ) %}", false)]
    [InlineData("{{ data.title", false)]
    [InlineData("{{ data.title | truncate: 10, '...' }} (a..b)", true)]
    public void Template_IsRefusedWithTheManifest_WhenItIsNoneOrHasARange(string title, bool isGood) =>
        (LiquidTemplate.Parse(title, out _) is not null).ShouldBe(isGood);

    [Fact]
    public async Task MembersWhomAnEventIsNotFor_AreToldWithoutItsData()
    {
        var app = await Node.AddAppAsync(Rule(to: "members"));
        await Node.AddMembersAsync(app, "ada", "bob");

        await Node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It", secret = 1 }));
        await Node.RoutedAsync();

        (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem().Data.GetRawText().ShouldContain("secret");
        var told = (await Node.ListAsync(app, "bob")).ShouldHaveSingleItem();
        (told.Title, told.Data.GetRawText()).ShouldBe(("It happened", "{}"));
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("//evil.example")]
    [InlineData("/\\evil.example")]
    [InlineData("data:text/html,x")]
    public async Task LinkMadeOfData_ThatIsNoPathOrWebAddress_IsLeftOut(string url)
    {
        var app = await Node.AddAppAsync(new { name = "r", on = TestManifest.Type, to = "members", title = "t", link = "{{ data.url }}", image = "{{ data.url }}" });
        await Node.AddMembersAsync(app, "ada");

        await Node.PublishAsync(Drafts.ToAll(app, new { url }));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        (notification.Link, notification.Image).ShouldBe((null, null));
    }

    [Fact]
    public async Task Actions_AreButtons()
    {
        var app = await Node.AddAppAsync(new
        {
            name = "r", on = TestManifest.Type, to = "members", title = "t", image = "https://img.example/{{ data.id }}.png",
            actions = new object[] { new { title = "Open {{ data.id }}", link = "/open/{{ data.id }}" }, new { title = "Bad", link = "javascript:x" } },
        });
        await Node.AddMembersAsync(app, "ada");

        await Node.PublishAsync(Drafts.ToAll(app, new { id = 5 }));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        notification.Image.ShouldBe("https://img.example/5.png");
        notification.Actions!.Value.GetRawText().ShouldBe("""[{"title":"Open 5","link":"/open/5"}]""");
    }

    [Fact]
    public async Task ChannelThatIsNotConfigured_IsSuppressedWithTheReason()
    {
        var app = await Node.AddAppAsync(Rule(channels: new[] { "in_app", "push" }));
        await Node.AddMembersAsync(app, "ada");

        await Node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It" }));
        await Node.RoutedAsync();

        var notification = (await Node.ListAsync(app, "ada")).ShouldHaveSingleItem();
        var deliveries = (await Node.Get<DeliveryRecords>().FindAsync(Callers.User("ada", app), notification.Id, Cancel)).Required();
        deliveries.Select(delivery => (delivery.Channel, delivery.Status, delivery.Reason)).ShouldBe([("in_app", "delivered", null), ("push", "suppressed", "channel_not_configured")]);
        (await Node.Get<DeliveryRecords>().FindAsync(Callers.User("eve", app), notification.Id, Cancel)).Refused("not_found");
    }

    [Fact]
    public async Task NotificationWithoutTheInbox_IsNotListedAndNotCounted_ButLive()
    {
        var app = await Node.AddAppAsync(Rule(channels: new[] { "websocket" }));
        await Node.AddMembersAsync(app, "ada");

        await Node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It" }));
        await Node.RoutedAsync();

        (await Node.ListAsync(app, "ada")).ShouldBeEmpty();
        (await Node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(0, 0, 0, 1));
        (await Node.NewsOfAsync(app, "ada")).ShouldHaveSingleItem().Type.ShouldBe("notification.created");
    }

    [Fact]
    public async Task EventClaimedTwice_MakesItsNotificationsOnce()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(on: store);
        var app = await node.AddAppAsync(Rule());
        await node.AddMembersAsync(app, "ada", "bob");
        await node.PublishAsync(Drafts.ToUser(app, "cyd", new { what = "0" }));
        await node.RoutedAsync();
        await node.Get<NotificationRouter>().StopAsync(Cancel); // from here on the test alone claims
        await node.PublishAsync([Drafts.ToUser(app, "ada", new { what = "1" }), Drafts.ToUser(app, "bob", new { what = "2" })]);
        var routing = node.Get<NotificationStore>();
        var (now, lapsed) = (TimeProvider.System.GetUtcNow(), TimeSpan.FromMilliseconds(-1));

        var first = await routing.ClaimRoutingAsync(10, [], lapsed, now);
        var second = await routing.ClaimRoutingAsync(10, [], TimeSpan.FromMinutes(1), now);
        first.Count.ShouldBe(2);
        second.Count.ShouldBe(2);
        (await routing.ClaimRoutingAsync(10, [], TimeSpan.FromMinutes(1), now)).ShouldBeEmpty();

        // The first claimant wakes up late: what it has to say is refused.
        var late = await routing.RouteAsync([new RoutingProgress(first[0], IsDone: true)], [Made(first[0], "ada")], [], TimeSpan.FromMinutes(1), now, (_, _) => null);
        late.Held.ShouldBeEmpty();
        late.Added.ShouldBeEmpty();

        var inTime = await routing.RouteAsync([new RoutingProgress(second[0], IsDone: false, "r", "ada")], [Made(second[0], "ada")], [], TimeSpan.FromMinutes(1), now, (_, _) => null);
        inTime.Added.Count.ShouldBe(1);
        var again = await routing.RouteAsync([new RoutingProgress(second[0], IsDone: true)], [Made(second[0], "ada"), Made(second[0], "bob")], [], TimeSpan.FromMinutes(1), now, (_, _) => null);
        again.Added.ShouldHaveSingleItem().UserId.ShouldBe("bob");
        await using var context = node.Database.ForService();
        (await context.RoutingQueue.CountAsync(Cancel)).ShouldBe(1);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(1);

        static NewNotification Made(RoutingWork work, string user) => new()
        {
            Id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), WorkId = work.Id, App = work.App, UserId = user, Rule = "r", Source = work.Source, EventId = work.EventId,
            Title = "t", Data = "{}", Deliveries = [new NewDelivery("in_app", "delivered")],
        };
    }

    [Fact]
    public async Task EventThatCannotBeRouted_IsRetriedAndThenADeadLetter_AndHoldsUpNobody()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(new LogHostSettings { Delivery = delivery => (delivery.RetryDelays, delivery.Poll) = ("0.01,0.01", TimeSpan.FromMilliseconds(20)) }, store);
        var app = await node.AddAppAsync(Rule());
        await node.AddMembersAsync(app, "ada", "bob");
        // The database refuses one of the notifications, as it would one that it cannot store.
        await RefuseTitlesAsync(store, "poison happened");

        await node.PublishAsync([
            Drafts.ToUser(app, "ada", new { what = "poison" }), Drafts.ToUser(app, "ada", new { what = "good" }), Drafts.ToUser(app, "bob", new { what = "fine" })]);
        await node.RoutedAsync();

        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Title.ShouldBe("good happened");
        (await node.ListAsync(app, "bob")).ShouldHaveSingleItem().Title.ShouldBe("fine happened");
        var letters = node.Get<DeadLetters>();
        var dead = (await letters.ListAsync(new DeadLetterFilter(Channel: DeadLetters.Routing), 10, null, Cancel)).Required();
        dead.Total.ShouldBe(1);
        (dead.Items[0].App, dead.Items[0].Attempts, dead.Items[0].Channel).ShouldBe((app, 3, "routing"));
        (await letters.GroupAsync(new DeadLetterFilter(), Cancel)).ShouldHaveSingleItem().Count.ShouldBe(1);

        await AcceptTitlesAsync(store);
        (await letters.RetryAsync(dead.Items[0].Id, Cancel)).ShouldBeTrue();
        await node.RoutedAsync();
        (await node.ListAsync(app, "ada")).Count.ShouldBe(2);
    }

    [Fact]
    public async Task EventOfAnAppWhoseManifestANodeCannotRead_IsNotLost()
    {
        var store = await Fixture.NewStoreAsync();
        string app, manifest;
        await using (var node = await LogHost.StartAsync(store))
        {
            app = await node.AddAppAsync(Rule());
            manifest = node.Registry.Find(app)!.ManifestText;
            await node.AddMembersAsync(app, "ada");
            await node.Get<Pauses>().AddAsync(Callers.Publisher(app), new PauseRequest(app, null, null, "upgrade"), Cancel);
            await node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It" }));
        }

        // As of a newer version that this node does not understand.
        await store.ExecuteAsync("DELETE FROM pauses");
        await store.ExecuteAsync($$"""UPDATE apps SET manifest = '{ "unknown": 1 }', version = version + 1 WHERE id = '{{app}}'""");
        var old = await StartNodeAsync(new LogHostSettings { Delivery = delivery => (delivery.RetryDelays, delivery.Poll) = ("0.01", TimeSpan.FromMilliseconds(20)) }, store);
        await Eventually("it is put aside", async () => (await old.Get<DeadLetters>().GroupAsync(new DeadLetterFilter(), Cancel)).Count == 1);
        var dead = (await old.Get<DeadLetters>().ListAsync(new DeadLetterFilter(Channel: DeadLetters.Routing), 10, null, Cancel)).Required().Items.ShouldHaveSingleItem();
        dead.LastError.ShouldNotBeNull().ShouldContain("knows no manifest");

        await store.ExecuteAsync($"UPDATE apps SET manifest = '{manifest}', version = version + 1 WHERE id = '{app}'");
        await old.Registry.RefreshAsync(Cancel);
        (await old.Get<DeadLetters>().RetryAsync(dead.Id, Cancel)).ShouldBeTrue();
        await Eventually("it is routed", async () => (await old.ListAsync(app, "ada")).Count == 1);
    }

    [Fact]
    public async Task EventForEverybody_DelaysNoOtherApp()
    {
        var store = await Fixture.NewStoreAsync();
        var node = await StartNodeAsync(on: store);
        var (large, small) = (await node.AddAppAsync(Rule(to: "members")), await node.AddAppAsync(Rule()));
        await node.AddManyMembersAsync(large, Enumerable.Range(0, 3_000).Select(i => $"u{i:0000}"));
        await node.AddMembersAsync(small, "ada");

        for (var i = 0; i < 3; i++)
            await node.PublishAsync(Drafts.ToAll(large, new { what = $"{i}" }));
        await node.PublishAsync(Drafts.ToUser(small, "ada", new { what = "It" }));

        await Eventually("the small one is routed", async () => (await node.ListAsync(small, "ada")).Count == 1);
        await using var context = node.Database.ForService();
        (await context.RoutingQueue.CountAsync(row => row.App == large, Cancel)).ShouldBeGreaterThan(0, "it was routed while the large ones were under way");
        await node.RoutedAsync();
        (await context.Notifications.CountAsync(row => row.App == large, Cancel)).ShouldBe(9_000);
    }

    [Fact]
    public async Task PausedApp_IsRoutedWhenThePauseEnds()
    {
        var app = await Node.AddAppAsync(Rule());
        await Node.AddMembersAsync(app, "ada");
        var pauses = Node.Get<Pauses>();
        var pause = (await pauses.AddAsync(Callers.Publisher(app), new PauseRequest(app, null, null, "a flood"), Cancel)).Required();
        await Node.PublishAsync(Drafts.ToUser(app, "ada", new { what = "It" }));

        (await Node.Get<NotificationStore>().ClaimRoutingAsync(10, [], TimeSpan.FromSeconds(1), TimeProvider.System.GetUtcNow().AddHours(1))).ShouldNotContain(work => work.App == app);
        (await Node.ListAsync(app, "ada")).ShouldBeEmpty();
        (await pauses.RemoveAsync(pause.Id, Cancel)).ShouldBeTrue();

        await Eventually("it is routed", async () => (await Node.ListAsync(app, "ada")).Count == 1);
    }

    private async Task<List<string>> NotifiedAsync(string app)
    {
        await using var context = Node.Database.ForService();
        return [.. (await context.Notifications.Where(row => row.App == app).Select(row => row.UserId).ToListAsync(Cancel)).Order(StringComparer.Ordinal)];
    }

    private static FilterRequest Filter(string path, string op, object value) => new(path, op) { Value = JsonSerializer.SerializeToElement(value) };

    private static Task<int> RefuseTitlesAsync(TestStore store, string title) => store is PostgresStore
        ? store.ExecuteAsync($"ALTER TABLE notifications ADD CONSTRAINT no_poison CHECK (title <> '{title}')")
        : store.ExecuteAsync($"CREATE TRIGGER no_poison BEFORE INSERT ON notifications WHEN new.title = '{title}' BEGIN SELECT RAISE(ABORT, 'poison'); END");

    private static Task<int> AcceptTitlesAsync(TestStore store) =>
        store.ExecuteAsync(store is PostgresStore ? "ALTER TABLE notifications DROP CONSTRAINT no_poison" : "DROP TRIGGER no_poison");
}
