using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteScheduleTests(SqliteFixture fixture) : ScheduleSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresScheduleTests(PostgresFixture fixture) : ScheduleSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Notifications that are sent later, end, or are taken back.</summary>
public abstract class ScheduleSpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    private static readonly string[] s_all = ["in_app", "websocket", "push", "email", "webhook"];

    [Fact]
    public async Task SentAtItsTime_OnceById_ToWhoIsAMemberThen()
    {
        var (node, app) = await StartWithAppAsync();
        var request = new DirectNotificationRequest(app, ["ada", "bob", "eve"], "Later", Channels: ["in_app"], Id: "s-1", SendAt: Start.AddHours(1)) { Data = JsonElement.Parse("""{"a":1}""") };

        var receipt = (await SendAsync(node, request)).Required();
        (receipt.Notified, receipt.Duplicate, receipt.SendAt).ShouldBe((0, false, Start.AddHours(1)));
        (await SendAsync(node, request)).Required().Duplicate.ShouldBeTrue();
        (await SendAsync(node, request with { SendAt = Start.AddHours(2) })).Refused("id_reused");
        await node.Directory.RemoveAsync(app, "bob", Cancel);
        await node.AddMembersAsync(app, "eve");

        Time.Advance(TimeSpan.FromHours(1) - TimeSpan.FromMilliseconds(1));
        (await DoWhatIsDueAsync(node)).ShouldBe(0);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(0);
        Time.Advance(TimeSpan.FromMilliseconds(1));
        (await DoWhatIsDueAsync(node)).ShouldBe(1);
        (await DoWhatIsDueAsync(node)).ShouldBe(0);

        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Data.GetProperty("a").GetInt32().ShouldBe(1);
        (await DeliveriesAsync(node, app)).Select(row => row.UserId).ShouldBe(["ada", "eve"], ignoreOrder: true);
        (await SendAsync(node, request)).Required().Duplicate.ShouldBeTrue("also when it is sent");
        (await node.ListAsync(app, "ada")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task ClaimOfANodeThatDied_IsTakenOver_AndItsLateAnswerMakesNothing()
    {
        var (node, app) = await StartWithAppAsync();
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Later", SendAt: Start.AddMinutes(1)));
        Time.Advance(TimeSpan.FromMinutes(1));

        var late = (await node.Get<NotificationStore>().ClaimScheduledAsync(10, 10, TimeSpan.FromMilliseconds(-1), Time.GetUtcNow())).ShouldHaveSingleItem();
        (await DoWhatIsDueAsync(node)).ShouldBe(1);
        (await node.Get<DirectNotifications>().SendScheduledAsync(late, Time.GetUtcNow(), Cancel)).ShouldBeNull();

        (await node.ListAsync(app, "ada")).Count.ShouldBe(1);
    }

    [Fact]
    public async Task RecalledWhileItIsScheduled_IsNeverSent()
    {
        var (node, app) = await StartWithAppAsync();
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Later", Id: "s-1", SendAt: Start.AddMinutes(1)));

        var recall = (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), app, "s-1", Cancel)).Required();

        (recall.Scheduled, recall.Notifications.Count).ShouldBe((true, 0));
        var repeat = (await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Later", Id: "s-1", SendAt: Start.AddMinutes(1)))).Required();
        (repeat.Duplicate, repeat.SendAt).ShouldBe((true, null), "it does not stand any more");
        Time.Advance(TimeSpan.FromHours(1));
        (await DoWhatIsDueAsync(node)).ShouldBe(0);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(0);
        (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), app, "s-1", Cancel)).Required().Notifications.ShouldBeEmpty();
        (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), app, "s-2", Cancel)).Refused("not_found");
        (await node.Get<Recalls>().RecallAsync(Callers.User("ada", app), app, "s-1", Cancel)).Refused("user_forbidden");
    }

    [Fact]
    public async Task Recalled_BeforeItIsSent_CancelsEverything_AndTheInboxForgetsIt()
    {
        var (node, app) = await StartWithAppAsync();
        await SendAsync(node, new DirectNotificationRequest(app, ["ada", "bob"], "Kept", Channels: s_all));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada", "bob"], "Wrong", Channels: s_all, Id: "w-1"));
        // Ids are made by the clock, and what is in the log follows them.
        Time.Advance(TimeSpan.FromMilliseconds(1));

        var recall = (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), app, "w-1", Cancel)).Required();
        await DeliverAllAsync(node);
        await node.Outbox.RunOnceAsync(Cancel);

        recall.Notifications.Select(notification => notification.UserId).ShouldBe(["ada", "bob"]);
        Outcomes(recall.Notifications[0]).ShouldBe(["email cancelled", "in_app removed", "push cancelled", "webhook cancelled", "websocket removed"]);
        Email.Attempts.Concat(Push.Attempts).Concat(Webhook.Attempts).ShouldAllBe(work => work.Title == "Kept");
        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Title.ShouldBe("Kept");
        (await node.CountAsync(app, "ada")).ShouldBe(new InboxCounts(1, 1, 1, 3));
        var news = (await node.NewsOfAsync(app, "ada"))[^1];
        news.Type.ShouldBe("notification.updated");
        JsonElement.Parse(news.Data).GetProperty("state").GetString().ShouldBe("recalled");
        JsonElement.Parse(news.Data).GetProperty("ids")[0].GetGuid().ShouldBe(recall.Notifications[0].Id);
        JsonElement.Parse(news.Data).GetProperty("counts").GetProperty("unread").GetInt32().ShouldBe(1);
        (await node.Get<Inbox>().MarkAsync(Callers.User("ada", app), recall.Notifications[0].Id, InboxMark.Read, Cancel)).Refused("not_found");

        // Again, nothing more.
        (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), app, "w-1", Cancel)).Required().Notifications.ShouldBeEmpty();
        (await node.CountAsync(app, "ada")).Rev.ShouldBe(3);
    }

    [Fact]
    public async Task Recalled_AfterItWasSent_ReplacesWhatCanBeReplaced_AndSaysWhatCannot()
    {
        var (node, app) = await StartWithAppAsync();
        Webhook.Answer = (_, _) => Task.FromResult(ChannelResult.Delivered);
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Wrong", Channels: s_all));
        await DeliverAllAsync(node);
        var id = (await node.ListAsync(app, "ada"))[0].Id;

        var recall = (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), id, Cancel)).Required();
        Outcomes(recall.Notifications.ShouldHaveSingleItem()).ShouldBe(["email not_recalled", "in_app removed", "push replacing", "webhook replacing", "websocket removed"]);
        Push.Answer = (work, _) => Task.FromResult(work.IsRecalled && Push.Attempts.Count < 3 ? ChannelResult.Failed("503") : ChannelResult.Sent);
        await DeliverAllAsync(node);
        Time.Advance(TimeSpan.FromSeconds(1));
        await DeliverAllAsync(node);

        Push.Attempts.Select(work => work.IsRecalled).ShouldBe([false, true, true], "what replaces it is retried like anything else");
        Webhook.Attempts.Select(work => work.IsRecalled).ShouldBe([false, true]);
        Email.Attempts.Count.ShouldBe(1);
        var push = await DeliveryAsync(node, app, "push");
        (push.Status, push.Reason, push.NextAttemptAt).ShouldBe((DeliveryStatus.Cancelled, "recalled", null));
        (await DeliveryAsync(node, app, "email")).Status.ShouldBe(DeliveryStatus.Sent);
        (await node.Get<Recalls>().RecallAsync(Callers.Publisher("other"), id, Cancel)).Refused("not_found");
    }

    [Fact]
    public async Task RecalledWhileItIsBeingSent_TheClaimWins_AndIsNotTriedAgain()
    {
        var (node, app) = await StartWithAppAsync();
        var (started, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        Email.Answer = async (_, cancel) =>
        {
            started.SetResult();
            await finish.Task.WaitAsync(cancel);
            return ChannelResult.Failed("421");
        };
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Wrong", Channels: ["in_app", "email"]));
        var sending = DeliverAsync(node);
        await started.Task.Soon("it is being sent");

        var recall = (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), (await node.ListAsync(app, "ada"))[0].Id, Cancel)).Required();
        finish.SetResult();
        await sending;

        Outcomes(recall.Notifications[0]).ShouldBe(["email not_recalled", "in_app removed"]);
        var email = await DeliveryAsync(node, app, "email");
        (email.Status, email.Reason, email.NextAttemptAt).ShouldBe((DeliveryStatus.Cancelled, "recalled_after_claim", null));
        Time.Advance(TimeSpan.FromDays(1));
        (await DeliverAsync(node)).ShouldBe(0);
    }

    /// <summary>The node that was sending it died.</summary>
    [Fact]
    public async Task RecalledAfterAClaimThatLapsed_IsNotSentAgain()
    {
        var (node, app) = await StartWithAppAsync();
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Wrong", Channels: ["in_app", "email"]));
        (await node.Get<NotificationStore>().ClaimDeliveriesAsync(["email"], 10, 10, TimeSpan.FromMilliseconds(800), Time.GetUtcNow())).Count.ShouldBe(1);

        var recall = (await node.Get<Recalls>().RecallAsync(Callers.Publisher(app), (await node.ListAsync(app, "ada"))[0].Id, Cancel)).Required();
        Outcomes(recall.Notifications[0]).ShouldBe(["email not_recalled", "in_app removed"]);
        await Eventually("the lease has lapsed", async () => await DeliverAsync(node) > 0);

        Email.Attempts.ShouldBeEmpty();
        var email = await DeliveryAsync(node, app, "email");
        (email.Status, email.Reason, email.NextAttemptAt).ShouldBe((DeliveryStatus.Cancelled, "recalled_after_claim", null));
    }

    [Fact]
    public async Task Expired_IsNotSentAnyMore_AndLeavesTheInbox()
    {
        var (node, app) = await StartWithAppAsync();
        Email.Answer = (_, _) => Task.FromResult(ChannelResult.Failed("down", TimeSpan.FromMinutes(30)));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Table for two", Channels: ["in_app", "email"], ExpiresAt: Start.AddMinutes(20)));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Stays", Channels: ["in_app"]));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Too late", Channels: ["in_app"], SendAt: Start.AddMinutes(5), ExpiresAt: Start.AddMinutes(6)));
        await DeliverAllAsync(node);

        Time.Advance(TimeSpan.FromMinutes(19));
        (await DoWhatIsDueAsync(node)).ShouldBe(1, "the one that was scheduled, and expired before anybody sent it");
        (await node.ListAsync(app, "ada")).Count.ShouldBe(2);
        Time.Advance(TimeSpan.FromMinutes(11));
        (await DoWhatIsDueAsync(node)).ShouldBe(1);
        (await DoWhatIsDueAsync(node)).ShouldBe(0);
        await DeliverAllAsync(node);

        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Title.ShouldBe("Stays");
        (await node.CountAsync(app, "ada")).Unread.ShouldBe(1);
        var email = await DeliveryAsync(node, app, "email");
        (email.Status, email.Reason).ShouldBe((DeliveryStatus.Suppressed, "expired"));
        Email.Attempts.Count.ShouldBe(1);
        await node.Outbox.RunOnceAsync(Cancel);
        (await node.NewsOfAsync(app, "ada"))[^1].Actor.ShouldBe(Core.Apps.Caller.Service.Sub);
    }

    [Fact]
    public async Task OverAge_IsDeletedWithAllThatBelongsToIt_AndTheCountsAgree()
    {
        var (node, app) = await StartWithAppAsync();
        for (var i = 0; i < 3; i++)
            await SendAsync(node, new DirectNotificationRequest(app, ["ada", "bob"], $"Old {i}", Channels: s_all, Id: $"o-{i}"));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "Far ahead", Id: "f-1", SendAt: Start.AddDays(200)));
        await DeliverAllAsync(node);
        (await node.Get<Inbox>().MarkAsync(Callers.User("ada", app), (await node.ListAsync(app, "ada"))[0].Id, InboxMark.Read, Cancel)).Required();
        Time.Advance(TimeSpan.FromDays(90));
        await SendAsync(node, new DirectNotificationRequest(app, ["ada"], "New", Channels: s_all, Id: "n-1"));
        await node.Get<NotificationRetention>().RunOnceAsync(Cancel);
        (await node.CountAsync(app, "ada")).Total.ShouldBe(4, "not a day too early");

        Time.Advance(TimeSpan.FromMilliseconds(1));
        await node.Get<NotificationRetention>().RunOnceAsync(Cancel);
        await node.Get<NotificationRetention>().RunOnceAsync(Cancel);

        (await node.ListAsync(app, "ada")).ShouldHaveSingleItem().Title.ShouldBe("New");
        var ada = await node.CountAsync(app, "ada");
        (ada.Total, ada.Unread, ada.Unseen).ShouldBe((1, 1, 1));
        (await node.CountAsync(app, "bob")).Total.ShouldBe(0);
        (await DeliveriesAsync(node, app)).ShouldAllBe(row => row.UserId == "ada");
        await using (var context = node.Database.ForService())
        {
            (await context.DeliveryAttempts.CountAsync(row => row.App == app, Cancel)).ShouldBe(0);
            (await context.NotificationRequests.Where(row => row.App == app).Select(row => row.Id).Order().ToListAsync(Cancel)).ShouldBe(["f-1", "n-1"]);
        }

        await node.Outbox.RunOnceAsync(Cancel);
        var news = JsonElement.Parse((await node.NewsOfAsync(app, "ada"))[^1].Data);
        (news.GetProperty("state").GetString(), news.GetProperty("ids").GetArrayLength(), news.GetProperty("counts").GetProperty("rev").GetInt64()).ShouldBe(("deleted", 3, ada.Rev));
    }

    [Theory]
    [InlineData(400 * 24, null, "/sendAt")]
    [InlineData(null, -1, "/expiresAt")]
    [InlineData(2, 1, "/expiresAt")]
    public async Task TimesThatMakeNoSense_AreRefused(int? sendInHours, int? expiresInHours, string pointer)
    {
        var (node, app) = await StartWithAppAsync();
        var refused = await SendAsync(node, new DirectNotificationRequest(
            app, ["ada"], "t", SendAt: sendInHours is { } send ? Start.AddHours(send) : null, ExpiresAt: expiresInHours is { } end ? Start.AddHours(end) : null));
        refused.Fault!.Errors!.Keys.ShouldBe([pointer]);
    }

    private async Task<(LogHost Node, string App)> StartWithAppAsync()
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync(Array.Empty<object>());
        await node.AddMembersAsync(app, "ada", "bob");
        await AddBrowserAsync(node, app, "ada");
        return (node, app);
    }

    private static Task<Core.Outcome<DirectNotificationReceipt>> SendAsync(LogHost node, DirectNotificationRequest request) =>
        node.Get<DirectNotifications>().SendAsync(Callers.Publisher(request.App!), request, Cancel);

    private static List<string> Outcomes(RecalledNotification notification) =>
        [.. notification.Deliveries.Select(delivery => $"{delivery.Channel} {delivery.Outcome}").Order(StringComparer.Ordinal)];
}
