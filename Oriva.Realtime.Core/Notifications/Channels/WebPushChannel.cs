using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Lib.Net.Http.WebPush;
using Lib.Net.Http.WebPush.Authentication;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Browser = Lib.Net.Http.WebPush.PushSubscription;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>
/// Web push (RFC 8030) to one browser a delivery, encrypted for it alone (RFC 8291). Where to is what the browser said, so this sends to public addresses only.
/// </summary>
internal sealed class WebPushChannel : INotificationChannel, IDisposable
{
    public const string SubscriptionGone = "subscription_gone";

    private readonly RealtimeDatabase _database;
    private readonly AppRegistry _registry;
    private readonly WebPushOptions _options;
    private readonly TimeProvider _time;
    private readonly VapidTokens _tokens;
    private readonly HttpClient _http;
    private readonly PushServiceClient _client;

    public WebPushChannel(RealtimeDatabase database, AppRegistry registry, IOptions<WebPushOptions> options, TimeProvider time)
    {
        _database = database;
        _registry = registry;
        _options = options.Value;
        _time = time;
        _tokens = new VapidTokens(_options.PrivateKey!, _options.Subject!, time);
        var vapid = new VapidAuthentication(_options.PublicKey!, _options.PrivateKey!) { Subject = _options.Subject, TokenCache = _tokens };
        // A proxy would connect in our place, and a trace header would tell strangers which requests belong together.
        var sockets = new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null };
        if (!_options.AllowPrivateAddresses)
            sockets.ConnectCallback = OutboundHttp.ConnectToPublicAsync;
        _http = OutboundHttp.To(sockets, inner => new VapidTokens.WithPort(vapid, inner));
        // Waiting is the queue's business.
        _client = new PushServiceClient(_http) { DefaultAuthentication = vapid, AutoRetryAfter = false };
    }

    public string Name => ChannelNames.Push;

    /// <summary>The push service, that is the browser's vendor.</summary>
    public string DestinationOf(DeliveryWork delivery) =>
        delivery.Content is null ? Name : JsonSerializer.Deserialize<Destination>(delivery.Content, WireJson.Options)?.Host ?? Name;

    /// <summary>What a delivery carries so that <see cref="DestinationOf"/> needs no look into the database.</summary>
    internal static string ContentOf(string endpoint) => JsonSerializer.Serialize(new Destination(new Uri(endpoint).Authority), WireJson.Options);

    public async Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        if (delivery.Target.Length == 0)
            return ChannelResult.Suppressed(DeliveryPlanner.NoPushSubscription);
        if (await FindAsync(delivery, cancellationToken) is not { } subscription)
            return ChannelResult.Suppressed(SubscriptionGone);
        var browser = new Browser { Endpoint = subscription.Endpoint };
        browser.SetKey(PushEncryptionKeyName.P256DH, subscription.P256dh);
        browser.SetKey(PushEncryptionKeyName.Auth, subscription.Auth);
        try
        {
            var message = new PushMessage(new ByteArrayContent(PushPayload.Of(delivery)))
            {
                TimeToLive = TimeToLiveOf(delivery),
                Urgency = IsUrgent(delivery) ? PushMessageUrgency.High : PushMessageUrgency.Normal,
                // What is sent again, or taken back, replaces what the push service has not delivered yet.
                Topic = delivery.NotificationId.ToString("N"),
            };
            await _client.RequestPushMessageDeliveryAsync(browser, message, cancellationToken);
            return ChannelResult.Sent;
        }
        catch (PushServiceClientException answer)
        {
            return await JudgeAsync(subscription, answer.StatusCode, answer.Headers, OutboundHttp.Describe(answer.StatusCode, answer.Body), cancellationToken);
        }
        catch (Exception e) when (OutboundHttp.ToResult(e, cancellationToken) is { } result)
        {
            return result;
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _tokens.Dispose();
    }

    /// <summary>A subscription that has moved to another user has another id, so that what waited for the former user finds nothing.</summary>
    private async Task<PushSubscriptionRow?> FindAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        if (!Guid.TryParse(delivery.Target, out var id))
            return null;
        await using var context = _database.ForService();
        return await context.PushSubscriptions.AsNoTracking()
            .FirstOrDefaultAsync(row => row.Id == id && row.App == delivery.App && row.UserId == delivery.UserId, cancellationToken);
    }

    private int TimeToLiveOf(DeliveryWork delivery)
    {
        var left = delivery.ExpiresAt - _time.GetUtcNow() ?? TimeSpan.MaxValue;
        return (int)Math.Clamp(left.TotalSeconds, 0, _options.TimeToLive.TotalSeconds);
    }

    private bool IsUrgent(DeliveryWork delivery) => !delivery.IsRecalled && _registry.Find(delivery.App)?.Manifest.IsRequired(delivery.Type) == true;

    /// <summary>RFC 8030 and what push services make of it. The library takes 201 alone for a success.</summary>
    private async Task<ChannelResult> JudgeAsync(
        PushSubscriptionRow subscription, HttpStatusCode status, HttpResponseHeaders headers, string description, CancellationToken cancellationToken)
    {
        switch ((int)status)
        {
            case >= 200 and < 300:
                return ChannelResult.Sent;
            case 404 or 410:
                await using (var context = _database.ForService())
                    await context.PushSubscriptions.Where(row => row.Id == subscription.Id).ExecuteDeleteAsync(cancellationToken);
                return ChannelResult.Suppressed(SubscriptionGone, description);
            case 429:
                return ChannelResult.Deferred(description, OutboundHttp.RetryAfter(headers, _time));
            case >= 500:
                return ChannelResult.Failed(description, OutboundHttp.RetryAfter(headers, _time));
            default:
                return ChannelResult.Refused(description);
        }
    }

    private sealed record Destination(string? Host);
}
