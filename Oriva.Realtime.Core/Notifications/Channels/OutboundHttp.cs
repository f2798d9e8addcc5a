using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>
/// HTTP to servers that others run. Redirects are not followed; an answer must come in time; of its body nothing is read but the beginning, and that only when
/// it explains a refusal.
/// </summary>
internal sealed class OutboundHttp : DelegatingHandler
{
    private const int MostBytes = 1_000;
    private const int MostRunes = 200;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    private OutboundHttp(SocketsHttpHandler inner)
        : base(inner)
    {
    }

    public static HttpClient To(SocketsHttpHandler sockets, Func<HttpMessageHandler, HttpMessageHandler>? around = null)
    {
        sockets.AllowAutoRedirect = false;
        sockets.UseCookies = false;
        sockets.ConnectTimeout = s_patience / 2;
        sockets.PooledConnectionLifetime = TimeSpan.FromMinutes(5);
        var handler = new OutboundHttp(sockets);
        return new HttpClient(around?.Invoke(handler) ?? handler) { Timeout = s_patience };
    }

    /// <summary>Connects to public addresses only. Judged is the very address that is connected to, so a name that resolves to another one meanwhile gains nothing.</summary>
    public static async ValueTask<Stream> ConnectToPublicAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var addresses = Array.FindAll(await Dns.GetHostAddressesAsync(host, cancellationToken), PublicAddress.Is);
        if (addresses.Length == 0)
            throw new NotPublicException($"{host} has no public address.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The status and the first 200 characters of the body, which the records can keep whatever they are.</summary>
    public static string Describe(HttpStatusCode status, string? body)
    {
        var text = string.Concat((body ?? "").Trim().EnumerateRunes().Take(MostRunes).Select(rune => Rune.IsControl(rune) ? new Rune(' ') : rune));
        return text.Length == 0 ? $"{(int)status}" : $"{(int)status}: {text}";
    }

    public static TimeSpan? RetryAfter(HttpResponseHeaders headers, TimeProvider time) => headers.RetryAfter switch
    {
        { Delta: { } wait } => wait,
        { Date: { } date } when date > time.GetUtcNow() => date - time.GetUtcNow(),
        _ => null,
    };

    /// <returns>What came of an attempt without an answer; null: that is no matter of the network.</returns>
    public static ChannelResult? ToResult(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        HttpRequestException { InnerException: NotPublicException refused } => ChannelResult.Refused(refused.Message),
        HttpRequestException failed => ChannelResult.Failed($"{failed.HttpRequestError}: {failed.Message}"),
        TaskCanceledException when !cancellationToken.IsCancellationRequested => ChannelResult.Failed("The destination did not answer in time."),
        _ => null,
    };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // Where the server offers it; otherwise 1.1.
        request.Version = HttpVersion.Version20;
        // So that 1.1 has a Content-Length: not every server takes chunks.
        if (request.Content is { } content)
            await content.LoadIntoBufferAsync(cancellationToken);
        var response = await base.SendAsync(request, cancellationToken);
        using var whole = response.Content;
        var beginning = new byte[MostBytes];
        var length = response.IsSuccessStatusCode ? 0
            : await (await whole.ReadAsStreamAsync(cancellationToken)).ReadAtLeastAsync(beginning, MostBytes, throwOnEndOfStream: false, cancellationToken);
        response.Content = new ByteArrayContent(beginning, 0, length);
        return response;
    }
}

internal sealed class NotPublicException(string message) : IOException(message);
