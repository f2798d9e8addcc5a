using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Core.Tracing;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteTraceTests(SqliteFixture fixture) : TraceSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresTraceTests(PostgresFixture fixture) : TraceSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>"Why did I not get it?": situations, each arranged as it happens, and what a trace says of them.</summary>
public abstract class TraceSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private const string Ada = "ada";
    private const string Secret = "what-is-in-the-event";

    /// <summary>Publishes, and lets happen to it what the situation is about.</summary>
    private delegate Task<EventKey> Situation(TraceSpecification test);

    private static readonly Dictionary<string, (Situation Arrange, string Verdict, string Reason)> s_situations = new(StringComparer.Ordinal)
    {
        ["pushed and acknowledged"] = (test => test.PushAsync(acknowledges: true), "acknowledged", "live"),
        ["pushed, not acknowledged"] = (test => test.PushAsync(acknowledges: false), "pushed", "live"),
        ["offline, and replayed when it came back"] = (test => test.ReplayAsync(), "replayed", "live"),
        ["offline"] = (test => test.PublishAsync(), "offline", "no_connection"),
        ["passed over by the live filter"] = (test => test.FilterAsync(), "filtered", "interest"),
        ["pushed in an app that it is shared with"] = (test => test.ShareAsync(TestManifest.SharedType, connected: true), "pushed", "live"),
        ["other app: not shared with it"] = (test => test.ShareAsync(TestManifest.Type), "not_entitled", "not_shared"),
        ["other app: not consumed by it"] = (test => test.ShareAsync(TestManifest.SharedType, consumes: false), "not_entitled", "not_consumed"),
        ["other app: the topic is not declared there"] = (test => test.ShareAsync(TestManifest.SharedType, topic: "hall-1"), "not_entitled", "topic_not_declared"),
        ["topic that nobody follows"] = (test => test.PublishAsync(draft => draft with { Topic = "room-1" }), "not_subscribed", "topic_not_followed"),
        ["durable subscription whose filter does not match"] = (test => test.FollowAsync(Filter("level", "gt", 5)), "filtered", "subscription_filter"),
        ["durable subscription that matches"] = (test => test.FollowAsync(Filter("level", "gt", 0)), "notified", "in_app"),
        ["rule for followers, and no subscription"] = (test => test.FollowAsync(null), "not_subscribed", "no_subscription"),
        ["of another user"] = (test => test.PublishAsync(draft => draft with { UserId = "bob" }), "not_entitled", "other_user"),
        ["never a member"] = (test => test.PublishAsync(member: false), "not_member", "never_joined"),
        ["left before"] = (test => test.PublishAsync(before: (node, app) => node.Directory.RemoveAsync(app, Ada, Cancel)), "not_member", "left_app"),
        ["joined later"] = (test => test.PublishAsync(member: false, then: (node, app) => node.AddMembersAsync(app, Ada)), "not_member", "joined_later"),
        ["in the inbox"] = (test => test.NotifyAsync(), "notified", "in_app"),
        ["read in the inbox"] = (test => test.NotifyAsync(mark: InboxMark.Read), "read", "read"),
        ["seen in the inbox"] = (test => test.NotifyAsync(mark: InboxMark.Seen), "read", "seen"),
        ["channel that the service lacks"] = (test => test.NotifyAsync("email"), "suppressed", "channel_not_configured"),
        ["held in routing by a pause"] = (test => test.PauseAsync(), "waiting", "routing"),
        ["sent by e-mail"] = (test => test.SendAsync(ChannelResult.Sent), "notified", "email"),
        ["e-mail that fails and is tried again"] = (test => test.SendAsync(ChannelResult.Failed("421 later")), "retrying", "failed"),
        ["e-mail that is refused"] = (test => test.SendAsync(ChannelResult.Refused("550 no such mailbox")), "dead", "refused"),
        ["e-mail that failed too often"] = (test => test.SendAsync(ChannelResult.Failed("421 later"), delays: "0.01"), "dead", "failed"),
        ["muted"] = (test => test.DeliverAsync(new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email }, before: (node, app) => SetAsync(node, app, new PreferenceMatrix(true, null, null))), "suppressed", "muted"),
        ["not wanted by this channel"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email }, before: (node, app) => node.Get<Preferences>().MuteAsync(app, Ada, TestManifest.Type, "email", Cancel)), "suppressed", "preference"),
        ["throttled"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email, throttle = new { count = 1, per = 3_600 } }, before: PublishAndRouteAsync), "throttled", "throttled"),
        ["dropped because it was acknowledged"] = (test => test.StoreAsync(Delivery("email", DeliveryStatus.Cancelled, "acknowledged")), "suppressed", "acknowledged"),
        ["quiet hours"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email },
            before: (node, app) => SetAsync(node, app, new PreferenceMatrix(false, null, new QuietHours($"{Now().AddHours(-2):HH:mm}", $"{Now().AddHours(2):HH:mm}", "UTC"))), until: row => row.Reason == "quiet_hours"), "held", "quiet_hours"),
        ["held unless acknowledged"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = new[] { "websocket", "email" }, unlessAckedWithin = 3_600 }), "held", "unless_acked"),
        ["put off by an open circuit"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email }, before: PublishAndRouteAsync, until: row => row.Reason == "circuit_open", answer: ChannelResult.Failed("421 away"), circuitFailures: 1), "held", "circuit_open"),
        ["due and not sent yet"] = (test => test.StoreAsync(Delivery("email", DeliveryStatus.Pending, null, due: TimeSpan.Zero)), "waiting", "due"),
        ["recalled"] = (test => test.NotifyAsync(then: async (node, app) =>
            (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), (await node.ListAsync(app, Ada)).ShouldHaveSingleItem().Id, Cancel)).Required()), "recalled", "recalled"),
        ["notification waits for a connection"] = (test => test.StoreAsync(Delivery("websocket", DeliveryStatus.Pending, null)), "offline", "no_connection"),
        ["notification acknowledged"] = (test => test.StoreAsync(Delivery("websocket", DeliveryStatus.Delivered, null)), "acknowledged", "websocket"),
        ["in a digest that collects"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email, digest = new { window = 3_600 } }), "digested", "collecting"),
        ["in a digest that was sent"] = (test => test.DeliverAsync(
            new { name = "r", on = TestManifest.Type, title = "Hello", channels = s_email, digest = new { window = 3_600, max = 1 } }, until: row => row.Status == DeliveryStatus.Sent), "digested", "in_digest"),
    };

    private static readonly string[] s_email = ["email"];

    public static TheoryData<string> Situations => [.. s_situations.Keys];

    private LogHost? _own;

    private LogHost Host => _own ?? Node;

    [Theory]
    [MemberData(nameof(Situations))]
    public async Task Situation_IsTold(string name)
    {
        var (arrange, verdict, reason) = s_situations[name];
        var key = await arrange(this);

        var trace = await TraceAsync(key, Ada);

        var json = JsonSerializer.Serialize(trace, WireJson.Options);
        var user = trace.User.ShouldNotBeNull();
        (user.Verdict, user.Reason).ShouldBe((verdict, reason), json);
        user.Explanation.ShouldEndWith(".", customMessage: json);
        Verdicts.BestFirst.ShouldContain(user.Verdict);
        user.Steps.ShouldNotBeEmpty();
        user.Missing.Count.ShouldBe(user.Missing.Distinct().Count());
        if (verdict is "read" or "acknowledged" or "pushed" or "replayed" or "notified")
            user.Missing.ShouldBeEmpty(json);
        else if (verdict != "digested" && reason != "routing")
            user.Missing.ShouldNotBeEmpty(json);
        json.ShouldNotContain(Secret, customMessage: "a trace is told without the event's data");
    }

    [Fact]
    public async Task MissingThings_AreNamed()
    {
        var key = await ShareAsync(TestManifest.Type);
        var trace = await TraceAsync(key, Ada);
        var consumer = trace.NotShared.ShouldHaveSingleItem();
        consumer.Reason.ShouldBe("not_shared");
        trace.User!.Missing[0].ShouldBe($"the app '{key.Source}' would have to share 'thing.happened' with '{consumer.App}'");
        trace.User.Steps.ShouldContain(step => step.App == consumer.App && step.Step == "not_shared");
    }

    /// <summary>Users are members of many apps: one that has nothing to do with the event is no reason.</summary>
    [Fact]
    public async Task OtherAppsOfAUser_AreNoReason_WhenTheUserHadLeft()
    {
        var (source, consumer) = await Node.AddSharingAppsAsync();
        await Node.AddMembersAsync(source, Ada);
        await Node.AddMembersAsync(consumer, Ada);
        await Node.Directory.RemoveAsync(source, Ada, Cancel);
        var receipt = await Node.PublishAsync(Drafts.ToAll(source));

        var user = (await TraceAsync(new EventKey(source, receipt.Id), Ada)).User!;
        (user.Verdict, user.Reason).ShouldBe(("not_member", "left_app"));
        user.Missing.ShouldHaveSingleItem().ShouldStartWith($"'ada' would have to be a member of '{source}' at ");
        user.Steps.ShouldContain(step => step.Step == "not_shared" && step.App == consumer);
    }

    [Fact]
    public async Task EachAttempt_IsAStep_WithItsError()
    {
        var trace = await TraceAsync(await SendAsync(ChannelResult.Failed("421 later"), delays: "0.01,0.01"), Ada);

        trace.User!.Steps.Where(step => step.Step == "attempt").Select(step => (step.Status, step.Error, step.Channel)).ShouldBe(Enumerable.Repeat<(string?, string?, string?)>(("failed", "421 later", "email"), 3));
        var delivery = trace.User.Steps.Single(step => step.Step == "delivery");
        (delivery.Status, delivery.Error).ShouldBe(("dead", "421 later"));
        trace.User.Steps.Single(step => step.Step == "notification").Title.ShouldBe("Hello");
    }

    [Fact]
    public async Task ATrace_JudgesByTheManifestThatStood()
    {
        var app = await Node.AddAppAsync(Rule("first"));
        await Node.AddMembersAsync(app, Ada);
        var before = Node.Registry.Find(app)!.Version;
        var key = new EventKey(app, (await Node.PublishAsync(Drafts.ToUser(app, Ada))).Id);
        await Node.RoutedAsync();
        await Node.PutRulesAsync(app, Rule("second"), Rule("third"));

        var traced = (await TraceAsync(key, null)).Apps.ShouldHaveSingleItem();
        (traced.ManifestVersion, traced.Routing).ShouldBe((before, "done"));
        traced.Rules.ShouldHaveSingleItem().ShouldBe(new TracedRule("first", Matched: true, "to_user"));
        (await TraceAsync(key, Ada)).Apps[0].Rules.ShouldHaveSingleItem().ShouldBe(new TracedRule("first", Matched: true, "notified"));
    }

    [Fact]
    public async Task Manifests_AreKeptWithEachPut_AndThoseFromBeforeAreKeptAtTheNext()
    {
        var store = await Fixture.NewStoreAsync();
        string one, other;
        await using (var node = await LogHost.StartAsync(store))
        {
            (one, other) = (await node.AddAppAsync(Rule("r")), await node.AddAppAsync());
            (await VersionsAsync(node, one)).ShouldBe([1, 2]);
            await store.ExecuteAsync("DELETE FROM manifest_versions");
            await node.PutRulesAsync(one, Rule("r"), Rule("s"));
            (await VersionsAsync(node, one)).ShouldBe([2, 3]);
            (await VersionsAsync(node, other)).ShouldBeEmpty();
        }

        await using var again = await LogHost.StartAsync(store);
        (await VersionsAsync(again, one)).ShouldBe([2, 3]);
        (await VersionsAsync(again, other)).ShouldBe([1]);
        await using var context = again.Database.ForService();
        var row = await context.Apps.SingleAsync(app => app.Id == other, Cancel);
        var kept = await context.ManifestVersions.SingleAsync(version => version.App == other, Cancel);
        (kept.ValidFrom, kept.Manifest).ShouldBe((row.UpdatedAt, row.Manifest));
    }

    [Fact]
    public async Task Evidence_HasTheInterests_AndWhenTheSubscriptionWasMade()
    {
        var app = await Node.AddAppAsync();
        var before = StoreTime.Truncate(TimeProvider.System.GetUtcNow());
        await using var session = RunningSession.Open(Node, Callers.User(Ada, app));
        await using var other = RunningSession.Open(Node, Callers.User("bob", app));
        // A path may hold what not every type of column takes.
        await session.SubscribeAsync(new SubscribeRequest(app, Interests: [new InterestRequest([TestManifest.Type]), new InterestRequest(Filters: [Filter("a\u0000\ud800", "exists", true)])]));
        await other.SubscribeAsync(new SubscribeRequest(app, Interests: []));
        await Node.PublishAsync(Drafts.ToAll(app));
        await session.ReachAsync(app, 1);
        await other.ReachAsync(app, 1);
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);

        await using var context = Node.Database.ForService();
        var rows = await context.ConnectionEvidence.Where(row => row.Stream == app).ToDictionaryAsync(row => row.UserId, Cancel);
        rows[Ada].Interests.ShouldNotBeNull().ShouldStartWith("""[{"types":["thing.happened"],"topic":null,"filters":null}""");
        rows["bob"].Interests.ShouldBeNull();
        rows[Ada].OpenedAt.ShouldBeInRange(before, (await context.Events.SingleAsync(row => row.Stream == app, Cancel)).RecordedAt);
    }

    [Fact]
    public async Task InterestsTooLongToKeep_AreSaidToBe()
    {
        var app = await Node.AddAppAsync();
        await Node.AddMembersAsync(app, Ada);
        await using var session = RunningSession.Open(Node, Callers.User(Ada, app));
        await session.SubscribeAsync(new SubscribeRequest(app, Interests: [new InterestRequest([TestManifest.Type]), .. Enumerable.Range(0, 5).Select(i => new InterestRequest(Filters: [Filter("a", "eq", new string('x', 4_000))]))]));
        var receipt = await Node.PublishAsync(Drafts.ToAll(app));
        await session.ReachAsync(app, 1);
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);

        var user = (await TraceAsync(new EventKey(app, receipt.Id), Ada)).User!;
        (user.Verdict, user.Reason).ShouldBe(("unknown", "interests_not_kept"));
    }

    /// <summary>Nothing that matches comes for long: the beacon tells that somebody was there.</summary>
    [Fact]
    public async Task WhatIsPassedOver_IsKnownWithTheNextBeacon()
    {
        var time = new FakeTimeProvider(StoreTime.Truncate(TimeProvider.System.GetUtcNow()));
        var node = _own = await StartNodeAsync(new LogHostSettings { Time = time });
        var app = await node.AddAppAsync();
        await node.AddMembersAsync(app, Ada);
        await using var session = RunningSession.Open(node, Callers.User(Ada, app), new CollectingOutput { ExpectsEveryPosition = false });
        await session.SubscribeAsync(new SubscribeRequest(app, Interests: [new InterestRequest(["user.*"])]));
        var receipt = await node.PublishAsync(Drafts.ToAll(app));

        await Eventually("it is known", async () =>
        {
            time.Advance(TimeSpan.FromSeconds(5));
            await node.Get<EvidenceLog>().SaveAsync(Cancel);
            return (await TraceAsync(new EventKey(app, receipt.Id), Ada, time)).User!.Verdict == "filtered";
        });
    }

    [Fact]
    public async Task WithoutEvidenceAnyMore_NothingIsClaimed()
    {
        var key = await PublishAsync();
        (await TraceAsync(key, Ada, After(TimeSpan.FromDays(8)))).User!.ShouldSatisfyAllConditions(
            user => user.Verdict.ShouldBe("unknown"), user => user.Reason.ShouldBe("evidence_gone"));
        (await TraceAsync(key, Ada, After(TimeSpan.FromSeconds(1)))).User!.Reason.ShouldBe("too_recent");
    }

    [Fact]
    public async Task EventThatRetentionDropped_IsToldFromItsReceiptAndItsNotifications()
    {
        var key = await NotifyAsync();
        await Store.ExecuteAsync($"DELETE FROM events WHERE id = '{key.Id}'");

        var trace = await TraceAsync(key, Ada);
        (trace.Event.Kept, trace.Event.Type, trace.Event.UserId, trace.User!.Verdict).ShouldBe((false, null, Ada, "notified"));
        (await TraceAsync(key, "bob")).User!.Reason.ShouldBe("event_dropped");
    }

    [Fact]
    public async Task WithoutAUser_RecipientsAreCounted()
    {
        var app = await Node.AddAppAsync(Rule("r", to: "members", channels: ["in_app", "email"]), Rule("s", to: "members", channels: ["email"]));
        await Node.AddMembersAsync(app, Ada, "bob", "eve");
        var receipt = await Node.PublishAsync(Drafts.ToAll(app));
        await Node.RoutedAsync();

        var trace = await TraceAsync(new EventKey(app, receipt.Id), null);
        trace.Recipients.ShouldBe(new Dictionary<string, int> { ["delivered"] = 3, ["suppressed"] = 3 });
        trace.User.ShouldBeNull();
        (await TraceAsync(await PublishAsync(), null)).Recipients.ShouldNotBeNull().ShouldBeEmpty();
    }

    [Fact]
    public async Task UnknownEvents_AreNotFound()
    {
        var tracer = Node.Get<EventTracer>();
        (await tracer.TraceAsync("no-such-app", "e-1", null, Cancel)).Refused("not_found");
        (await tracer.TraceAsync("no-such-app", "e-1", "a b", Cancel)).Refused("invalid");
    }

    [Fact]
    public async Task Timeline_HasWhatTheUserWasSentSawAndMissed_PageByPage()
    {
        var app = await Node.AddAppAsync(Rule("r"));
        await Node.AddMembersAsync(app, Ada, "bob");
        var missed = await Node.PublishAsync(Drafts.ToUser(app, Ada, new { data = Secret }));
        await Node.PublishAsync(Drafts.ToUser(app, "bob", new { data = Secret }));
        await Node.PublishAsync(Drafts.ToAll(app));
        var session = RunningSession.Open(Node, Callers.User(Ada, app));
        // From behind what was missed, whether its notification is in the log by now or not.
        var cursor = new Cursor(Node.Epoch.Value, new Dictionary<string, long> { [app] = 1, [$"{app}/users/{Ada}"] = 1 }.ToImmutableDictionary());
        await session.SubscribeAsync(new SubscribeRequest(app, Cursor: cursor));
        // One commit: their times are the same, and pages end between them.
        var sent = await Node.PublishAsync([.. Enumerable.Range(0, 12).Select(_ => Drafts.ToAll(app))]);
        await session.ReachAsync(app, 13);
        session.Ack(app, app, 9);
        await Node.RoutedAsync();
        await session.ReachAsync($"{app}/users/{Ada}", 2);
        var notification = (await Node.ListAsync(app, Ada)).ShouldHaveSingleItem();
        (await Node.Get<Inbox>().MarkAsync(Callers.User(Ada, app), [notification.Id], InboxMark.Read, Cancel)).Fault.ShouldBeNull();
        // Until all that still moves is saved.
        await session.ReachAsync($"{app}/users/{Ada}", 3);
        await session.DisposeAsync();
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);

        var timeline = new UserTimeline(Node.Database, After(TimeSpan.FromMinutes(1)));
        var query = new TimelineQuery(app, Limit: TimelineQuery.MaxLimit);
        var all = (await timeline.ReadAsync(Ada, query, Cancel)).Required();
        all.Next.ShouldBeNull();
        var paged = new List<TimelineItem>();
        string? after = null;
        do
        {
            var page = (await timeline.ReadAsync(Ada, query with { Limit = 5, After = after }, Cancel)).Required();
            page.Items.Count.ShouldBeInRange(1, 5);
            paged.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null && paged.Count < 100);

        var json = JsonSerializer.Serialize(all.Items, WireJson.Options);
        JsonSerializer.Serialize(paged, WireJson.Options).ShouldBe(json);
        json.ShouldNotContain(Secret);
        all.Items.Select(item => item.At).ShouldBeInOrder(SortDirection.Descending);
        all.Items.ShouldAllBe(item => item.App == app);
        var events = all.Items.Where(item => item.Kind == "event").ToDictionary(item => item.Event!.Id);
        (events[missed.Id].Status, events[missed.Id].Stream).ShouldBe(("offline", $"{app}/users/{Ada}"));
        sent.Select(receipt => events[receipt.Id].Status).ShouldBe([.. Enumerable.Repeat("acknowledged", 8), .. Enumerable.Repeat("pushed", 4)]);
        events.Values.ShouldNotContain(item => item.Stream == app && item.Seq == 1, "no session went through it");
        events.Values.ShouldNotContain(item => item.Stream == $"{app}/users/bob");
        all.Items.Single(item => item.Kind == "notification").Deliveries!.Select(delivery => delivery.Channel).ShouldBe(["in_app", "websocket"]);
        all.Items.Single(item => item.Kind == "read").Notification.ShouldBe(notification.Id);
        all.Items.ShouldContain(item => item.Kind == "opened");
        (await timeline.ReadAsync(Ada, query with { To = TimeProvider.System.GetUtcNow().AddHours(-1) }, Cancel)).Required().Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Timeline_IsBounded()
    {
        var timeline = Node.Get<UserTimeline>();
        var now = TimeProvider.System.GetUtcNow();
        foreach (var query in new TimelineQuery[]
        {
            new(Limit: 201), new(Limit: 0), new(From: now.AddDays(-32), To: now), new(From: now, To: now.AddDays(-1)), new(App: "A"), new(After: "x"), new(After: "-1_1"), new(After: "1_0"),
            new(After: "999999999999999999_1"),
        })
            (await timeline.ReadAsync(Ada, query, Cancel)).Refused("invalid");
        (await timeline.ReadAsync("nobody", new TimelineQuery(), Cancel)).Required().Items.ShouldBeEmpty();
    }

    private static FakeTimeProvider After(TimeSpan span) => new(TimeProvider.System.GetUtcNow() + span);

    /// <summary>A minute later, when all that sessions were pushed is known.</summary>
    private async Task<EventTrace> TraceAsync(EventKey key, string? user, TimeProvider? time = null) =>
        (await new EventTracer(Host.Database, time ?? After(TimeSpan.FromMinutes(1))).TraceAsync(key.Source, key.Id, user, Cancel)).Required();

    private async Task<EventKey> PublishAsync(
        Func<Core.Publishing.EventDraft, Core.Publishing.EventDraft>? draft = null, bool member = true, Func<LogHost, string, Task>? then = null, Func<LogHost, string, Task>? before = null, object[]? rules = null)
    {
        var app = await Host.AddAppAsync(rules ?? []);
        if (member)
            await Host.AddMembersAsync(app, Ada);
        if (before is not null)
            await before(Host, app);
        var receipt = await Host.PublishAsync((draft ?? (plain => plain))(Drafts.ToAll(app, new { text = Secret, level = 3 })));
        if (then is not null)
            await then(Host, app);
        return new EventKey(app, receipt.Id);
    }

    private async Task<EventKey> PushAsync(bool acknowledges)
    {
        var app = await Node.AddAppAsync();
        await using var session = RunningSession.Open(Node, Callers.User(Ada, app));
        await session.SubscribeAsync(new SubscribeRequest(app));
        var receipt = await Node.PublishAsync(Drafts.ToUser(app, Ada, new { text = Secret }));
        await session.ReachAsync(receipt.Stream, 1);
        if (acknowledges)
            session.Ack(app, receipt.Stream, 1);
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);
        return new EventKey(app, receipt.Id);
    }

    private Task<EventKey> ReplayAsync() => PublishAsync(then: async (node, app) =>
    {
        await using var session = RunningSession.Open(node, Callers.User(Ada, app));
        await session.SubscribeAsync(new SubscribeRequest(app, From: "start"));
        await session.ReachAsync(app, 1);
        await node.Get<EvidenceLog>().SaveAsync(Cancel);
    });

    private async Task<EventKey> FilterAsync()
    {
        var app = await Node.AddAppAsync();
        await using var session = RunningSession.Open(Node, Callers.User(Ada, app), new CollectingOutput { ExpectsEveryPosition = false });
        await session.SubscribeAsync(new SubscribeRequest(app, Interests: [new InterestRequest([TestManifest.Type], Filters: [Filter("level", "gt", 5)])]));
        var receipt = await Node.PublishAsync(Drafts.ToAll(app, new { text = Secret, level = 3 }));
        await Node.PublishAsync(Drafts.ToAll(app, new { level = 7 }));
        await session.ReachAsync(app, 2);
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);
        return new EventKey(app, receipt.Id);
    }

    private async Task<EventKey> ShareAsync(string type, bool consumes = true, string? topic = null, bool connected = false)
    {
        var (source, consumer) = await Node.AddSharingAppsAsync();
        if (topic is not null)
            await Node.PutManifestAsync(TestManifest.Of(source, sharedWith: consumer, openTopics: "*"));
        if (!consumes)
            await Node.PutManifestAsync(TestManifest.Of(consumer));
        await Node.AddMembersAsync(consumer, Ada);
        await using var session = RunningSession.Open(Node, Callers.User(Ada, consumer));
        if (connected)
            await session.SubscribeAsync(new SubscribeRequest(consumer));
        var receipt = await Node.PublishAsync(Drafts.ToAll(source, new { text = Secret }) with { Type = type, Topic = topic });
        if (connected)
            await session.ReachAsync(consumer, 1);
        await Node.Get<EvidenceLog>().SaveAsync(Cancel);
        return new EventKey(source, receipt.Id);
    }

    private Task<EventKey> FollowAsync(FilterRequest? filter) => PublishAsync(
        rules: [Rule("r", to: "followers")],
        before: async (node, app) =>
        {
            // Somebody is told of it in any case.
            await node.AddMembersAsync(app, "bob");
            await node.FollowAsync(app, "bob", new EventSubscriptionRequest(app, TestManifest.Type));
            if (filter is not null)
                await node.FollowAsync(app, Ada, new EventSubscriptionRequest(app, "thing.*", Filters: [filter]));
        },
        then: (node, _) => node.RoutedAsync());

    private Task<EventKey> NotifyAsync(string channel = "in_app", InboxMark? mark = null, Func<LogHost, string, Task>? then = null) => PublishAsync(
        draft => draft with { UserId = Ada }, rules: [Rule("r", channels: [channel])], then: async (node, app) =>
        {
            await node.RoutedAsync();
            if (mark is { } how)
                (await node.Get<Inbox>().MarkAsync(Callers.User(Ada, app), [(await node.ListAsync(app, Ada)).ShouldHaveSingleItem().Id], how, Cancel)).Fault.ShouldBeNull();
            if (then is not null)
                await then(node, app);
        });

    private async Task<EventKey> PauseAsync()
    {
        _own = await StartNodeAsync();
        return await PublishAsync(
            draft => draft with { UserId = Ada }, rules: [Rule("r")], before: (node, app) => node.Get<Pauses>().AddAsync(Callers.Publisher(app), new PauseRequest(app, null, null, "test"), Cancel));
    }

    private Task<EventKey> SendAsync(ChannelResult answer, string delays = "300") => DeliverAsync(
        Rule("r", channels: s_email), until: row => row.Attempts > 0 && (delays == "300" || row.Status == DeliveryStatus.Dead), answer: answer, delays: delays);

    /// <summary>By a real router and worker.</summary>
    /// <param name="before">Happens in the app before the event.</param>
    /// <param name="until">What becomes of a delivery; null: nothing is waited for but routing.</param>
    private async Task<EventKey> DeliverAsync(
        object rule, Func<LogHost, string, Task>? before = null, System.Linq.Expressions.Expression<Func<NotificationDeliveryRow, bool>>? until = null, ChannelResult? answer = null,
        string delays = "300", int circuitFailures = 100)
    {
        var channel = new TestChannel { Answer = (_, _) => Task.FromResult(answer ?? ChannelResult.Sent) };
        _own = await StartNodeAsync(new LogHostSettings
        {
            Channels = [channel],
            Delivery = delivery =>
            {
                (delivery.RetryDelays, delivery.JitterPercent, delivery.Poll) = (delays, 0, TimeSpan.FromMilliseconds(20));
                (delivery.CircuitFailures, delivery.CircuitBreak) = (circuitFailures, TimeSpan.FromHours(1));
            },
        });
        return await PublishAsync(draft => draft with { UserId = Ada }, rules: [rule], before: before, then: async (node, app) =>
        {
            await node.RoutedAsync();
            if (until is not null)
            {
                await Eventually("it has come so far", async () =>
                {
                    await using var context = node.Database.ForService();
                    return await context.Deliveries.Where(row => row.App == app).AnyAsync(until, Cancel);
                });
            }
        });
    }

    private static async Task SetAsync(LogHost node, string app, PreferenceMatrix matrix) =>
        (await node.Get<Preferences>().PutAsync(Callers.User(Ada, app), app, matrix, Cancel)).Required();

    /// <summary>One like the event of the situation, before it; its delivery has been attempted, or suppressed.</summary>
    private static async Task PublishAndRouteAsync(LogHost node, string app)
    {
        await node.PublishAsync(Drafts.ToUser(app, Ada));
        await Eventually("it was attempted", async () =>
        {
            await using var context = node.Database.ForService();
            return await context.Deliveries.AnyAsync(row => row.App == app && row.Attempts > 0, Cancel);
        });
    }

    /// <summary>What is stored of situations that other parts of the service bring about.</summary>
    private Task<EventKey> StoreAsync(Func<NotificationRow, NotificationDeliveryRow> delivery) => PublishAsync(draft => draft with { UserId = Ada }, then: async (node, app) =>
    {
        await using var context = node.Database.ForService();
        var e = await context.Events.SingleAsync(row => row.App == app && row.UserId == Ada, Cancel);
        var notification = NewNotification(app, app, e.Id);
        context.Notifications.Add(notification);
        context.Deliveries.Add(delivery(notification));
        await context.SaveChangesAsync(Cancel);
    });

    private static NotificationRow NewNotification(string app, string source, string eventId) => new()
    {
        Id = Guid.CreateVersion7(Now()), App = app, UserId = Ada, Type = TestManifest.Type, Rule = "r", Source = source, EventId = eventId, Title = "Hello", Data = "{}", InInbox = false,
        CreatedAt = Now(),
    };

    private static Func<NotificationRow, NotificationDeliveryRow> Delivery(string channel, string status, string? reason, TimeSpan? due = null) => notification => new NotificationDeliveryRow
    {
        Id = Guid.CreateVersion7(Now()), NotificationId = notification.Id, App = notification.App, UserId = notification.UserId, Rule = notification.Rule, Channel = channel, Target = "", Status = status,
        Reason = reason, NextAttemptAt = due is null ? null : Now() + due, CreatedAt = Now(), SentAt = status == DeliveryStatus.Sent ? Now() : null,
    };

    private static object Rule(string name, string? to = null, string[]? channels = null) =>
        new { name, on = TestManifest.Type, title = "Hello", to = to ?? "user", channels = channels ?? ["in_app", "websocket"] };

    private static FilterRequest Filter(string path, string op, object value) => new(path, op) { Value = JsonSerializer.SerializeToElement(value) };

    private static DateTimeOffset Now() => StoreTime.Truncate(TimeProvider.System.GetUtcNow());

    private static async Task<List<long>> VersionsAsync(LogHost node, string app)
    {
        await using var context = node.Database.ForService();
        return await context.ManifestVersions.Where(row => row.App == app).Select(row => row.Version).Order().ToListAsync(Cancel);
    }
}
