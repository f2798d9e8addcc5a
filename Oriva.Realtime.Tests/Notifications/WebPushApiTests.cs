using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Notifications;

public sealed class WebPushApiTests(ApiFixture fixture) : WebPushApiSpecification(fixture), IClassFixture<ApiFixture>;

public sealed class WebPushApiOnPostgresTests(PostgresHub fixture) : WebPushApiSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>Browsers subscribe, move and leave.</summary>
public abstract class WebPushApiSpecification(HubFixture fixture) : HubTests(fixture)
{
    private const string PublicKey = "/api/v1/push/public-key";
    private const string Subscriptions = "/api/v1/push/subscriptions";

    // Of the example in RFC 8291; the second is no point on the curve.
    private const string GoodKey = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    private const string OffCurve = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw8";
    private const string GoodAuth = "BTBZMqHH6r4Tts7J_aSIgg";
    private const string GoodEndpoint = "https://push.example.com/1";

    private readonly string _user = New("user");

    [Fact]
    public async Task Browser_Subscribes_GetsItsPush_AndLeaves()
    {
        await using var service = await HttpReceiver.StartAsync();
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["WebPush:AllowPrivateAddresses"] = "true", ["WebPush:Subject"] = "https://oriva.example/contact" });
        var ada = hub.As(Tokens.User(_user, WorkBuddy));
        var key = (await ada.GetAsync(PublicKey)).ShouldBe(200).Text("publicKey");
        P256.ReadPublicKey(key).ShouldBe(key);
        using var browser = new PushBrowser(service.NewUrl());
        var subscription = (await ada.PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200);

        var work = Work(subscription.Text("id"), _user) with { Content = WebPushChannel.ContentOf(browser.Endpoint) };
        await PushQueue.AddAsync(hub.Get<RealtimeDatabase>(), work);

        await Eventually("it is pushed", () => service.Requests.Count == 1);
        browser.Read(service.Single.Body).Text("title").ShouldBe("Hello");
        WebPushSpecification.ReadVapid(service.Single, key).Text("sub").ShouldBe("https://oriva.example/contact");
        await Eventually("the delivery says so", async () =>
            (await ada.GetAsync($"/api/v1/notifications/{work.NotificationId}/deliveries")).ShouldBe(200).Items("items").Single(item => item.Text("channel") == "push").Text("status") == "sent");

        (await RemoveAsync(ada, browser.Endpoint)).ShouldBe(204);
        (await RemoveAsync(ada, browser.Endpoint)).ShouldBeProblem(404, "not_found");
        hub.Log.ToString().ShouldNotContain(browser.Auth);
    }

    [Fact]
    public async Task SameBrowser_IsTheSameSubscription_WithItsNewKeys()
    {
        using var browser = new PushBrowser($"https://push.example.com/{_user}");
        using var renewed = new PushBrowser(browser.Endpoint);

        var first = (await AsUser(_user).PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200);
        first.Names().ShouldBe(["id", "app", "endpoint", "createdAt"]);
        (first.Text("app"), first.Text("endpoint")).ShouldBe((WorkBuddy, browser.Endpoint));
        (await AsUser(_user).PutAsync(Subscriptions, renewed.ToRequest(WorkBuddy))).ShouldBe(200).GetRawText().ShouldBe(first.GetRawText());

        var row = (await RowsAsync(WorkBuddy, browser.Endpoint)).ShouldHaveSingleItem();
        (row.P256dh, row.Auth).ShouldBe((renewed.P256dh, renewed.Auth));
        (await AsUser(_user, HugoLove).PutAsync(Subscriptions, browser.ToRequest(HugoLove))).ShouldBe(200).Text("id").ShouldNotBe(first.Text("id"), "another app");
    }

    [Fact]
    public async Task BrowserOfAnotherUser_IsThatUsersNoMore_AndWhatWaitedForTheFirstIsNotSent()
    {
        await using var service = await HttpReceiver.StartAsync();
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["WebPush:AllowPrivateAddresses"] = "true" });
        using var browser = new PushBrowser(service.NewUrl());
        var (ada, bob) = (hub.As(Tokens.User(_user, WorkBuddy)), hub.As(Tokens.User("bob", WorkBuddy)));
        var first = (await ada.PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200).Text("id");
        var second = (await bob.PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200).Text("id");

        second.ShouldNotBe(first);
        (await RemoveAsync(ada, browser.Endpoint)).ShouldBeProblem(404, "not_found");
        var (toAda, toBob) = (Work(first, _user), Work(second, "bob"));
        await PushQueue.AddAsync(hub.Get<RealtimeDatabase>(), toAda);
        await PushQueue.AddAsync(hub.Get<RealtimeDatabase>(), toBob);
        await Eventually("bob's is sent, ada's is not", async () =>
        {
            await using var context = hub.Get<RealtimeDatabase>().ForService();
            var rows = await context.Deliveries.ToDictionaryAsync(row => row.Id, row => (row.Status, row.Reason), TestContext.Current.CancellationToken);
            return rows[toBob.Id].Status == DeliveryStatus.Sent && rows[toAda.Id] == (DeliveryStatus.Suppressed, "subscription_gone");
        });
        service.Requests.Count.ShouldBe(1);
    }

    [Fact]
    public async Task SameBrowserAtOnce_BySeveralUsers_IsOneOfThems()
    {
        using var browser = new PushBrowser($"https://push.example.com/{_user}");

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => AsUser($"{_user}-{i % 4}").PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))));

        answers.ShouldAllBe(answer => answer.Status == 200);
        (await RowsAsync(WorkBuddy, browser.Endpoint)).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task TwentyFirstBrowser_ReplacesTheOldest()
    {
        var browsers = Enumerable.Range(0, 21).Select(i => new PushBrowser($"https://push.example.com/{_user}/{i}")).ToList();
        foreach (var browser in browsers)
            (await AsUser(_user).PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200);

        (await RowsAsync(WorkBuddy, browsers[0].Endpoint)).ShouldBeEmpty();
        foreach (var browser in browsers.Skip(1))
            (await RowsAsync(WorkBuddy, browser.Endpoint)).ShouldHaveSingleItem().UserId.ShouldBe(_user);
        browsers.ForEach(browser => browser.Dispose());
    }

    [Theory]
    [InlineData(null, GoodKey, GoodAuth, "/endpoint")]
    [InlineData("", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("/push", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("http://push.example.com/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("ftp://push.example.com/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://user:pass@push.example.com/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://push.example.com/1 2", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://push.example.com/ü", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://push.example.com/\0", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://127.0.0.1/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://0x7f.1/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://169.254.169.254/latest", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://[::1]/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData("https://[::ffff:10.0.0.1]/1", GoodKey, GoodAuth, "/endpoint")]
    [InlineData(GoodEndpoint, null, GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, "", GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, "BCVx", GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, OffCurve, GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, "A" + "CVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, "not base64!", GoodAuth, "/keys/p256dh")]
    [InlineData(GoodEndpoint, GoodKey, null, "/keys/auth")]
    [InlineData(GoodEndpoint, GoodKey, "BTBZMqHH6r4Tts7J_aSI", "/keys/auth")]
    [InlineData(GoodEndpoint, GoodKey, GoodAuth + "AA", "/keys/auth")]
    [InlineData(GoodEndpoint, GoodKey, "?", "/keys/auth")]
    public async Task WrongSubscription_IsRefused(string? endpoint, string? p256dh, string? auth, string pointer) =>
        (await AsUser(_user).PutAsync(Subscriptions, new { app = WorkBuddy, endpoint, keys = new { p256dh, auth } })).ShouldBeProblem(422, "invalid", pointer);

    [Fact]
    public async Task EverythingWrong_IsNamedAtOnce_AndLimitsHold()
    {
        (await AsUser(_user).PutAsync(Subscriptions, new { app = WorkBuddy })).ShouldBeProblem(422, "invalid", "/endpoint", "/keys/p256dh", "/keys/auth");
        object Of(string endpoint, string? userAgent) => new { app = WorkBuddy, endpoint, userAgent, keys = new { p256dh = GoodKey, auth = GoodAuth } };
        (await AsUser(_user).PutAsync(Subscriptions, Of("https://push.example.com/".PadRight(2_001, 'x'), null))).ShouldBeProblem(413, "too_large", "/endpoint");
        (await AsUser(_user).PutAsync(Subscriptions, Of($"https://push.example.com/{_user}/".PadRight(2_000, 'x'), "Firefox"))).ShouldBe(200);
        (await AsUser(_user).PutAsync(Subscriptions, Of(GoodEndpoint, new string('x', 501)))).ShouldBeProblem(413, "too_large", "/userAgent");
        (await AsUser(_user).PutAsync(Subscriptions, Of(GoodEndpoint, "\0"))).ShouldBeProblem(422, "invalid", "/userAgent");
        (await AsUser(_user).PutAsync(Subscriptions, new { app = WorkBuddy, endpoint = 1 })).ShouldBeProblem(422, "invalid", "/endpoint");
        (await AsUser(_user).PutAsync(Subscriptions, "[")).ShouldBeProblem(400, "malformed");
    }

    [Fact]
    public async Task OnlyOnesOwn_InOnesOwnApps()
    {
        using var browser = new PushBrowser($"https://push.example.com/{_user}");
        (await AsUser(_user).PutAsync(Subscriptions, browser.ToRequest(HugoLove))).ShouldBeProblem(403, "app_forbidden");
        (await AsUser(_user, "no-such-app").PutAsync(Subscriptions, browser.ToRequest("no-such-app"))).ShouldBeProblem(404, "not_found");
        (await AsUser(_user).PutAsync(Subscriptions, browser.ToRequest(null!))).ShouldBeProblem(422, "invalid", "/app");
        (await AsUser(_user).PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBe(200);

        (await RemoveAsync(AsUser(New("eve")), browser.Endpoint)).ShouldBeProblem(404, "not_found");
        (await RemoveAsync(Publisher, browser.Endpoint)).ShouldBeProblem(404, "not_found");
        (await RemoveAsync(AsUser(_user), null)).ShouldBeProblem(404, "not_found");
        (await RemoveAsync(AsUser(_user), "\0")).ShouldBeProblem(404, "not_found");
        (await RemoveAsync(As(null), browser.Endpoint)).Status.ShouldBe(401);
        (await RemoveAsync(AsUser(_user), browser.Endpoint)).ShouldBe(204);
    }

    [Fact]
    public async Task WithoutKeys_ThereIsNoWebPush()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Storage:MigrateAtStart"] = "true" }, "Production");
        using var browser = new PushBrowser(GoodEndpoint);
        var ada = hub.As(Tokens.User(_user, WorkBuddy));

        (await ada.GetAsync(PublicKey)).ShouldBeProblem(404, "not_found");
        (await ada.PutAsync(Subscriptions, browser.ToRequest(WorkBuddy))).ShouldBeProblem(404, "not_found");
    }

    private static DeliveryWork Work(string target, string user)
    {
        var now = StoreTime.Truncate(TimeProvider.System.GetUtcNow());
        return new DeliveryWork(Guid.CreateVersion7(now), Guid.Empty, Guid.CreateVersion7(now), WorkBuddy, user, "r", "push", 0) { Title = "Hello", Data = "{}", CreatedAt = now, Target = target };
    }

    private static Task<HttpAnswer> RemoveAsync(ApiCaller caller, string? endpoint) =>
        caller.SendAsync(HttpMethod.Delete, Subscriptions, new { app = WorkBuddy, endpoint }, "application/json", []);

    private async Task<List<Core.Storage.Rows.PushSubscriptionRow>> RowsAsync(string app, string endpoint)
    {
        await using var context = Hub.Get<RealtimeDatabase>().ForService();
        return await context.PushSubscriptions.Where(row => row.App == app && row.Endpoint == endpoint).ToListAsync(TestContext.Current.CancellationToken);
    }
}
