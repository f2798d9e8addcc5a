using System.Diagnostics;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Notifications;

namespace Oriva.Realtime.Tests.Conformance;

public sealed class SqliteSmtpOutageTests(SqliteFixture fixture) : SmtpOutageSpecification(fixture), IClassFixture<SqliteFixture>;

public sealed class PostgresSmtpOutageTests(PostgresFixture fixture) : SmtpOutageSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>A mail server that is dead for ten minutes delays mail and nothing else, and costs no mail.</summary>
public abstract class SmtpOutageSpecification(StoreFixture fixture) : SteppedSpecification(fixture)
{
    private const string PrivateKey = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    private const int Users = 10;

    [Fact]
    public async Task TenMinutesOfOutage_LeaveLiveDeliveryAndPushAlone_AndAllMailGoesOutAfterwards()
    {
        await using var mail = new MailServer();
        await using var service = await HttpReceiver.StartAsync();
        var node = await StartSteppedAsync(await Fixture.NewStoreAsync(), delivery => delivery.CircuitFailures = 5, new LogHostSettings
        {
            Smtp = smtp => (smtp.Host, smtp.Port, smtp.Security, smtp.From) = ("127.0.0.1", mail.Port, SmtpSecurity.None, "news@realtime.example"),
            WebPush = push => (push.PublicKey, push.PrivateKey, push.Subject, push.AllowPrivateAddresses) = (P256.PublicKeyOf(PrivateKey), PrivateKey, "mailto:ops@example.com", true),
        });
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "{{ data.n }}", to = "members", channels = new[] { "in_app", "websocket", "push", "email" } });
        for (var i = 0; i < Users; i++)
            await AddUserAsync(node, app, $"u{i}", service.NewUrl());
        await using var session = RunningSession.Open(node, Callers.User("u0", app));
        await session.SubscribeAsync(new SubscribeRequest(app));

        var position = 0;
        var before = await RoundsAsync(5, TimeSpan.FromSeconds(5));
        mail.Mails.Count.ShouldBe(5 * Users);

        mail.Answer = command => command == "(connect)" ? "close" : null;
        mail.CloseConnections();
        var during = await RoundsAsync(60, TimeSpan.FromSeconds(10));

        mail.Mails.Count.ShouldBe(5 * Users);
        (await node.Get<DeadLetters>().ListAsync(new DeadLetterFilter(app), 10, null, Cancel)).Required().Total.ShouldBe(0);
        (await DeliveriesAsync(node, app, "email")).Count(row => row.Status is DeliveryStatus.Pending or DeliveryStatus.Failed).ShouldBe(60 * Users);
        (await DeliveriesAsync(node, app, "push")).ShouldAllBe(row => row.Status == DeliveryStatus.Sent && row.Attempts == 1);

        mail.Answer = _ => null;
        for (var second = 0; second < 60 && mail.Mails.Count < 65 * Users; second++)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            await DeliverAllAsync(node);
        }

        mail.Mails.Count.ShouldBe(65 * Users);
        mail.Mails.Select(received => received.Header("Message-Id")).Distinct().Count().ShouldBe(65 * Users, "none is sent twice");
        (await DeliveriesAsync(node, app, "email")).ShouldAllBe(row => row.Status == DeliveryStatus.Sent);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"median of publish to live: {before.Live:0.0} ms before, {during.Live:0.0} ms during the outage; to the last push: {before.Push:0.0} and {during.Push:0.0} ms");

        // In each round no fake time passes until live delivery and push are done: the dead server delays neither.
        async Task<(double Live, double Push)> RoundsAsync(int rounds, TimeSpan between)
        {
            var (live, push) = (new List<double>(), new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                var pushed = service.Requests.Count;
                var started = Stopwatch.GetTimestamp();
                await PublishAsync(node, app, user: null, data: $$"""{"n":{{round}}}""");
                await session.ReachAsync($"{app}/users/u0", ++position);
                live.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                await DeliverAllAsync(node);
                service.Requests.Count.ShouldBe(pushed + Users);
                push.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                Time.Advance(between);
            }

            return (live.Order().ElementAt(rounds / 2), push.Order().ElementAt(rounds / 2));
        }
    }

    private static async Task AddUserAsync(LogHost node, string app, string user, string endpoint)
    {
        await node.Directory.PutAsync(app, user, new AppUserDetails($"{user}@example.com", null, null), Cancel);
        using var browser = new PushBrowser(endpoint);
        await using var context = node.Database.ForService();
        context.PushSubscriptions.Add(new PushSubscriptionRow
        {
            Id = Guid.CreateVersion7(Start), App = app, UserId = user, Endpoint = browser.Endpoint, P256dh = browser.P256dh, Auth = browser.Auth, CreatedAt = Start,
        });
        await context.SaveChangesAsync(Cancel);
    }
}
