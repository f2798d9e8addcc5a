using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class SharingOnSqliteTests(SqliteHub fixture) : SharingSpecification(fixture), IClassFixture<SqliteHub>;

public sealed class SharingOnPostgresTests(PostgresHub fixture) : SharingSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>What passes between the sample apps, by their real manifests: what the one shares and the other consumes, and nothing else.</summary>
public abstract class SharingSpecification(HubFixture fixture) : HubTests(fixture)
{
    private readonly string _user = New("user");
    private readonly string _room = New("room");

    [Fact]
    public async Task ASharedAndConsumedEvent_ComesInTheOtherAppToo_ToTheSameAudience()
    {
        await using var buddy = await FollowAsync(WorkBuddy, _user);
        await using var mixers = await FollowAsync(LiveMixers, _user);
        await using var other = await FollowAsync(WorkBuddy, New("other"), topics: false);
        await PublishAsync(Mix("1", null, null), Mix("2", _user, null), Mix("3", null, _room));

        await Waiting.Eventually("all three, in both apps", () => Mine(buddy).Count == 3 && Mine(mixers).Count == 3);
        Mine(buddy).ShouldBe([_user + "-1", _user + "-2", _user + "-3"], ignoreOrder: true);
        foreach (var e in buddy.Received.Events.Where(e => e.Text("id").StartsWith(_user, StringComparison.Ordinal)))
        {
            e.Text("source").ShouldBe(LiveMixers);
            e.Text("app").ShouldBe(WorkBuddy);
            e.Text("actor").ShouldBe("back-end");
            e.Text("data", "mixId").ShouldBe("m");
            e.Text("stream").ShouldBe(e.Text("id")[^1] switch
            {
                '1' => WorkBuddy,
                '2' => $"{WorkBuddy}/users/{_user}",
                _ => $"{WorkBuddy}/topics/{_room}",
            });
        }

        await Waiting.Eventually("the one to everybody", () => Mine(other).Count > 0);
        Mine(other).ShouldBe([_user + "-1"], "who may see it there is the other app's affair");
    }

    [Fact]
    public async Task WhatIsNotShared_OrNotConsumed_StaysWhereItIs()
    {
        await using var buddy = await FollowAsync(WorkBuddy, _user);
        await using var love = await FollowAsync(HugoLove, _user);
        await using var mixers = await FollowAsync(LiveMixers, _user);
        await PublishAsync(
            // Consumed by Work Buddy as mix.*, but not shared with it.
            new { source = LiveMixers, type = "mix.commented", userId = _user, id = _user + "-1", data = new { mixId = "m", text = "t" } },
            // Shared with Work Buddy, but not consumed there.
            new { source = LiveMixers, type = "set.scheduled", userId = _user, id = _user + "-2", data = new { setId = "s", title = "t", artist = "a", startsAt = "2026-01-31T20:00:00Z" } },
            // Shared with Hugo Love, but not consumed there.
            new { source = LiveMixers, type = "gift.sent", userId = _user, id = _user + "-3", data = new { giftId = "g", kind = "rose", fromName = "f" } },
            // Neither.
            new { source = LiveMixers, type = "set.ended", userId = _user, id = _user + "-4", data = new { setId = "s" } },
            new { source = LiveMixers, type = "session.started", userId = _user, id = _user + "-5" },
            // The last one is shared with both and consumed by both, so what comes with it or after it would have come before it.
            new { source = LiveMixers, type = "mix.liked", userId = _user, id = _user + "-6", data = new { mixId = "m" } },
            Mix("7", _user, null));

        await Waiting.Eventually("the last ones", () => Mine(mixers).Contains(_user + "-7") && Mine(buddy).Contains(_user + "-7") && Mine(love).Contains(_user + "-6"));
        Mine(mixers).ShouldBe(Enumerable.Range(1, 7).Select(n => $"{_user}-{n}"));
        Mine(buddy).ShouldBe([_user + "-7"]);
        Mine(love).ShouldBe([_user + "-2", _user + "-6"], "set.* and mix.* are consumed, and these two shared");
    }

    [Fact]
    public async Task ATopicThatTheOtherAppLacks_GetsNoCopy()
    {
        var artist = New("artist");
        await PublishAsync(Mix("1", null, artist), Mix("2", null, _room));
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&topic={artist}")).ShouldBe(200).Items("items").ShouldBeEmpty();
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&topic={_room}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-2"]);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={LiveMixers}&topic={artist}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-1"]);
    }

    [Fact]
    public async Task ARepeat_IsNotCopiedAgain()
    {
        var draft = Mix("1", _user, null);
        (await Publisher.PublishAsync(draft)).ShouldBe(201);
        (await Publisher.PublishAsync(draft)).ShouldBe(200);
        (await Publisher.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-1"]);
    }

    [Fact]
    public async Task TheOtherAppsPeople_SeeTheCopyAndNothingElseOfTheSource()
    {
        await PublishAsync(Mix("1", _user, null));
        var buddy = AsUser(_user);
        (await buddy.GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&userId={_user}")).ShouldBe(200).Items("items").Ids().ShouldBe([_user + "-1"]);
        (await buddy.GetAsync($"{ApiCaller.Events}?app={LiveMixers}&userId={_user}")).ShouldBeProblem(403, "app_forbidden");
        (await buddy.GetAsync($"{ApiCaller.Events}/stream?app={LiveMixers}")).ShouldBeProblem(403, "app_forbidden");
        (await buddy.GetAsync($"/api/v1/apps/{LiveMixers}/manifest")).ShouldBeProblem(403, "app_forbidden");
    }

    private object Mix(string n, string? userId, string? topic) =>
        new { source = LiveMixers, type = "mix.published", userId, topic, id = $"{_user}-{n}", data = new { mixId = "m", title = "t" } };

    private async Task<HubClient> FollowAsync(string app, string user, bool topics = true)
    {
        var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.Of(new TokenRequest(user) { Apps = [app] }));
        await hub.SubscribeAsync(new { app, topics = topics && app != HugoLove ? new[] { _room } : [] });
        return hub;
    }

    private async Task PublishAsync(params object[] drafts) => (await Publisher.PublishAsync(drafts)).ShouldBe(201);

    private IReadOnlyList<string> Mine(HubClient hub) => [.. hub.Received.Ids.Where(id => id.StartsWith(_user + "-", StringComparison.Ordinal))];
}
