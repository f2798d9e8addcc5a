using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Tells an app's back end about its users' notifications, as standardwebhooks.com has it: signed, and with an id that is the same on every retry.</summary>
internal sealed class WebhookChannel(IOptions<WebhookOptions> options, TimeProvider time) : INotificationChannel, IDisposable
{
    public const string EndpointGone = "endpoint_gone";

    private readonly HttpClient _http = OutboundHttp.To(new SocketsHttpHandler());

    public string Name => ChannelNames.Webhook;

    /// <summary>An app's own: what fails for one app behind a gateway need not fail for another.</summary>
    public string DestinationOf(DeliveryWork delivery) => delivery.App;

    public async Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        if (EndpointOf(delivery) is not { } endpoint)
            return ChannelResult.Suppressed(DeliveryPlanner.NotConfigured);
        // Who drops repeats by the id must not take the recall for one.
        var id = delivery.IsRecalled ? $"{delivery.Id}-recalled" : delivery.Id.ToString();
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var body = delivery.IsRecalled ? Recalled(delivery) : Created(delivery);
        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint.Url);
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", timestamp);
        request.Headers.Add("webhook-signature", string.Join(' ', SecretsOf(endpoint).Select(secret => Sign(secret, $"{id}.{timestamp}.", body))));
        request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(MediaTypeNames.Application.Json) } };
        try
        {
            using var answer = await _http.SendAsync(request, cancellationToken);
            var description = OutboundHttp.Describe(answer.StatusCode, await answer.Content.ReadAsStringAsync(cancellationToken));
            return (int)answer.StatusCode switch
            {
                >= 200 and < 300 => ChannelResult.Delivered,
                410 => ChannelResult.Suppressed(EndpointGone, description),
                429 => ChannelResult.Deferred(description, OutboundHttp.RetryAfter(answer.Headers, time)),
                >= 500 => ChannelResult.Failed(description, OutboundHttp.RetryAfter(answer.Headers, time)),
                _ => ChannelResult.Refused(description),
            };
        }
        catch (Exception e) when (OutboundHttp.ToResult(e, cancellationToken) is { } result)
        {
            return result;
        }
    }

    public void Dispose() => _http.Dispose();

    private WebhookEndpoint? EndpointOf(DeliveryWork delivery) => options.Value.Apps.GetValueOrDefault(delivery.App);

    private static IEnumerable<byte[]> SecretsOf(WebhookEndpoint endpoint) =>
        new[] { endpoint.Secret, endpoint.PreviousSecret }.Select(WebhookEndpoint.ReadSecret).OfType<byte[]>();

    private static string Sign(byte[] secret, string prefix, byte[] body)
    {
        byte[] signed = [.. Encoding.ASCII.GetBytes(prefix), .. body];
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, signed));
    }

    private static byte[] Created(DeliveryWork delivery) => Write("notification", delivery.CreatedAt, new
    {
        id = delivery.NotificationId,
        delivery.App,
        delivery.UserId,
        delivery.Type,
        delivery.Title,
        delivery.Body,
        delivery.Link,
        delivery.Image,
        actions = delivery.Actions is null ? (JsonElement?)null : JsonElement.Parse(delivery.Actions),
        data = JsonElement.Parse(delivery.Data),
        delivery.CreatedAt,
    });

    private byte[] Recalled(DeliveryWork delivery) => Write("notification.recalled", time.GetUtcNow(), new { id = delivery.NotificationId, delivery.App, delivery.UserId, delivery.CreatedAt });

    private static byte[] Write(string type, DateTimeOffset timestamp, object data) => JsonSerializer.SerializeToUtf8Bytes(new { type, timestamp, data }, WireJson.Options);
}
