using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Notifications;

/// <summary>The channel against a back end of the test's own, which verifies signatures by itself.</summary>
public sealed class WebhookTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string OlderSecret = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-01-31T12:00:00Z"));
    private readonly List<IDisposable> _disposables = [];
    private HttpReceiver _backEnd = null!;

    public override async ValueTask InitializeAsync() => _backEnd = await HttpReceiver.StartAsync();

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        await _backEnd.DisposeAsync();
        _disposables.ForEach(disposable => disposable.Dispose());
    }

    [Fact]
    public void Signature_IsThatOfTheStandardsExample() =>
        Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", """{"test": 2432232314}""").ShouldBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");

    [Fact]
    public async Task Notification_IsPostedAndSigned()
    {
        var work = Work() with { Body = "b", Link = "/l", Actions = """[{"title":"Open","link":"/o"}]""", Type = "task.assigned", Data = """{"a":1}""" };

        (await Channel().SendAsync(work, Cancel)).ShouldBe(ChannelResult.Delivered);

        var request = _backEnd.Single;
        (request.Method, request.Header("Content-Type"), request.Header("webhook-id"), request.Header("webhook-timestamp")).ShouldBe(("POST", "application/json", work.Id.ToString(), "1769860800"));
        request.Header("webhook-signature").ShouldBe(Sign(Secret, request));
        Encoding.UTF8.GetString(request.Body).ShouldBe(
            $$$"""{"type":"notification","timestamp":"2026-01-31T12:00:00Z","data":{"id":"{{{work.NotificationId}}}","app":"work-buddy","userId":"ada","type":"task.assigned","title":"Hello","body":"b","link":"/l","image":null,"actions":[{"title":"Open","link":"/o"}],"data":{"a":1},"createdAt":"2026-01-31T12:00:00Z"}}""");
    }

    [Fact]
    public async Task Retry_HasTheSameIdAndBody_AndASignatureOfItsOwnTime()
    {
        var (channel, work) = (Channel(), Work());

        await channel.SendAsync(work, Cancel);
        _time.Advance(TimeSpan.FromMinutes(5));
        await channel.SendAsync(work with { Attempts = 1, LockId = Guid.CreateVersion7(_time.GetUtcNow()) }, Cancel);

        var (first, second) = (_backEnd.Requests[0], _backEnd.Requests[1]);
        second.Header("webhook-id").ShouldBe(first.Header("webhook-id"));
        second.Body.ShouldBe(first.Body);
        second.Header("webhook-timestamp").ShouldBe("1769861100");
        second.Header("webhook-signature").ShouldBe(Sign(Secret, second));
    }

    [Fact]
    public async Task Recall_IsAnotherMessage_ThatTellsNothingOfIt()
    {
        var work = Work() with { IsRecalled = true };

        (await Channel().SendAsync(work, Cancel)).ShouldBe(ChannelResult.Delivered);

        var request = _backEnd.Single;
        request.Header("webhook-id").ShouldBe($"{work.Id}-recalled");
        request.Header("webhook-signature").ShouldBe(Sign(Secret, request));
        var body = JsonElement.Parse(request.Body);
        (body.Text("type"), body.Text("data", "id"), body.Text("data", "userId")).ShouldBe(("notification.recalled", work.NotificationId.ToString(), "ada"));
        body.At("data").Names().ShouldBe(["id", "app", "userId", "createdAt"]);
    }

    [Fact]
    public async Task Rotation_SignsWithBoth()
    {
        await Channel(endpoint => endpoint.PreviousSecret = OlderSecret).SendAsync(Work(), Cancel);

        _backEnd.Single.Header("webhook-signature").ShouldBe($"{Sign(Secret, _backEnd.Single)} {Sign(OlderSecret, _backEnd.Single)}");
    }

    [Theory]
    [InlineData(200, "delivered")]
    [InlineData(202, "delivered")]
    [InlineData(204, "delivered")]
    [InlineData(301, "refused")]
    [InlineData(302, "refused")]
    [InlineData(307, "refused")]
    [InlineData(400, "refused")]
    [InlineData(401, "refused")]
    [InlineData(404, "refused")]
    [InlineData(410, "endpoint_gone")]
    [InlineData(413, "refused")]
    [InlineData(429, "failed")]
    [InlineData(500, "failed")]
    [InlineData(503, "failed")]
    public async Task Answer_DecidesWhatBecomesOfIt(int status, string expected)
    {
        _backEnd.Answer = context =>
        {
            context.Response.Headers.Location = _backEnd.NewUrl();
            return HttpReceiver.WithStatus(status, status == 204 ? null : "because", retryAfter: "90")(context);
        };

        var result = await Channel().SendAsync(Work(), Cancel);

        (result.IsDelivered ? "delivered" : result.Suppression ?? (result.IsPermanent ? "refused" : "failed")).ShouldBe(expected);
        result.Error.ShouldBe(expected == "delivered" ? null : $"{status}: because");
        result.RetryAfter.ShouldBe(expected == "failed" ? TimeSpan.FromSeconds(90) : null);
        _backEnd.Requests.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task BackEndThatIsAway_IsAFailureThatPasses()
    {
        var channel = Channel();
        await _backEnd.DisposeAsync();

        var result = await channel.SendAsync(Work(), Cancel);

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, false));
    }

    [Fact]
    public async Task AppWithoutAnEndpoint_IsSuppressed()
    {
        var (channel, work) = (Channel(), Work() with { App = "other-app" });

        (await channel.SendAsync(work, Cancel)).Suppression.ShouldBe("channel_not_configured");
        channel.DestinationOf(work).ShouldBe("other-app");
        channel.DestinationOf(Work()).ShouldBe(WorkBuddy);
    }

    [Theory]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 24)]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 24)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", 64)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", null)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", null)]
    [InlineData("whsec_", null)]
    [InlineData("whsec_not base64, but long enough for it", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Secret_Is24To64BytesInBase64(string? secret, int? length) => (WebhookEndpoint.ReadSecret(secret)?.Length).ShouldBe(length);

    [Fact]
    public async Task Settings_MakeTheChannel_AndNotificationsReachTheBackEnd()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Webhooks:work-buddy:Url"] = _backEnd.NewUrl(), ["Webhooks:work-buddy:Secret"] = Secret });
        var ada = hub.As(Tokens.User("ada", WorkBuddy));
        (await ada.GetAsync($"/api/v1/notifications?app={WorkBuddy}")).ShouldBe(200); // makes a member

        (await hub.As(Tokens.Publisher(WorkBuddy)).PostAsync("/api/v1/notifications", new { app = WorkBuddy, userIds = new[] { "ada" }, title = "Hello", channels = new[] { "in_app", "webhook" } })).ShouldBe(201);

        await Eventually("the back end has it", () => _backEnd.Requests.Count == 1);
        _backEnd.Single.Header("webhook-signature").ShouldBe(Sign(Secret, _backEnd.Single));
        var notification = JsonElement.Parse(_backEnd.Single.Body).At("data");
        await Eventually("the delivery says so", async () => (await ada.GetAsync($"/api/v1/notifications/{notification.Text("id")}/deliveries")).ShouldBe(200).Items("items")
            .Any(delivery => delivery.Text("channel") == "webhook" && delivery.Text("status") == "delivered" && delivery.Text("id") == _backEnd.Single.Header("webhook-id")));
        hub.Log.ToString().ShouldNotContain(Secret["whsec_".Length..]);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private WebhookChannel Channel(Action<WebhookEndpoint>? configure = null)
    {
        var endpoint = new WebhookEndpoint { Url = _backEnd.NewUrl(), Secret = Secret };
        configure?.Invoke(endpoint);
        var options = new WebhookOptions { Apps = { [WorkBuddy] = endpoint } };
        var channel = new WebhookChannel(Options.Create(options), _time);
        _disposables.Add(channel);
        return channel;
    }

    private DeliveryWork Work() => new(Guid.CreateVersion7(_time.GetUtcNow()), Guid.Empty, Guid.CreateVersion7(_time.GetUtcNow()), WorkBuddy, "ada", "r", "webhook", 0)
    {
        Title = "Hello", Data = "{}", CreatedAt = _time.GetUtcNow(),
    };

    private static string Sign(string secret, ReceivedRequest request) => Sign(secret, request.Header("webhook-id")!, request.Header("webhook-timestamp")!, Encoding.UTF8.GetString(request.Body));

    private static string Sign(string secret, string id, string timestamp, string body)
    {
        using var hmac = new HMACSHA256(Convert.FromBase64String(secret.Replace("whsec_", "")));
        return "v1," + Convert.ToBase64String(hmac.ComputeHash(Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}")));
    }
}
