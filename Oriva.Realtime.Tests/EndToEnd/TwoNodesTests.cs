using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

/// <summary>Two nodes that share a PostgreSQL and nothing else.</summary>
public sealed class TwoNodesTests(PostgresHub fixture) : HubTests(fixture), IClassFixture<PostgresHub>
{
    /// <summary>The poll of heads comes once a second; the rest is for a machine that is busy with other tests.</summary>
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(4);

    private readonly string _user = New("user");

    [Fact]
    public async Task WhatOneNodePublishes_TheOthersClientsSeeWithinAboutASecond_ByEveryWay()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        var token = Tokens.User(_user, WorkBuddy);
        await using var hub = await HubClient.ConnectAsync(other.Address, token);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await using var stream = await other.As(token).OpenStreamAsync($"app={WorkBuddy}");
        var cursor = (await other.As(token).PollAsync(new { app = WorkBuddy })).ShouldBe(200).At("cursor");

        for (var i = 0; i < 5; i++)
        {
            var polling = other.As(token).PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 });
            (await Publisher.PublishAsync(Draft(_user, id: $"{_user}-{i}"))).ShouldBe(201);
            await Waiting.Eventually("the hub's client has it", () => hub.Received.Ids.Contains($"{_user}-{i}"), s_soon);
            (await stream.ReadEventsAsync(1))[0].Text("id").ShouldBe($"{_user}-{i}");
            var answer = (await polling.Soon("the poll is answered", s_soon)).ShouldBe(200);
            answer.Items("events").Ids().ShouldBe([$"{_user}-{i}"]);
            cursor = answer.At("cursor");
        }
    }

    [Fact]
    public async Task PublishersOnBothNodes_ShareTheStreams_AndBothNodesShowTheSame()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        var token = Tokens.User(_user, WorkBuddy);
        HubHost[] nodes = [Hub, other];
        await using var here = await HubClient.ConnectAsync(Hub.Address, token);
        await using var there = await HubClient.ConnectAsync(other.Address, token);
        await here.SubscribeAsync(new { app = WorkBuddy, interests = new[] { new { types = new[] { "task.created" } } } });
        await there.SubscribeAsync(new { app = WorkBuddy, interests = new[] { new { types = new[] { "task.created" } } } });

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async publisher =>
        {
            for (var i = 0; i < 25; i++)
                (await nodes[publisher % 2].As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft(_user, id: $"{_user}-{publisher}-{i}"))).ShouldBe(201);
        }));
        await Waiting.Eventually("both have all", () => Mine(here).Count == 200 && Mine(there).Count == 200);
        Mine(here).ShouldBe(Mine(there));
    }

    [Fact]
    public async Task ACursorOfOneNode_IsGoodOnTheOther()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        var token = Tokens.User(_user, WorkBuddy);
        await using var stream = await Hub.As(token).OpenStreamAsync($"app={WorkBuddy}");
        (await Publisher.PublishAsync(new[] { Draft(_user, id: _user + "-1"), Draft(_user, id: _user + "-2") })).ShouldBe(201);
        (await stream.ReadEventsAsync(1)).Ids().ShouldBe([_user + "-1"]);
        await using var resumed = await other.As(token).OpenStreamAsync($"app={WorkBuddy}", stream.LastEventId);
        (await resumed.ReadEventsAsync(1)).Ids().ShouldBe([_user + "-2"]);
    }

    [Fact]
    public async Task ARepeatOnTheOtherNode_IsTheSameEvent()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        (await Publisher.PublishAsync(Draft(_user, id: _user + "-1"))).ShouldBe(201);
        (await other.As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft(_user, id: _user + "-1"))).ShouldBe(200).Flag("duplicate").ShouldBeTrue();

        // And at the same moment.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => (i % 2 == 0 ? Hub : other).As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft(_user, id: _user + "-2"))));
        answers.Count(answer => answer.Status == 201).ShouldBe(1);
        answers.Select(answer => answer.ShouldBe(answer.Status == 201 ? 201 : 200).Number("seq")).Distinct().ShouldBe([2]);
    }

    [Fact]
    public async Task ANewApp_CanBeUsedOnTheOtherNodeAtOnce()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        var app = New("app");
        (await Admin.PutAsync($"/api/v1/apps/{app}/manifest", TestManifest.Of(app))).ShouldBe(201);
        await Waiting.Eventually("the other node knows the app", async () =>
            (await other.As(Tokens.Publisher(app)).PublishAsync(new { source = app, type = TestManifest.Type })).Status == 201, s_soon);
    }

    private static IReadOnlyList<string> Mine(HubClient hub) => [.. hub.Received.Ids.Where(id => id.StartsWith("user-", StringComparison.Ordinal))];
}
