using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Notifications;

public sealed class WebPushTests(SqliteFixture fixture) : WebPushSpecification(fixture), IClassFixture<SqliteFixture>
{
    [Fact]
    public async Task ManyBrowsers_AllReadTheirs()
    {
        // Shared secrets and signatures that begin with zeros are one in 256 each.
        var channel = Channel();
        for (var i = 0; i < 600; i++)
        {
            var (browser, work) = await SubscribeAsync();
            (await channel.SendAsync(work with { Title = $"{i}" }, Cancel)).ShouldBe(ChannelResult.Sent);
            browser.Read(Service.Requests[^1].Body).Text("title").ShouldBe($"{i}");
        }
    }
}

public sealed class WebPushOnPostgresTests(PostgresFixture fixture) : WebPushSpecification(fixture), IClassFixture<PostgresFixture>;

/// <summary>The channel against a push service of the test's own, and browsers that read what it is sent.</summary>
public abstract class WebPushSpecification(StoreFixture fixture) : StoreTests(fixture)
{
    private const string PrivateKey = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    private const string Subject = "mailto:ops@example.com";
    private const string User = "ada";

    private static readonly string s_publicKey = P256.PublicKeyOf(PrivateKey)!;

    private readonly FakeTimeProvider _time = new(StoreTime.Truncate(TimeProvider.System.GetUtcNow()));
    private readonly List<IDisposable> _disposables = [];
    private string _app = null!;

    private protected HttpReceiver Service { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Service = await HttpReceiver.StartAsync();
        _app = await Node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t" }, new { name = "s", on = TestManifest.SharedType, title = "t", required = true });
        await Node.AddMembersAsync(_app, User);
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        await Service.DisposeAsync();
        _disposables.ForEach(disposable => disposable.Dispose());
    }

    [Fact]
    public void Browser_ReadsTheExampleOfRfc8291()
    {
        using var browser = new PushBrowser("", "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94", "BTBZMqHH6r4Tts7J_aSIgg");

        browser.P256dh.ShouldBe("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        Encoding.UTF8.GetString(browser.Decrypt(Base64Url.DecodeFromChars(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")))
            .ShouldBe("When I grow up, I want to be a watermelon");
    }

    [Fact]
    public async Task Notification_ReachesTheBrowser_AndOnlyItReadsIt()
    {
        var (browser, work) = await SubscribeAsync();
        work = work with { Body = "Größer 🎉", Link = "/x", Image = "https://i.example/1.png", Actions = """[{"title":"Open","link":"/o"}]""", Type = TestManifest.Type, Data = """{"a":1}""" };

        (await Channel().SendAsync(work, Cancel)).ShouldBe(ChannelResult.Sent);

        var request = Service.Single;
        (request.Method, Service.Address + request.Path).ShouldBe(("POST", browser.Endpoint));
        (request.Header("TTL"), request.Header("Urgency"), request.Header("Topic"), request.Header("Content-Encoding")).ShouldBe(("86400", null, work.NotificationId.ToString("N"), "aes128gcm"));
        request.Header("Content-Length").ShouldBe($"{request.Body.Length}");
        request.Header("traceparent").ShouldBeNull();
        browser.Read(request.Body).GetRawText().ShouldBe(
            $$$"""{"id":"{{{work.NotificationId}}}","app":"{{{_app}}}","title":"Hello","body":"Größer \uD83C\uDF89","link":"/x","image":"https://i.example/1.png","actions":[{"title":"Open","link":"/o"}],"type":"thing.happened","data":{"a":1}}""");
        using var other = new PushBrowser(browser.Endpoint);
        Should.Throw<CryptographicException>(() => other.Decrypt(request.Body));
    }

    [Fact]
    public async Task Sender_IsSignedFor_AndTheTokenKeptForHalfItsLife()
    {
        var (_, work) = await SubscribeAsync();
        var channel = Channel();

        await channel.SendAsync(work, Cancel);
        var first = ReadVapid(Service.Requests[0]);
        (first.Text("aud"), first.Text("sub"), first.Number("exp")).ShouldBe((Service.Address, Subject, _time.GetUtcNow().AddHours(12).ToUnixTimeSeconds()));

        _time.Advance(TimeSpan.FromHours(6) - TimeSpan.FromTicks(1));
        await channel.SendAsync(work, Cancel);
        Service.Requests[1].Header("Authorization").ShouldBe(Service.Requests[0].Header("Authorization"));
        _time.Advance(TimeSpan.FromTicks(1));
        await channel.SendAsync(work, Cancel);
        ReadVapid(Service.Requests[2]).Number("exp").ShouldBe(_time.GetUtcNow().AddHours(12).ToUnixTimeSeconds());

        await using var elsewhere = await HttpReceiver.StartAsync();
        var (_, there) = await SubscribeAsync(elsewhere.NewUrl());
        await channel.SendAsync(there, Cancel);
        ReadVapid(elsewhere.Single).Text("aud").ShouldBe(elsewhere.Address);
    }

    [Theory]
    [InlineData(60 * 60, null, 60 * 60)]
    [InlineData(60 * 60, 60, 60)]
    [InlineData(60 * 60, 7_200, 60 * 60)]
    [InlineData(60 * 60, -5, 0)]
    [InlineData(28 * 86_400, null, 28 * 86_400)]
    public async Task TimeToLive_IsTheShorterOne(int configured, int? left, int expected)
    {
        var (_, work) = await SubscribeAsync();

        await Channel(options => options.TimeToLive = TimeSpan.FromSeconds(configured)).SendAsync(work with { ExpiresAt = left is null ? null : _time.GetUtcNow().AddSeconds(left.Value) }, Cancel);

        Service.Single.Header("TTL").ShouldBe($"{expected}");
    }

    [Theory]
    [InlineData(TestManifest.Type, null)]
    [InlineData(TestManifest.SharedType, "high")]
    [InlineData(null, null)]
    public async Task WhatUsersCannotMute_IsUrgent(string? type, string? expected)
    {
        var (_, work) = await SubscribeAsync();

        await Channel().SendAsync(work with { Type = type }, Cancel);

        Service.Single.Header("Urgency").ShouldBe(expected);
    }

    [Fact]
    public async Task Recall_ReplacesWhatItRecalls_AndTellsNothingOfIt()
    {
        var (browser, work) = await SubscribeAsync();
        var channel = Channel();

        await channel.SendAsync(work with { Type = TestManifest.SharedType }, Cancel);
        await channel.SendAsync(work with { Type = TestManifest.SharedType, IsRecalled = true }, Cancel);

        var recall = Service.Requests[1];
        recall.Header("Topic").ShouldBe(Service.Requests[0].Header("Topic"));
        recall.Header("Urgency").ShouldBeNull();
        browser.Read(recall.Body).GetRawText().ShouldBe($$"""{"id":"{{work.NotificationId}}","app":"{{_app}}","recalled":true}""");
    }

    [Fact]
    public async Task TooMuch_IsShortened_DataFirst()
    {
        var (browser, work) = await SubscribeAsync();
        var channel = Channel();
        var data = $$"""{"text":"{{new string('x', 60_000)}}"}""";
        var link = "/" + new string('l', 1_990);
        var actions = JsonSerializer.Serialize(Enumerable.Range(0, 3).Select(i => new { title = new string('t', 200), link }));

        async Task<JsonElement> SendAsync(DeliveryWork sent)
        {
            (await channel.SendAsync(sent, Cancel)).ShouldBe(ChannelResult.Sent);
            var plain = browser.Decrypt(Service.Requests[^1].Body);
            plain.Length.ShouldBeLessThanOrEqualTo(3_900);
            Service.Requests[^1].Body.Length.ShouldBeLessThanOrEqualTo(4_096);
            return JsonElement.Parse(plain);
        }

        var withoutData = await SendAsync(work with { Body = "short", Data = data });
        withoutData.Text("body").ShouldBe("short");
        withoutData.Names().ShouldNotContain("data");

        var shortened = await SendAsync(work with { Body = string.Concat(Enumerable.Repeat("🎉", 2_000)), Link = link, Data = data });
        shortened.Text("link").ShouldBe(link);
        shortened.Text("body").ShouldEndWith("🎉…");
        shortened.Text("body").Length.ShouldBeInRange(250, 350);

        var quoted = await SendAsync(work with { Body = new string('"', 4_000) });
        quoted.Text("body").Length.ShouldBeInRange(1_700, 1_900);

        var reduced = await SendAsync(work with { Title = new string('世', 200), Body = new string('b', 4_000), Link = link, Image = link, Actions = actions });
        reduced.Text("title").ShouldBe(new string('世', 200));
        reduced.Text("link").ShouldBe(link);
        (reduced.At("image").ValueKind, reduced.At("actions").ValueKind).ShouldBe((JsonValueKind.Null, JsonValueKind.Null));
        reduced.Text("body").Length.ShouldBeGreaterThan(500);

        var bare = await SendAsync(work with { Body = null, Link = new string('世', 2_000), Image = link, Actions = actions });
        bare.At("link").ValueKind.ShouldBe(JsonValueKind.Null);
    }

    [Theory]
    [InlineData(200, "sent")]
    [InlineData(201, "sent")]
    [InlineData(202, "sent")]
    [InlineData(204, "sent")]
    [InlineData(302, "refused")]
    [InlineData(307, "refused")]
    [InlineData(400, "refused")]
    [InlineData(401, "refused")]
    [InlineData(403, "refused")]
    [InlineData(404, "subscription_gone")]
    [InlineData(410, "subscription_gone")]
    [InlineData(413, "refused")]
    [InlineData(429, "failed")]
    [InlineData(500, "failed")]
    [InlineData(502, "failed")]
    [InlineData(503, "failed")]
    public async Task Answer_DecidesWhatBecomesOfIt(int status, string expected)
    {
        var (browser, work) = await SubscribeAsync();
        Service.Answer = context =>
        {
            context.Response.Headers.Location = Service.NewUrl();
            return HttpReceiver.WithStatus(status, status == 204 ? null : "because\0 " + new string('x', 5_000))(context);
        };

        var result = await Channel().SendAsync(work, Cancel);

        (result.IsSuccess ? "sent" : result.Suppression ?? (result.IsPermanent ? "refused" : "failed")).ShouldBe(expected);
        if (expected != "sent")
            result.Error.ShouldBe($"{status}: because  {new string('x', 191)}");
        Service.Single.Path.ShouldBe(new Uri(browser.Endpoint).AbsolutePath, "no redirect is followed");
        (await ExistsAsync(work)).ShouldBe(expected != "subscription_gone");
    }

    [Fact]
    public async Task RetryAfter_IsSecondsOrADate()
    {
        var (_, work) = await SubscribeAsync();
        var channel = Channel();
        foreach (var (header, expected) in new[]
        {
            ("120", TimeSpan.FromMinutes(2)), (_time.GetUtcNow().AddHours(1).ToString("R"), TimeSpan.FromHours(1)),
            (_time.GetUtcNow().AddHours(-1).ToString("R"), (TimeSpan?)null), ("soon", null), ("-1", null), (null!, null),
        })
        {
            Service.Answer = HttpReceiver.WithStatus(429, retryAfter: header);
            var result = await channel.SendAsync(work, Cancel);
            (result.IsSuccess, result.IsPermanent, result.Error).ShouldBe((false, false, "429"), header);
            if (expected is null)
                result.RetryAfter.ShouldBeNull(header);
            else
                result.RetryAfter.ShouldNotBeNull(header).ShouldBe(expected.Value, TimeSpan.FromSeconds(1), header);
        }

        Service.Requests.Count.ShouldBe(6, "the library waits and repeats by itself");
    }

    [Fact]
    public async Task ServiceThatIsAway_IsAFailureThatPasses_AndTheErrorKeepsTheEndpointSecret()
    {
        var (browser, work) = await SubscribeAsync(Service.Address + "/secret-capability");
        var channel = Channel();
        await Service.DisposeAsync();

        var result = await channel.SendAsync(work, Cancel);

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, false));
        result.Error.ShouldStartWith("ConnectionError: ");
        result.Error.ShouldNotContain("secret-capability");
        (await ExistsAsync(work)).ShouldBeTrue();
        browser.Endpoint.ShouldEndWith("secret-capability");
    }

    [Theory]
    [InlineData("https://localhost:{0}/x")]
    [InlineData("https://127.0.0.1:{0}/x")]
    [InlineData("https://[::1]:{0}/x")]
    [InlineData("https://2130706433:{0}/x")]
    [InlineData("https://[::ffff:127.0.0.1]:{0}/x")]
    [InlineData("http://localhost:{0}/x")]
    public async Task AddressThatIsNotPublic_IsRefused_WithoutConnecting(string endpoint)
    {
        // As it could stand in the database from a time when it was allowed, or because the name resolved to another address.
        var (_, work) = await SubscribeAsync(string.Format(endpoint, Service.Port));

        var result = await Channel(options => options.AllowPrivateAddresses = false).SendAsync(work, Cancel);

        result.IsPermanent.ShouldBeTrue(result.Error);
        result.Error.ShouldNotBeNull().ShouldEndWith(" has no public address.");
        Service.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task AnswerWithoutEnd_IsReadNoFurtherThanItHelps()
    {
        var (_, work) = await SubscribeAsync();
        var closed = new TaskCompletionSource();
        Service.Answer = async context =>
        {
            context.RequestAborted.Register(() => closed.TrySetResult());
            context.Response.StatusCode = 500;
            var chunk = Encoding.ASCII.GetBytes(new string('x', 65_536));
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
        };

        var result = await Channel().SendAsync(work, Cancel).Soon("the answer is judged", TimeSpan.FromSeconds(5));

        result.Error.ShouldBe($"500: {new string('x', 200)}");
        await closed.Task.Soon("the connection is closed, and not read to its end");
    }

    [Fact]
    public async Task WithoutASubscriptionOfTheUser_NothingIsSent()
    {
        var (_, work) = await SubscribeAsync();
        var channel = Channel();

        (await channel.SendAsync(work with { Target = "" }, Cancel)).Suppression.ShouldBe("no_push_subscription");
        (await channel.SendAsync(work with { Target = Guid.Empty.ToString() }, Cancel)).Suppression.ShouldBe("subscription_gone");
        (await channel.SendAsync(work with { Target = "x" }, Cancel)).Suppression.ShouldBe("subscription_gone");
        (await channel.SendAsync(work with { UserId = "eve" }, Cancel)).Suppression.ShouldBe("subscription_gone");
        Service.Requests.ShouldBeEmpty();
    }

    [Fact]
    public void EachVendor_HasACircuitOfItsOwn()
    {
        var channel = Channel();
        DeliveryWork To(string? content) => Work("") with { Content = content };

        channel.DestinationOf(To(WebPushChannel.ContentOf("https://fcm.googleapis.com/fcm/send/abc"))).ShouldBe("fcm.googleapis.com");
        channel.DestinationOf(To(null)).ShouldBe("push");
        channel.DestinationOf(To("{}")).ShouldBe("push");
    }

    [Fact]
    public async Task Worker_SendsToEveryDevice_AndEachHasItsOwnOutcome()
    {
        var (phone, toPhone) = await SubscribeAsync();
        var (laptop, toLaptop) = await SubscribeAsync();
        var (_, toOld) = await SubscribeAsync();
        var (_, toBusy) = await SubscribeAsync();
        var paths = new Dictionary<string, int> { [await PathAsync(toOld)] = 410, [await PathAsync(toBusy)] = 429 };
        Service.Answer = context => HttpReceiver.WithStatus(paths.GetValueOrDefault(context.Request.Path, 201), retryAfter: "600")(context);
        await QueueAsync(toPhone, toLaptop, toOld, toBusy);

        await Worker().RunOnceAsync(Cancel);

        var rows = (await DeliveriesAsync(toPhone)).ToDictionary(row => row.Target);
        rows[toPhone.Target].Status.ShouldBe(DeliveryStatus.Sent);
        rows[toLaptop.Target].Status.ShouldBe(DeliveryStatus.Sent);
        (rows[toOld.Target].Status, rows[toOld.Target].Reason, rows[toOld.Target].LastError).ShouldBe((DeliveryStatus.Suppressed, "subscription_gone", "410"));
        rows[toBusy.Target].Status.ShouldBe(DeliveryStatus.Failed);
        rows[toBusy.Target].NextAttemptAt.ShouldNotBeNull().ShouldBe(_time.GetUtcNow().AddMinutes(10));
        (await ExistsAsync(toOld)).ShouldBeFalse();
        phone.Read(Service.Requests.Single(request => Service.Address + request.Path == phone.Endpoint).Body).Text("title").ShouldBe("Hello");
        laptop.Read(Service.Requests.Single(request => Service.Address + request.Path == laptop.Endpoint).Body).Text("title").ShouldBe("Hello");
        (await Node.Get<DeadLetters>().ListAsync(new DeadLetterFilter(_app), 10, null, Cancel)).Required().Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task ServiceThatHangs_IsCutOff()
    {
        var (_, work) = await SubscribeAsync();
        Service.Answer = context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        await QueueAsync(work);

        var running = Worker().RunOnceAsync(Cancel);
        await Eventually("it is being sent", () => Service.Requests.Count == 1);
        _time.Advance(TimeSpan.FromSeconds(23));
        await running.Soon("it is cut off");

        var failed = (await DeliveriesAsync(work)).ShouldHaveSingleItem();
        (failed.Status, failed.LastError).ShouldBe((DeliveryStatus.Failed, "The destination did not answer in time."));
    }

    /// <summary>Of a node that has the channel; its queue only the test runs.</summary>
    private DeliveryWorker Worker()
    {
        var options = Options.Create(new DeliveryOptions { JitterPercent = 0 });
        return new DeliveryWorker(
            Node.Get<NotificationStore>(), new ChannelRegistry([Channel()]), new DestinationCircuits(_time, options), Node.Registry, Node.Get<RealtimeMetrics>(), _time, options, NullLogger<DeliveryWorker>.Instance);
    }

    private protected WebPushChannel Channel(Action<WebPushOptions>? configure = null)
    {
        var options = new WebPushOptions { PublicKey = s_publicKey, PrivateKey = PrivateKey, Subject = Subject, AllowPrivateAddresses = true };
        configure?.Invoke(options);
        var channel = new WebPushChannel(Node.Database, Node.Registry, Options.Create(options), _time);
        _disposables.Add(channel);
        return channel;
    }

    /// <summary>The user's next device, and a delivery to it.</summary>
    private protected async Task<(PushBrowser Browser, DeliveryWork Work)> SubscribeAsync(string? endpoint = null)
    {
        var browser = new PushBrowser(endpoint ?? Service.NewUrl());
        _disposables.Add(browser);
        var row = new PushSubscriptionRow
        {
            Id = Guid.CreateVersion7(_time.GetUtcNow()), App = _app, UserId = User, Endpoint = browser.Endpoint, P256dh = browser.P256dh, Auth = browser.Auth, CreatedAt = _time.GetUtcNow(),
        };
        await using var context = Node.Database.ForService();
        context.PushSubscriptions.Add(row);
        await context.SaveChangesAsync(Cancel);
        return (browser, Work(row.Id.ToString()));
    }

    private DeliveryWork Work(string target) =>
        new(Guid.CreateVersion7(_time.GetUtcNow()), Guid.Empty, Guid.CreateVersion7(_time.GetUtcNow()), _app, User, "r", "push", 0)
        {
            Title = "Hello", Data = "{}", CreatedAt = _time.GetUtcNow(), Target = target,
        };

    private async Task<bool> ExistsAsync(DeliveryWork work)
    {
        await using var context = Node.Database.ForService();
        return await context.PushSubscriptions.AnyAsync(row => row.Id == Guid.Parse(work.Target), Cancel);
    }

    private async Task<string> PathAsync(DeliveryWork work)
    {
        await using var context = Node.Database.ForService();
        return new Uri((await context.PushSubscriptions.SingleAsync(row => row.Id == Guid.Parse(work.Target), Cancel)).Endpoint).AbsolutePath;
    }

    /// <summary>One notification, delivered to all of these.</summary>
    private async Task QueueAsync(params DeliveryWork[] works) => await PushQueue.AddAsync(Node.Database, works);

    private async Task<List<NotificationDeliveryRow>> DeliveriesAsync(DeliveryWork work)
    {
        await using var context = Node.Database.ForService();
        return await context.Deliveries.AsNoTracking().Where(row => row.App == work.App).ToListAsync(Cancel);
    }

    /// <summary>The claims, when the signature is that of the key which browsers subscribed with.</summary>
    internal static JsonElement ReadVapid(ReceivedRequest request, string? publicKey = null)
    {
        var header = request.Header("Authorization").ShouldNotBeNull();
        header.ShouldStartWith("vapid t=");
        var parts = header["vapid t=".Length..].Split(", k=");
        parts[1].ShouldBe(publicKey ?? s_publicKey);
        var (token, point) = (parts[0].Split('.'), Base64Url.DecodeFromChars(parts[1]));
        using var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[1..33], Y = point[33..] } });
        key.VerifyData(Encoding.ASCII.GetBytes($"{token[0]}.{token[1]}"), Base64Url.DecodeFromChars(token[2]), HashAlgorithmName.SHA256).ShouldBeTrue("the signature is wrong");
        JsonElement.Parse(Base64Url.DecodeFromChars(token[0])).Text("alg").ShouldBe("ES256");
        return JsonElement.Parse(Base64Url.DecodeFromChars(token[1]));
    }
}

/// <summary>Deliveries as routing stores them.</summary>
internal static class PushQueue
{
    public static async Task AddAsync(RealtimeDatabase database, params DeliveryWork[] works)
    {
        var first = works[0];
        await using var context = database.ForService();
        context.Notifications.Add(new NotificationRow
        {
            Id = first.NotificationId, App = first.App, UserId = first.UserId, Rule = first.Rule, Source = "", EventId = first.NotificationId.ToString(), Title = first.Title,
            Data = first.Data, InInbox = false, CreatedAt = first.CreatedAt,
        });
        context.Deliveries.AddRange(works.Select(work => new NotificationDeliveryRow
        {
            Id = work.Id, NotificationId = first.NotificationId, App = work.App, UserId = work.UserId, Rule = work.Rule, Channel = work.Channel, Target = work.Target,
            Content = work.Content, Status = DeliveryStatus.Pending, NextAttemptAt = work.CreatedAt, CreatedAt = work.CreatedAt,
        }));
        await context.SaveChangesAsync(TestContext.Current.CancellationToken);
    }
}
