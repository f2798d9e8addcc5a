using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Cluster;
using Yarp.ReverseProxy.Forwarder;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>
/// Passes requests on to other nodes, and knows those that other nodes pass on: both show <c>Cluster:Secret</c> in a header. Of a request that shows it the
/// client's address is believed.
/// </summary>
internal sealed partial class PeerForwarder : IDisposable
{
    internal const string SecretHeader = "Oriva-Node-Secret";
    private const string ForwardedFor = "X-Forwarded-For";

    /// <summary>A long poll is held for up to 90 s.</summary>
    private static readonly ForwarderRequestConfig s_request = new() { ActivityTimeout = TimeSpan.FromMinutes(2) };

    private readonly IHttpForwarder _forwarder;
    private readonly IHostApplicationLifetime _host;
    private readonly Transformer _transformer;
    private readonly HttpMessageInvoker _client;
    private readonly ILogger<PeerForwarder> _logger;
    private readonly byte[]? _secret;
    private int _saidThatSecretIsMissing;

    public PeerForwarder(IHttpForwarder forwarder, IOptions<ClusterOptions> options, IHostApplicationLifetime host, ILogger<PeerForwarder> logger)
    {
        _forwarder = forwarder;
        _host = host;
        _logger = logger;
        _secret = options.Value.Secret is { } secret ? Encoding.UTF8.GetBytes(secret) : null;
        _transformer = new Transformer(options.Value.Secret);
        _client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            // A client whose node has gone must not hang until it notices.
            ConnectTimeout = TimeSpan.FromSeconds(2),
            // A node may come back under its name with another address.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        });
    }

    public static bool ClaimsToBePassedOn(HttpRequest request) => request.Headers.ContainsKey(SecretHeader);

    /// <summary>Takes a request that another node has passed on, as its client would have sent it here.</summary>
    /// <returns>False: it shows another secret than this node's.</returns>
    public bool TryReceive(HttpContext http)
    {
        var headers = http.Request.Headers;
        var shown = Encoding.UTF8.GetBytes(headers[SecretHeader].ToString());
        headers.Remove(SecretHeader);
        if (_secret is null || !CryptographicOperations.FixedTimeEquals(shown, _secret))
            return false;
        // Absent when the host believes proxies: then it has taken the address itself.
        if (IPAddress.TryParse(headers[ForwardedFor].ToString(), out var client))
            http.Connection.RemoteIpAddress = client;
        return true;
    }

    /// <returns>False: the node could not be reached, or went away before it answered, and nothing is written yet.</returns>
    public async Task<bool> TryPassOnAsync(HttpContext http, string url)
    {
        if (_secret is null)
        {
            if (Interlocked.Exchange(ref _saidThatSecretIsMissing, 1) == 0)
                LogNoSecret();
            return false;
        }

        // What is passed on may last as long as its connection, and would hold up the stop of this node.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _host.ApplicationStopping);
        var error = await _forwarder.SendAsync(http, url, _client, s_request, _transformer, ending.Token);
        if (error == ForwarderError.None || http.RequestAborted.IsCancellationRequested)
            return true;
        LogFailed(url, error);
        if (http.Response.HasStarted)
            return true;
        http.Response.Clear();
        return false;
    }

    public void Dispose() => _client.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Requests for connections of other nodes cannot be passed on: set Cluster:Secret, the same on all nodes")]
    private partial void LogNoSecret();

    [LoggerMessage(Level = LogLevel.Debug, Message = "A request could not be passed on to {Node}: {Error}")]
    private partial void LogFailed(string node, ForwarderError error);

    private sealed class Transformer(string? secret) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            // The node's own name, which its certificate has when it has one.
            proxyRequest.Headers.Host = null;
            proxyRequest.Headers.Remove(ForwardedFor);
            proxyRequest.Headers.Add(ForwardedFor, httpContext.Connection.RemoteIpAddress?.ToString());
            proxyRequest.Headers.Add(SecretHeader, secret);
        }
    }
}
