using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteEscalationTests(SqliteFixture fixture) : EscalationSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresEscalationTests(PostgresFixture fixture) : EscalationSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>Push and e-mail only for who did not acknowledge in time.</summary>
public abstract class EscalationSpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    /// <summary>The rule's 60 seconds, and the time in which an acknowledgement reaches the store.</summary>
    private static readonly TimeSpan s_hold = TimeSpan.FromSeconds(65);

    [Fact]
    public async Task NotAcknowledged_ExactlyOneMailAndPush_WhenTheTimeIsOver()
    {
        var (node, app) = await StartWithAppAsync();
        await PublishAsync(node, app);

        var held = await DeliveryAsync(node, app, "email");
        (held.Status, held.Reason, held.NextAttemptAt).ShouldBe((DeliveryStatus.Pending, "unless_acked", Start + s_hold));
        Time.Advance(s_hold - TimeSpan.FromMilliseconds(1));
        (await DeliverAsync(node)).ShouldBe(0);
        Time.Advance(TimeSpan.FromMilliseconds(1));
        await DeliverAllAsync(node);
        Time.Advance(TimeSpan.FromDays(1));
        await DeliverAllAsync(node);

        (Email.Attempts.Count, Push.Attempts.Count, Webhook.Attempts.Count).ShouldBe((1, 1, 0));
    }

    [Fact]
    public async Task AcknowledgedInTime_ByAnyDevice_NoMail()
    {
        var (node, app) = await StartWithAppAsync();
        var stream = $"{app}/users/ada";
        await using var phone = RunningSession.Open(node, Callers.User("ada", app));
        await phone.SubscribeAsync(new SubscribeRequest(app));
        await using var laptop = RunningSession.Open(node, Callers.User("ada", app));
        await laptop.SubscribeAsync(new SubscribeRequest(app));

        await PublishAsync(node, app);
        await laptop.ReachAsync(stream, 2);
        await node.Get<EvidenceLog>().SaveAsync(Cancel);
        (await DeliveryAsync(node, app, "email")).Status.ShouldBe(DeliveryStatus.Pending, "pushed is not received");
        laptop.Ack(app, stream, 2);
        await node.Get<EvidenceLog>().SaveAsync(Cancel);

        foreach (var channel in new[] { "email", "push" })
        {
            var cancelled = await DeliveryAsync(node, app, channel);
            (cancelled.Status, cancelled.Reason, cancelled.NextAttemptAt).ShouldBe((DeliveryStatus.Cancelled, "acknowledged", null));
        }

        Time.Advance(TimeSpan.FromDays(1));
        (await DeliverAsync(node)).ShouldBe(0);
    }

    [Theory]
    [InlineData(InboxMark.Seen, true)]
    [InlineData(InboxMark.Read, true)]
    [InlineData(InboxMark.Archived, true)]
    public async Task SeenInTheInbox_IsAsGoodAsAcknowledged(InboxMark mark, bool isCancelled)
    {
        var (node, app) = await StartWithAppAsync();
        await PublishAsync(node, app);
        await PublishAsync(node, app);
        var id = (await node.ListAsync(app, "ada"))[0].Id;

        (await node.Get<Inbox>().MarkAsync(Callers.User("ada", app), id, mark, Cancel)).Required();

        (await DeliveriesAsync(node, app, "email")).Single(row => row.NotificationId == id).Status.ShouldBe(isCancelled ? DeliveryStatus.Cancelled : DeliveryStatus.Pending);
        Time.Advance(s_hold);
        await DeliverAllAsync(node);
        Email.Attempts.ShouldHaveSingleItem().NotificationId.ShouldNotBe(id);
    }

    /// <summary>Both orders of the race: the acknowledgement comes while the mail is being sent.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ClaimThatWasFaster_Wins_AndIsOnRecord_AndIsNotTriedAgain(bool succeeds)
    {
        var (node, app) = await StartWithAppAsync();
        await PublishAsync(node, app);
        Time.Advance(s_hold);
        var (started, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        Email.Answer = async (_, cancel) =>
        {
            started.SetResult();
            await finish.Task.WaitAsync(cancel);
            return succeeds ? ChannelResult.Sent : ChannelResult.Failed("421 later");
        };

        var sending = DeliverAsync(node);
        await started.Task.Soon("the mail is being sent");
        await MarkReadAsync(node, app);
        (await DeliveryAsync(node, app, "email")).Reason.ShouldBe("acked_after_claim");
        finish.SetResult();
        await sending;

        var delivery = await DeliveryAsync(node, app, "email");
        (delivery.Status, delivery.Reason, delivery.NextAttemptAt).ShouldBe((succeeds ? DeliveryStatus.Sent : DeliveryStatus.Cancelled, "acked_after_claim", null));
        Time.Advance(TimeSpan.FromDays(1));
        await DeliverAllAsync(node);
        Email.Attempts.Count.ShouldBe(1);
    }

    /// <summary>The node that had claimed it died: nobody knows whether it was sent.</summary>
    [Fact]
    public async Task AcknowledgedAfterAClaimThatLapsed_IsNotSentAgain()
    {
        var (node, app) = await StartWithAppAsync();
        await PublishAsync(node, app);
        Time.Advance(s_hold);
        // A lease that holds when it is acknowledged, and has lapsed when the next worker looks.
        (await node.Get<NotificationStore>().ClaimDeliveriesAsync(["email"], 10, 10, TimeSpan.FromMilliseconds(800), Time.GetUtcNow())).Count.ShouldBe(1);
        await MarkReadAsync(node, app);
        (await DeliveryAsync(node, app, "email")).Reason.ShouldBe("acked_after_claim");

        await Eventually("the lease has lapsed", async () => await DeliverAsync(node) > 0);

        Email.Attempts.ShouldBeEmpty();
        var delivery = await DeliveryAsync(node, app, "email");
        (delivery.Status, delivery.Reason, delivery.NextAttemptAt).ShouldBe((DeliveryStatus.Cancelled, "acked_after_claim", null));
    }

    [Fact]
    public async Task AcknowledgementThatWasFaster_LeavesNothingToClaim()
    {
        var (node, app) = await StartWithAppAsync();
        await PublishAsync(node, app);
        Time.Advance(s_hold);

        await MarkReadAsync(node, app);
        (await DeliverAsync(node)).ShouldBe(0);

        Email.Attempts.ShouldBeEmpty();
        Push.Attempts.ShouldBeEmpty();
    }

    [Fact]
    public async Task BothAtOnce_ManyTimes_OneOfThemWins()
    {
        const int Rounds = 40;
        var (node, app) = await StartWithAppAsync();
        for (var i = 0; i < Rounds; i++)
            await PublishAsync(node, app);
        Time.Advance(s_hold);
        var ids = (await node.ListAsync(app, "ada")).Select(notification => notification.Id).ToList();

        await Task.WhenAll(
            DeliverAllAsync(node),
            Task.Run(async () =>
            {
                foreach (var id in ids)
                    (await node.Get<Inbox>().MarkAsync(Callers.User("ada", app), id, InboxMark.Read, Cancel)).Required();
            }, Cancel));
        await DeliverAllAsync(node);

        var sent = Email.Attempts.Select(work => work.Id).ToHashSet();
        Email.Attempts.Count.ShouldBe(sent.Count, "none is sent twice");
        foreach (var row in await DeliveriesAsync(node, app, "email"))
        {
            var expected = sent.Contains(row.Id) ? DeliveryStatus.Sent : DeliveryStatus.Cancelled;
            row.Status.ShouldBe(expected, $"{row.Id} {row.Reason}");
            (row.Reason ?? "none").ShouldBeOneOf(sent.Contains(row.Id) ? ["none", "acked_after_claim"] : ["acknowledged"]);
        }
    }

    [Fact]
    public async Task RuleWithoutLiveDelivery_IsRefused()
    {
        var node = await StartAsync();
        var manifest = TestManifest.Of("escalating").Replace("\"notifications\": []", "", StringComparison.Ordinal);
        var json = System.Text.Json.Nodes.JsonNode.Parse(manifest)!.AsObject();
        json["notifications"] = new System.Text.Json.Nodes.JsonArray(System.Text.Json.JsonSerializer.SerializeToNode(
            new { name = "r", on = TestManifest.Type, title = "t", channels = new[] { "email" }, unlessAckedWithin = 60 }));
        var put = await node.Manifests.PutAsync("escalating", System.Text.Json.JsonElement.Parse(json.ToJsonString()), new(), Cancel);
        put.Fault!.Errors!.Keys.ShouldBe(["/notifications/0/unlessAckedWithin"]);
    }

    private async Task<(LogHost Node, string App)> StartWithAppAsync()
    {
        var node = await StartAsync();
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", channels = new[] { "in_app", "websocket", "push", "email" }, unlessAckedWithin = 60 });
        await node.AddMembersAsync(app, "ada");
        await AddBrowserAsync(node, app, "ada");
        return (node, app);
    }

    private static async Task MarkReadAsync(LogHost node, string app) =>
        (await node.Get<Inbox>().ReadAllAsync(Callers.User("ada", app), app, null, Cancel)).Required();
}
