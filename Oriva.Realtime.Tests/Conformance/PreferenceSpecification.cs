using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqlitePreferenceTests(SqliteFixture fixture) : PreferenceSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresPreferenceTests(PostgresFixture fixture) : PreferenceSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>What users want to be told, where and when: stored, rendered, and kept to by routing and by delivery.</summary>
public abstract class PreferenceSpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    private static readonly string[] s_all = ["in_app", "websocket", "push", "email"];

    [Fact]
    public async Task Matrix_HasARowForEachTypeThatIsNotifiedAbout_AndItsChannels()
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync(
            new { name = "a", on = TestManifest.Type, title = "t", channels = new[] { "in_app", "email", "webhook" } },
            new { name = "b", on = TestManifest.Type, title = "t", channels = new[] { "push" } },
            new { name = "c", on = "user.updated", title = "t", required = true });
        await node.AddMembersAsync(app, "ada", "bob");
        var preferences = node.Get<Preferences>();

        var matrix = (await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required();
        (matrix.Muted, matrix.QuietHours).ShouldBe((false, null));
        Describe(matrix).ShouldBe([$"{TestManifest.Type} in_app+ push+ email+", "user.updated! in_app+ websocket+", "* in_app+ websocket+ push+ email+"]);

        var wanted = new PreferenceMatrix(true, [Item(TestManifest.Type, ("email", false), ("push", true)), Item("*", ("websocket", false))], new QuietHours("22:00", "07:00", "Europe/Berlin"));
        var put = (await preferences.PutAsync(Callers.User("ada", app), app, wanted, Cancel)).Required();
        Describe(put).ShouldBe([$"{TestManifest.Type} in_app+ push+ email-", "user.updated! in_app+ websocket+", "* in_app+ websocket- push+ email+"]);
        var read = (await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required();
        Describe(read).ShouldBe(Describe(put));
        (read.Muted, read.QuietHours).ShouldBe((true, wanted.QuietHours));

        // Everybody's own; and what is read can be put as it is.
        (await preferences.FindAsync(Callers.User("bob", app), app, Cancel)).Required().Muted.ShouldBeFalse();
        Describe((await preferences.PutAsync(Callers.User("ada", app), app, read, Cancel)).Required()).ShouldBe(Describe(read));
        // Put is the whole of it.
        Describe((await preferences.PutAsync(Callers.User("ada", app), app, new PreferenceMatrix(false, null, null), Cancel)).Required()).ShouldAllBe(line => !line.Contains('-'));
    }

    [Fact]
    public async Task WhatCannotBeWanted_IsRefused_WithEveryFault()
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync(
            new { name = "a", on = TestManifest.Type, title = "t", channels = new[] { "in_app", "email" } }, new { name = "c", on = "user.updated", title = "t", required = true });
        await node.AddMembersAsync(app, "ada");
        var preferences = node.Get<Preferences>();

        var refused = await preferences.PutAsync(
            Callers.User("ada", app), app,
            new PreferenceMatrix(false, [Item(TestManifest.Type, ("push", false)), Item("user.updated", ("in_app", false)), Item("no.such", ("in_app", true))], new QuietHours("22:00", "late")), Cancel);

        refused.Fault!.Errors!.Keys.Order(StringComparer.Ordinal).ShouldBe(["/items/0/channels/push", "/items/1/channels/in_app", "/items/2/type", "/quietHours/to"]);
        (await preferences.FindAsync(Callers.User("ada", "elsewhere"), app, Cancel)).Refused("app_forbidden");
    }

    [Fact]
    public async Task WhatIsTurnedOff_IsSuppressed_WithItsReason_AndWhatIsRequiredIsNot()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        await SetAsync(node, app, new PreferenceMatrix(false, [Item(TestManifest.Type, ("email", false), ("websocket", false))], null));

        await PublishAsync(node, app);
        await DeliverAllAsync(node);

        (await ReasonsAsync(node, app)).ShouldBe(["email suppressed preference", "in_app delivered", "push sent", "websocket suppressed preference"]);
        Email.Attempts.ShouldBeEmpty();
        (await node.CountAsync(app, "ada")).Total.ShouldBe(1);

        await node.PutRulesAsync(app, new { name = "r", on = TestManifest.Type, title = "t", channels = s_all, required = true });
        await PublishAsync(node, app);
        await DeliverAllAsync(node);
        Email.Attempts.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Muted_NothingIsSentOrCounted_ButOnRecord()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        await SetAsync(node, app, new PreferenceMatrix(true, null, null));

        await PublishAsync(node, app);
        await node.Outbox.RunOnceAsync(Cancel);

        (await ReasonsAsync(node, app)).ShouldBe(["email suppressed muted", "in_app suppressed muted", "push suppressed muted", "websocket suppressed muted"]);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(0);
        (await node.ListAsync(app, "ada")).ShouldBeEmpty();
        (await node.NewsOfAsync(app, "ada")).ShouldBeEmpty();
    }

    [Fact]
    public async Task TurnedOffWhileItWaits_IsNotSent()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        await PublishAsync(node, app);

        await node.Get<Preferences>().MuteAsync(app, "ada", TestManifest.Type, "email", Cancel);
        await node.Get<Preferences>().MuteAsync(app, "ada", TestManifest.Type, "email", Cancel);
        await DeliverAllAsync(node);

        (await ReasonsAsync(node, app)).ShouldBe(["email suppressed preference", "in_app delivered", "push sent", "websocket pending"]);
    }

    [Fact]
    public async Task UnsubscribedFromATypeWithoutARule_IsShown_AndOutlivesOtherChanges()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        var preferences = node.Get<Preferences>();
        await preferences.MuteAsync(app, "ada", "app.updated", "email", Cancel);

        Describe((await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required())[0].ShouldBe("app.updated in_app+ websocket+ push+ email-");
        await SetAsync(node, app, new PreferenceMatrix(false, [Item(TestManifest.Type, ("push", false))], null));
        var kept = await node.Get<DirectNotifications>().SendAsync(Callers.Publisher(app), new DirectNotificationRequest(app, ["ada"], "News", Type: "app.updated", Channels: ["email"]), Cancel);
        kept.Required();
        (await ReasonsAsync(node, app)).ShouldBe(["email suppressed preference"]);

        // Named, it can be turned on again.
        await SetAsync(node, app, new PreferenceMatrix(false, [Item("app.updated", ("email", true))], null));
        Describe((await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required()).ShouldNotContain(line => line.Contains('-'));
    }

    [Fact]
    public async Task Everything_IsOneWord_ThatDoesNotStickToTheTypes()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        var preferences = node.Get<Preferences>();
        await SetAsync(node, app, new PreferenceMatrix(false, [Item("*", ("email", false))], null));
        await PublishAsync(node, app);
        (await ReasonsAsync(node, app)).ShouldContain("email suppressed preference");

        var shown = (await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required();
        await SetAsync(node, app, shown with { Items = [.. shown.Items!.SkipLast(1), Item("*", ("email", true))] });

        Describe((await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required()).ShouldNotContain(line => line.Contains('-'));
    }

    [Fact]
    public async Task ChangesAtOnce_AreAllKept()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        var preferences = node.Get<Preferences>();

        await Task.WhenAll(s_all.Select(channel => preferences.MuteAsync(app, "ada", TestManifest.Type, channel, Cancel)));

        Describe((await preferences.FindAsync(Callers.User("ada", app), app, Cancel)).Required())[0].ShouldBe($"{TestManifest.Type} in_app- websocket- push- email-");
    }

    [Fact]
    public async Task QuietHours_HoldPushAndEmail_AndNothingElse_OverTheChangeToSummerTime()
    {
        Time = new(new DateTimeOffset(2026, 3, 28, 22, 30, 0, TimeSpan.Zero)); // 23:30 in Berlin, and at 02:00 the clocks change
        var node = await StartAsync();
        var app = await AppAsync(node);
        await node.Directory.PutAsync(app, "ada", new AppUserDetails(null, null, "Europe/Berlin"), Cancel);
        await SetAsync(node, app, new PreferenceMatrix(false, null, new QuietHours("22:00", "07:00")));

        await PublishAsync(node, app);
        await DeliverAllAsync(node);

        (await ReasonsAsync(node, app)).ShouldBe(["email pending quiet_hours", "in_app delivered", "push pending quiet_hours", "websocket pending"]);
        (await DeliveryAsync(node, app, "email")).NextAttemptAt.ShouldBe(new DateTimeOffset(2026, 3, 29, 5, 0, 0, TimeSpan.Zero), "07:00 of the new time");
        (await DeliveryAsync(node, app, "email")).Attempts.ShouldBe(0);
        Time.SetUtcNow(new DateTimeOffset(2026, 3, 29, 4, 59, 59, TimeSpan.Zero));
        (await DeliverAsync(node)).ShouldBe(0);
        Time.SetUtcNow(new DateTimeOffset(2026, 3, 29, 5, 0, 0, TimeSpan.Zero));
        await DeliverAllAsync(node);
        (await ReasonsAsync(node, app)).ShouldBe(["email sent", "in_app delivered", "push sent", "websocket pending"]);
    }

    [Fact]
    public async Task EveryBrowser_HasItsOwnDelivery_AndWithoutOneThereIsAReason()
    {
        var node = await StartAsync();
        var app = await AppAsync(node);
        var second = await AddBrowserAsync(node, app, "ada", "other.example");
        await node.AddMembersAsync(app, "bob");

        await PublishAsync(node, app);
        await PublishAsync(node, app, "bob");
        Push.Answer = (work, _) => Task.FromResult(work.Target == second.ToString() ? ChannelResult.Suppressed("subscription_gone", "410 Gone") : ChannelResult.Sent);
        await DeliverAllAsync(node);

        (await DeliveriesAsync(node, app, "push")).Select(row => (row.UserId, row.Status, row.Reason)).ShouldBe(
            [("ada", DeliveryStatus.Sent, null), ("ada", DeliveryStatus.Suppressed, "subscription_gone"), ("bob", DeliveryStatus.Suppressed, "no_push_subscription")], ignoreOrder: true);
        Push.Attempts.Single(work => work.Target == second.ToString()).Content.ShouldBe("""{"host":"other.example"}""");
    }

    private static async Task<string> AppAsync(LogHost node)
    {
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", channels = s_all });
        await node.AddMembersAsync(app, "ada");
        await AddBrowserAsync(node, app, "ada");
        return app;
    }

    private static async Task SetAsync(LogHost node, string app, PreferenceMatrix matrix) => (await node.Get<Preferences>().PutAsync(Callers.User("ada", app), app, matrix, Cancel)).Required();

    /// <summary>Of the newest notification.</summary>
    private static async Task<List<string>> ReasonsAsync(LogHost node, string app)
    {
        var rows = await DeliveriesAsync(node, app);
        return [.. rows.Where(row => row.NotificationId == rows[^1].NotificationId).OrderBy(row => row.Channel, StringComparer.Ordinal).Select(row => $"{row.Channel} {row.Status} {row.Reason}".TrimEnd())];
    }

    private static PreferenceItem Item(string type, params (string Channel, bool IsOn)[] channels) => new(type, null, false, channels.ToDictionary(channel => channel.Channel, channel => channel.IsOn));

    private static List<string> Describe(PreferenceMatrix matrix) =>
        [.. matrix.Items!.Select(item => $"{item.Type}{(item.Required ? "!" : "")} {string.Join(' ', item.Channels!.Select(channel => channel.Key + (channel.Value ? '+' : '-')))}")];
}
