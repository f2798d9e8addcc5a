using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteWallsTests(SqliteFixture fixture) : WallsSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresWallsTests(PostgresFixture fixture) : WallsSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>A reader gets what its scope shows and nothing else, whatever it asks for and on whichever way to the rows.</summary>
public abstract class WallsSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private const string App = "walled";
    private const string Other = "walled-too";

    /// <summary>Every character that means something to JSON, SQL or LIKE.</summary>
    private const string OddUser = "o'hara\"\\%_{0}$1Ж";

    private static readonly string[] s_topics = ["room-1", "room-10", "ROOM-1", "vip-a", "vip-a_b", "vip-axb", "vip-A", "vip-"];


    public override async ValueTask InitializeAsync()
    {
        if (Node.Registry.Find(App) is not null)
            return; // an earlier test of this class did it

        // Each audience has one event in each of two apps, so that whoever sees too much sees it here.
        foreach (var app in new[] { App, Other })
        {
            await Node.PutManifestAsync(TestManifest.Of(app, openTopics: "*"));
            await Node.PublishAsync(
                [Drafts.ToAll(app), .. new[] { "ada", "eve", "ADA", OddUser }.Select(user => Drafts.ToUser(app, user)), .. s_topics.Select(topic => Drafts.ToTopic(app, topic))]);
        }
    }

    public static TheoryData<string, string[], bool, string[]> Readers => new()
    {
        // sub, topic patterns, whole; what it sees
        { "ada", [], false, ["", "/users/ada"] },
        { "eve", [], false, ["", "/users/eve"] },
        { OddUser, [], false, ["", "/users/" + OddUser] },
        { "nobody", [], false, [""] },
        { "", [], false, [""] },
        { "%", ["%", "_*", "?", "", "room-1"], false, [""] }, // none of them names this app
        { "ada", ["{app}/room-1"], false, ["", "/users/ada", "/topics/room-1"] },
        { "ada", ["{app}/room-*"], false, ["", "/users/ada", "/topics/room-1", "/topics/room-10"] },
        { "ada", ["{app}/vip-a_*"], false, ["", "/users/ada", "/topics/vip-a_b"] },
        { "ada", ["{app}/vip-a*", "{app}/room-10"], false, ["", "/users/ada", "/topics/room-10", "/topics/vip-a", "/topics/vip-a_b", "/topics/vip-axb"] },
        { "ada", ["{app}/*"], false, ["", "/users/ada", .. s_topics.Select(topic => "/topics/" + topic)] },
        { "ada", ["{other}/*", "{app}/ROOM-2", "{app}/vip-"], false, ["", "/users/ada", "/topics/vip-"] },
        { "ada", [], true, ["", "/users/ada", "/users/eve", "/users/ADA", "/users/" + OddUser, .. s_topics.Select(topic => "/topics/" + topic)] },
    };

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task Reader_OfEveryStream_GetsWhatItsScopeShows(string sub, string[] topics, bool whole, string[] visible)
    {
        var scope = Scope(sub, topics, whole);
        var seen = new List<string>();
        foreach (var app in new[] { App, Other })
        {
            foreach (var stream in await StreamsAsync(app))
                seen.AddRange((await Node.Store.ReadAsync(stream, 0, DateTimeOffset.MinValue, new ReadLimit(100), scope, Cancel)).Select(e => e.Stream));
        }

        seen.Order(StringComparer.Ordinal).ShouldBe(visible.Select(path => App + path).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task Reader_OfHistory_GetsWhatItsScopeShows(string sub, string[] topics, bool whole, string[] visible)
    {
        var scope = Scope(sub, topics, whole);
        var seen = new List<string>();
        foreach (var app in new[] { App, Other })
        {
            seen.AddRange((await SearchAsync(scope, new HistoryQuery(app))).Select(e => e.Stream));
            // Asked for by name it is no more visible.
            foreach (var user in new[] { "ada", "eve", "ADA", OddUser })
                (await SearchAsync(scope, new HistoryQuery(app) { UserId = user })).Count.ShouldBe(app == App && visible.Contains("/users/" + user) ? 1 : 0);
            foreach (var topic in s_topics)
                (await SearchAsync(scope, new HistoryQuery(app) { Topic = topic })).Count.ShouldBe(app == App && visible.Contains("/topics/" + topic) ? 1 : 0);
        }

        seen.Order(StringComparer.Ordinal).ShouldBe(visible.Select(path => App + path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Reader_WithoutApps_GetsNothing()
    {
        ReadScope[] scopes =
        [
            new("ada", [], ["*", App + "/*"], Whole: false), new("ada", [], [], Whole: true), Scopes.User("ada", "*"), Scopes.User("ada", ""),
        ];
        foreach (var scope in scopes)
        {
            (await Node.Store.ReadAsync(App, 0, DateTimeOffset.MinValue, new ReadLimit(100), scope, Cancel)).ShouldBeEmpty();
            (await SearchAsync(scope, new HistoryQuery(App))).ShouldBeEmpty();
            (await Node.Database.ReadAsync(scope, context => context.Apps.CountAsync(Cancel), Cancel)).ShouldBe(0);
            (await Node.Database.ReadAsync(scope, context => context.AppUsers.CountAsync(Cancel), Cancel)).ShouldBe(0);
        }
    }

    [Fact]
    public async Task Directory_ShowsAUserOnlyItself_AndAPublisherItsApp()
    {
        foreach (var app in new[] { App, Other })
        {
            foreach (var user in new[] { "ada", "eve" })
                await Node.Directory.PutAsync(app, user, new AppUserDetails($"{user}@{app}", "en", null), Cancel);
        }

        async Task<string> VisibleAsync(ReadScope scope)
        {
            var users = await Node.Database.ReadAsync(scope, context => context.AppUsers.Where(row => row.Email != null)
                .OrderBy(row => row.App).ThenBy(row => row.UserId).Select(row => row.Email).ToListAsync(Cancel), Cancel);
            foreach (var app in new[] { App, Other })
            {
                foreach (var user in new[] { "ada", "eve" })
                    ((await Node.Directory.FindAsync(scope, app, user, Cancel)) is not null).ShouldBe(users.Contains($"{user}@{app}"));
            }

            return string.Join(' ', users);
        }

        (await VisibleAsync(Scopes.User("ada", App))).ShouldBe($"ada@{App}");
        (await VisibleAsync(Scopes.User("mallory", App))).ShouldBeEmpty();
        (await VisibleAsync(Scopes.Whole(Other))).ShouldBe($"ada@{Other} eve@{Other}");
    }

    [Fact]
    public async Task Apps_AreVisibleToWhoHoldsThem() =>
        (await Node.Database.ReadAsync(Scopes.User("ada", App), context => context.Apps.Select(row => row.Id).ToListAsync(Cancel), Cancel)).ShouldBe([App]);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Notifications_AreTheirUsers_ByEitherWall(bool withoutTheFirst)
    {
        // SQLite has the first wall alone.
        if (withoutTheFirst && Store is SqliteStore)
            return;
        var (mine, other) = (await Node.AddAppAsync(), await Node.AddAppAsync());
        foreach (var app in new[] { mine, other })
        {
            await Node.AddMembersAsync(app, "ada", "eve");
            await Node.Get<DirectNotifications>().SendAsync(
                Callers.Publisher(app), new DirectNotificationRequest(app, ["ada", "eve"], "t", Channels: ["in_app", "push"], Id: "n"), Cancel);
            foreach (var user in new[] { "ada", "eve" })
                await Node.FollowAsync(app, user, new(app, "*"));
        }

        (await OwnersAsync(Scopes.User("ada", mine))).ShouldBe([$"{mine} ada"]);
        (await OwnersAsync(Scopes.User("mallory", mine))).ShouldBeEmpty();
        (await OwnersAsync(new ReadScope("ada", [], [], Whole: true))).ShouldBeEmpty();
        (await OwnersAsync(Scopes.Whole(other))).ShouldBe([$"{other} ada", $"{other} eve"]);

        Task<List<string>> OwnersAsync(ReadScope scope) => Node.Database.ReadAsync(scope, async context =>
        {
            var tables = new List<IReadOnlyList<string>>
            {
                await All(context.Notifications).Select(row => row.App + " " + row.UserId).Distinct().ToListAsync(Cancel),
                await All(context.Deliveries).Select(row => row.App + " " + row.UserId).Distinct().ToListAsync(Cancel),
                await All(context.InboxCounts).Select(row => row.App + " " + row.UserId).Distinct().ToListAsync(Cancel),
                await All(context.EventSubscriptions).Select(row => row.App + " " + row.UserId).Distinct().ToListAsync(Cancel),
            };
            var owners = tables[0].Order(StringComparer.Ordinal).ToList();
            tables.ShouldAllBe(table => table.Order(StringComparer.Ordinal).SequenceEqual(owners));
            return owners;
        }, Cancel);

        IQueryable<T> All<T>(IQueryable<T> rows)
            where T : class => withoutTheFirst ? rows.IgnoreQueryFilters() : rows;
    }

    [Fact]
    public async Task Session_OfAUser_GetsNoStreamThatIsNotItsOwn()
    {
        await using var session = RunningSession.Open(Node, Callers.User("ada", App), new CollectingOutput { ExpectsEveryPosition = false });
        var answer = await session.SubscribeAsync(new SubscribeRequest(App, From: "start"));
        answer.Streams.Keys.Order().ShouldBe([App, $"{App}/users/ada"]);
        (await session.TrySubscribeAsync(new SubscribeRequest(Other))).Refused(FaultCodes.AppForbidden);
        (await session.TrySubscribeAsync(new SubscribeRequest(App + "/users/eve"))).Refused(FaultCodes.Invalid);

        await session.ReachAsync(App, 1);
        await session.ReachAsync($"{App}/users/ada", 1);
        session.Output.Events.Select(e => e.Stream).ShouldBe([App, $"{App}/users/ada"], ignoreOrder: true);
    }

    [Fact]
    public async Task Session_FollowsTopicsByManifestAndClaim()
    {
        var app = await Node.AddAppAsync();
        await using var session = RunningSession.Open(Node, Callers.User("ada", app, $"{app}/vip-a", $"{Other}/vip-b"));

        (await session.SubscribeAsync(new SubscribeRequest(app, ["room-7", "vip-a"]))).Streams.Keys.ShouldContain($"{app}/topics/vip-a");
        foreach (var topic in new[] { "vip-b", "vip-ab", "lobby" })
            (await session.TrySubscribeAsync(new SubscribeRequest(app, [topic]))).Refused(FaultCodes.TopicForbidden);

        await Node.PublishAsync([Drafts.ToTopic(app, "vip-a"), Drafts.ToTopic(app, "vip-b"), Drafts.ToTopic(app, "room-7"), Drafts.ToTopic(app, "room-8")]);
        await session.ReachAsync($"{app}/topics/vip-a", 1);
        await session.ReachAsync($"{app}/topics/room-7", 1);
        session.Output.Events.Select(e => e.Topic).ShouldBe(["vip-a", "room-7"], ignoreOrder: true);
    }

    [Fact]
    public void Claims_OfAScope_AreJsonWhateverTheNames()
    {
        var claims = JsonElement.Parse(Scopes.User(OddUser, "app", "app/\"]}").Claims);

        claims.GetProperty("sub").GetString().ShouldBe(OddUser);
        claims.GetProperty("topics")[0].GetString().ShouldBe("app/\"]}");
        claims.GetProperty("whole").GetBoolean().ShouldBeFalse();
    }

    private static ReadScope Scope(string sub, string[] topics, bool whole) => new(
        sub, [App], [.. topics.Select(pattern => pattern.Replace("{app}", App, StringComparison.Ordinal).Replace("{other}", Other, StringComparison.Ordinal))], whole);

    private async Task<IReadOnlyList<StoredEvent>> SearchAsync(ReadScope scope, HistoryQuery query) => (await Node.History.SearchAsync(scope, query, Cancel)).Required().Items;

    private async Task<List<string>> StreamsAsync(string app)
    {
        await using var context = Node.Database.ForService();
        return await context.Streams.Where(row => row.App == app).Select(row => row.Stream).ToListAsync(Cancel);
    }
}
