using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class CurrentCursorTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private readonly string _user = New("user");

    [Fact]
    public async Task TheCursorOfNow_NamesEveryStream_AlsoThoseWithoutEvents()
    {
        var topic = New("room");
        (await Publisher.PublishAsync(new[] { Draft(_user), Draft(_user) })).ShouldBe(201);
        var cursor = (await AsUser(_user).GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}&topics={topic}")).ShouldBe(200);

        cursor.Names().ShouldBe(["epoch", "streams"], ignoreOrder: true);
        cursor.At("streams").Names().ShouldBe([WorkBuddy, $"{WorkBuddy}/users/{_user}", $"{WorkBuddy}/topics/{topic}"], ignoreOrder: true);
        cursor.Number("streams", $"{WorkBuddy}/users/{_user}").ShouldBe(2);
        cursor.Number("streams", $"{WorkBuddy}/topics/{topic}").ShouldBe(0);
    }

    [Theory]
    [InlineData("topics=room-1,room-2")]
    [InlineData("topics=room-1&topics=room-2")]
    [InlineData("topics=room-1,%20room-2,")]
    public async Task Topics_CanBeListedOrRepeated(string topics) =>
        (await AsUser(_user).GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}&{topics}")).ShouldBe(200).At("streams").Names().Count.ShouldBe(4);

    [Fact]
    public async Task WhatFollowsTheCursor_IsWhatWasPublishedAfterIt()
    {
        (await Publisher.PublishAsync(Draft(_user))).ShouldBe(201);
        var cursor = (await AsUser(_user).GetAsync($"{ApiCaller.Events}/cursor?app={WorkBuddy}")).ShouldBe(200);
        (await Publisher.PublishAsync(Draft(_user, id: _user + "-1"))).ShouldBe(201);
        (await AsUser(_user).PollAsync(new { app = WorkBuddy, cursor })).ShouldBe(200).Items("events").Ids().ShouldContain(_user + "-1");
    }

    [Theory]
    [InlineData("", "/app")]
    [InlineData("app=work-buddy&topics=a/b", "/topics/0")]
    public async Task ABadParameter_IsRefusedByName(string query, string pointer) =>
        (await AsUser(_user).GetAsync($"{ApiCaller.Events}/cursor?{query}")).ShouldBeProblem(422, "invalid", pointer);
}
