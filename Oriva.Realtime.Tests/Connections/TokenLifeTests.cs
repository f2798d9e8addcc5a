using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>A connection lives as long as its token, and access that is gone ends what was subscribed to.</summary>
public sealed class TokenLifeTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    /// <summary>What was revoked is judged by the next sweep; on a busy machine that is not to the second.</summary>
    private static readonly TimeSpan s_revoked = TimeSpan.FromSeconds(4);

    private readonly string _user = New("user");

    [Fact]
    public async Task AConnection_IsClosed_WhenItsTokenExpires()
    {
        await using var hub = await ConnectAsync(Short());
        await hub.SubscribeAsync(new { app = WorkBuddy });
        var started = TimeProvider.System.GetTimestamp();
        await hub.Closed.Soon("the connection is closed", TimeSpan.FromSeconds(8));
        TimeProvider.System.GetElapsedTime(started).ShouldBeGreaterThan(TimeSpan.FromSeconds(0.5), "it lived as long as its token");
    }

    [Fact]
    public async Task ARenewedConnection_OutlivesTheOldToken()
    {
        await using var hub = await ConnectAsync(Short());
        await using var witness = await ConnectAsync(Short());
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Mine });
        await hub.InvokeAsync("Renew", Tokens.User(_user, WorkBuddy));

        await witness.Closed.Soon("the connection that was not renewed is closed");
        await PublishAsync();
        await hub.ReceiveAsync(1);
        hub.Closed.IsCompleted.ShouldBeFalse();
        hub.Resets.ShouldBeEmpty();
    }

    [Fact]
    public async Task Renew_RefusesWhatIsNoTokenOfTheSameUser_AndChangesNothing()
    {
        await using var hub = await ConnectAsync(Tokens.User(_user, WorkBuddy));
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Mine });
        await hub.RefusedAsync("user_forbidden", "Renew", Tokens.User(New("user"), WorkBuddy));
        await hub.RefusedAsync("user_forbidden", "Renew", Tokens.Admin());
        await hub.RefusedAsync("unauthenticated", "Renew", "garbage");
        await hub.RefusedAsync("unauthenticated", "Renew", "");
        await hub.RefusedAsync("unauthenticated", "Renew", new object?[] { null });
        await hub.RefusedAsync("unauthenticated", "Renew", Tokens.User(_user, WorkBuddy)[..^4] + "AAAA");
        await hub.RefusedAsync("unauthenticated", "Renew", ApiKeys.Prefix + "no-such-key");
        await hub.RefusedAsync("malformed", "Renew", new { });
        await PublishAsync();
        await hub.ReceiveAsync(1);
    }

    [Fact]
    public async Task ATokenRenewedWithoutTheApp_EndsTheSubscription()
    {
        await using var hub = await ConnectAsync(Tokens.User(_user, WorkBuddy));
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Mine });
        await hub.InvokeAsync("Renew", Tokens.User(_user, HugoLove));
        await ResetAsync(hub, WorkBuddy);

        // What is published now must not come: what comes afterwards in the other app shows that it would have.
        await PublishAsync();
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = WorkBuddy });
        await hub.SubscribeAsync(new { app = HugoLove });
        (await Publisher.PublishAsync(new { source = HugoLove, type = "session.started", userId = _user })).ShouldBe(201);
        await hub.ReceiveAsync(1);
        hub.Received.Events.ShouldAllBe(e => e.Text("app") == HugoLove);
    }

    [Fact]
    public async Task ATokenRenewedWithoutATopic_EndsTheSubscription()
    {
        var app = await AppAsync("room-*");
        await using var hub = await ConnectAsync(Tokens.User(_user, app, app + "/vip-1"));
        await hub.SubscribeAsync(new { app, topics = new[] { "vip-1" } });
        await hub.InvokeAsync("Renew", Tokens.User(_user, app, app + "/vip-2"));
        await ResetAsync(hub, app);
        await hub.SubscribeAsync(new { app, topics = new[] { "vip-2" } });
    }

    [Fact]
    public async Task AUserWhoIsRemoved_LosesTheSubscription_AndMayComeBackWhenPutAgain()
    {
        await using var hub = await ConnectAsync(Tokens.User(_user, WorkBuddy));
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Mine });
        (await Publisher.DeleteAsync($"/api/v1/apps/{WorkBuddy}/users/{_user}")).ShouldBe(204);
        await ResetAsync(hub, WorkBuddy);
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = WorkBuddy });
        await PublishAsync();

        (await Publisher.PutAsync($"/api/v1/apps/{WorkBuddy}/users/{_user}", new { })).ShouldBe(200);
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = Mine });
        await PublishAsync();
        await hub.ReceiveAsync(1);
        hub.Received.Events.ShouldHaveSingleItem().Number("seq").ShouldBe(2, "what was published meanwhile is not for who had no access");
    }

    [Fact]
    public async Task AManifestThatClosesAFollowedTopic_EndsTheSubscription_AndNoOther()
    {
        var app = await AppAsync("room-*");
        await using var follower = await ConnectAsync(Tokens.User(_user, app));
        await using var other = await ConnectAsync(Tokens.User(New("user"), app));
        await follower.SubscribeAsync(new { app, topics = new[] { "room-1" } });
        await other.SubscribeAsync(new { app });
        (await Admin.PutAsync($"/api/v1/apps/{app}/manifest", TestManifest.Of(app, openTopics: "lobby-*"))).ShouldBe(200);
        await ResetAsync(follower, app);

        (await As(Tokens.Publisher(app)).PublishAsync(new { source = app, type = TestManifest.Type })).ShouldBe(201);
        await other.ReceiveAsync(1);
        other.Resets.ShouldBeEmpty();
        follower.Received.Events.ShouldBeEmpty();
    }

    [Fact]
    public async Task AnApiKey_PublishesAndConnects_UntilItIsRevoked()
    {
        var made = await MakeKeyAsync(WorkBuddy);
        var key = made.Text("key");
        (await As(key).PublishAsync(Draft(_user))).ShouldBe(201);
        await using var hub = await ConnectAsync(key);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        (await hub.PublishAsync(Draft(_user))).Number("seq").ShouldBe(2);
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = LiveMixers });

        (await Admin.DeleteAsync($"/api/v1/admin/api-keys/{made.Text("id")}")).ShouldBe(204);
        (await As(key).PublishAsync(Draft(_user))).ShouldBeProblem(401, "unauthenticated");
        await Waiting.Eventually("the session has ended", () => hub.Resets.Count > 0 || hub.Closed.IsCompleted, s_revoked);
        await Should.ThrowAsync<HttpRequestException>(async () => await ConnectAsync(key));
        (await Admin.DeleteAsync($"/api/v1/admin/api-keys/{made.Text("id")}")).ShouldBe(404);
    }

    /// <summary>A reset alone would leave whoever holds the key a connection to publish on for ever.</summary>
    [Fact]
    public async Task ARevokedKeysConnection_IsClosed_SubscribedOrNot()
    {
        var made = await MakeKeyAsync(WorkBuddy);
        await using var subscribed = await ConnectAsync(made.Text("key"));
        await using var idle = await ConnectAsync(made.Text("key"));
        await subscribed.SubscribeAsync(new { app = WorkBuddy });
        (await Admin.DeleteAsync($"/api/v1/admin/api-keys/{made.Text("id")}")).ShouldBe(204);
        await subscribed.Closed.Soon("the subscribed connection is closed", s_revoked);
        await idle.Closed.Soon("the idle connection is closed", s_revoked);
    }

    [Fact]
    public async Task AnApiKey_IsStoredAsItsHashOnly_AndItsUseIsSeen()
    {
        var made = await MakeKeyAsync(WorkBuddy);
        var (id, key) = (made.Text("id"), made.Text("key"));
        key.ShouldStartWith(ApiKeys.Prefix);
        (await ListedAsync(id)).At("lastUsedAt").ValueKind.ShouldBe(JsonValueKind.Null);

        (await As(key).PublishAsync(Draft(_user))).ShouldBe(201);
        var listed = await ListedAsync(id);
        listed.At("lastUsedAt").ValueKind.ShouldBe(JsonValueKind.String);
        listed.TryGetProperty("key", out _).ShouldBeFalse();

        (await Fixture.Store.QueryAsync<byte[]>("SELECT key_hash FROM api_keys")).ShouldContain(hash => hash.SequenceEqual(SHA256.HashData(Encoding.UTF8.GetBytes(key))));
        var path = ((SqliteStore)Fixture.Store).Path;
        foreach (var file in new[] { path, path + "-wal" }.Where(File.Exists))
        {
            await using var open = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var bytes = new byte[open.Length];
            await open.ReadExactlyAsync(bytes, TestContext.Current.CancellationToken);
            bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(key[ApiKeys.Prefix.Length..])).ShouldBe(-1, $"{file} has the key");
        }
    }

    [Fact]
    public async Task OnlyAdmins_HaveToDoWithKeys()
    {
        var wanted = new { name = "mine", apps = new[] { WorkBuddy } };
        (await AsUser(_user).PostAsync(Keys, wanted)).Status.ShouldBe(403);
        (await Publisher.PostAsync(Keys, wanted)).Status.ShouldBe(403);
        (await Publisher.GetAsync(Keys)).Status.ShouldBe(403);
        (await Publisher.DeleteAsync($"{Keys}/{(await MakeKeyAsync(WorkBuddy)).Text("id")}")).Status.ShouldBe(403);
        (await As((await MakeKeyAsync(WorkBuddy)).Text("key")).PostAsync(Keys, wanted)).Status.ShouldBe(403);
        (await As(null).PostAsync(Keys, wanted)).ShouldBeProblem(401, "unauthenticated");
        (await Admin.PostAsync(Keys, new { name = "", apps = new[] { WorkBuddy } })).ShouldBeProblem(422, "invalid", "/name");
        (await Admin.PostAsync(Keys, new { name = "k", apps = Array.Empty<string>() })).ShouldBeProblem(422, "invalid", "/apps");
        (await Admin.PostAsync(Keys, new { name = "k", apps = new[] { WorkBuddy }, roles = new[] { "root" } })).ShouldBeProblem(422, "invalid", "/roles");
    }

    private const string Keys = "/api/v1/admin/api-keys";

    private object Mine => new[] { new { filters = new[] { new { path = "taskId", op = "eq", value = _user } } } };

    private string Short() => Tokens.Of(new TokenRequest(_user) { Apps = [WorkBuddy], Lifetime = TimeSpan.FromSeconds(2) });

    private Task<HubClient> ConnectAsync(string token) => HubClient.ConnectAsync(Hub.Address, token);

    private async Task PublishAsync() => (await Publisher.PublishAsync(Draft(_user, task: _user))).ShouldBe(201);

    private static async Task ResetAsync(HubClient hub, string app)
    {
        await Waiting.Eventually("a reset comes", () => hub.Resets.Count > 0, s_revoked);
        hub.Resets.ShouldHaveSingleItem().Text("app").ShouldBe(app);
        hub.Closed.IsCompleted.ShouldBeFalse("the connection stays");
    }

    private async Task<string> AppAsync(string openTopics)
    {
        var app = New("app");
        (await Admin.PutAsync($"/api/v1/apps/{app}/manifest", TestManifest.Of(app, openTopics: openTopics))).ShouldBe(201);
        return app;
    }

    private async Task<JsonElement> MakeKeyAsync(params string[] apps) => (await Admin.PostAsync(Keys, new { name = New("key"), apps })).ShouldBe(201);

    private async Task<JsonElement> ListedAsync(string id) => (await Admin.GetAsync(Keys)).ShouldBe(200).Items("items").Single(item => item.Text("id") == id);
}
