using System.Text.Json;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>What one connection may hold and ask: more is refused with a code, and the connection goes on.</summary>
public sealed class LimitTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    private readonly string _user = New("user");

    [Fact]
    public async Task AConnection_HasTwentySubscriptions_AndNoMore()
    {
        var apps = Enumerable.Range(0, 21).Select(_ => New("app")).ToList();
        foreach (var app in apps)
            (await Admin.PutAsync($"/api/v1/apps/{app}/manifest", TestManifest.Of(app))).ShouldBe(201);
        await using var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.Of(new TokenRequest(_user) { Apps = apps }));
        foreach (var app in apps.Take(20))
            await hub.SubscribeAsync(new { app });
        await hub.RefusedAsync("limit_exceeded", "Subscribe", new { app = apps[20] });
        await hub.SubscribeAsync(new { app = apps[0] });
        await hub.InvokeAsync("Unsubscribe", apps[0]);
        await hub.SubscribeAsync(new { app = apps[20] });
    }

    [Fact]
    public async Task ASubscriptionThatIsTooLarge_IsRefusedWithThePlace()
    {
        await using var hub = await ConnectAsync();
        await TooLargeAsync("/interests", new { app = WorkBuddy, interests = Many(51, _ => new { types = new[] { "*" } }) });
        await TooLargeAsync("/interests/0/types", new { app = WorkBuddy, interests = new[] { new { types = Many(51, _ => "task.*") } } });
        await TooLargeAsync("/interests/0/filters", new { app = WorkBuddy, interests = new[] { new { filters = Many(21, _ => Filter("x")) } } });
        await TooLargeAsync("/interests/1/filters/1/value", new
        {
            app = WorkBuddy,
            interests = new[] { new { filters = new[] { Filter("x") } }, new { filters = new[] { Filter("x"), Filter(new string('x', 4_096)) } } },
        });
        await TooLargeAsync("/topics", new { app = WorkBuddy, topics = Many(101, i => $"room-{i}") });
        await hub.SubscribeAsync(new { app = WorkBuddy, topics = Many(100, i => $"room-{i}"), interests = Many(50, _ => new { filters = Many(20, _ => Filter("x")) }) });

        async Task TooLargeAsync(string pointer, object request) => (await hub.RefusedAsync("too_large", "Subscribe", request)).ShouldContain($"\"{pointer}\"");
        static object Filter(string value) => new { path = "title", op = "eq", value };
        static IEnumerable<T> Many<T>(int count, Func<int, T> make) => Enumerable.Range(0, count).Select(make);
    }

    [Fact]
    public async Task WhoCallsTooOften_IsToldSo_AndMayGoOnLater()
    {
        var own = await StartHubAsync(new Dictionary<string, string?> { ["Limits:HubCallsPerSecond"] = "5" });
        await using var hub = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        await using var other = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        var calls = Enumerable.Range(0, 100).Select(_ => hub.InvokeAsync("Unsubscribe", WorkBuddy)).ToList();
        await Task.WhenAll(calls).ContinueWith(_ => { }, TaskScheduler.Default);
        var refused = calls.Where(call => call.IsFaulted).Select(call => call.Exception!.InnerException).ToList();
        refused.Count.ShouldBeInRange(60, 90, "ten in reserve, and five a second");
        refused.ShouldAllBe(e => e is HubException && e.Message.StartsWith("rate_limited: "));

        await other.SubscribeAsync(new { app = WorkBuddy });
        await Waiting.Eventually("it may call again", async () =>
        {
            try
            {
                await hub.InvokeAsync("Unsubscribe", WorkBuddy);
                return true;
            }
            catch (HubException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task AUser_HasSoManyConnections_AndNoMore()
    {
        var own = await StartHubAsync(new Dictionary<string, string?> { ["Limits:ConnectionsPerUser"] = "2" });
        await using var first = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        await using var second = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        await using var third = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
        (await third.Closed.Soon("the third is closed")).ShouldNotBeNull().Message.ShouldContain("limit_exceeded: ");
        await using var another = await HubClient.ConnectAsync(own.Address, Tokens.User(New("user"), WorkBuddy));
        await another.SubscribeAsync(new { app = WorkBuddy });
        await first.SubscribeAsync(new { app = WorkBuddy });

        await second.DisposeAsync();
        await Waiting.Eventually("the place of one that has gone is free", async () =>
        {
            var next = await HubClient.ConnectAsync(own.Address, Tokens.User(_user, WorkBuddy));
            try
            {
                await next.SubscribeAsync(new { app = WorkBuddy });
                return true;
            }
            catch (Exception e) when (e is not ShouldAssertException)
            {
                return false;
            }
            finally
            {
                await next.DisposeAsync();
            }
        });
    }

    [Fact]
    public async Task AMessageAboveTheLimit_ClosesItsConnection_AndNoOther()
    {
        await using var other = await ConnectAsync();
        await using var hub = await ConnectAsync();
        await Should.ThrowAsync<Exception>(hub.InvokeAsync("Publish", Titled(new string('x', 200_000))));
        await hub.Closed.Soon("the connection is closed");
        await other.SubscribeAsync(new { app = WorkBuddy });
    }

    [Fact]
    public async Task AMessageJustBelowTheLimit_IsRefusedWithACode()
    {
        await using var hub = await ConnectAsync();
        // 2 × 64 KiB, 2 × 8 KiB and 32 KiB.
        const int Limit = 180_224;
        var room = Limit - JsonSerializer.Serialize(new { type = 1, invocationId = "1", target = "Publish", arguments = new[] { Titled("") } }).Length - 64;
        await hub.RefusedAsync("too_large", "Publish", Titled(new string('x', room)));
        await hub.SubscribeAsync(new { app = WorkBuddy });
    }

    private object Titled(string title) => new { source = WorkBuddy, type = "task.completed", userId = _user, data = new { taskId = "t", title } };

    private Task<HubClient> ConnectAsync() => HubClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
}
