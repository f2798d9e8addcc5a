using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>A balancer at its worst: each request goes to the next node, whosever it is. Only a node that refuses connections is passed over.</summary>
internal sealed class RoundRobin : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly IReadOnlyList<Uri> _nodes;
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });
    private readonly ConcurrentQueue<(string Request, int Node)> _seen = new();
    private int _requests;

    private RoundRobin(WebApplication app, IReadOnlyList<Uri> nodes)
    {
        (_app, _nodes) = (app, nodes);
        app.UseWebSockets();
        app.Run(PassOnAsync);
    }

    public Uri Address => new(_app.Urls.Single());

    /// <summary>Method and path of each request, and the node that it went to.</summary>
    public IReadOnlyCollection<(string Request, int Node)> Seen => _seen;

    public static async Task<RoundRobin> StartAsync(params IReadOnlyList<Uri> nodes)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHttpForwarder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var proxy = new RoundRobin(builder.Build(), nodes);
        await proxy._app.StartAsync();
        return proxy;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task PassOnAsync(HttpContext http)
    {
        int node;
        do
        {
            node = (int)((uint)Interlocked.Increment(ref _requests) % _nodes.Count);
        }
        while (!await ListensAsync(_nodes[node]));
        _seen.Enqueue(($"{http.Request.Method} {http.Request.Path}", node));
        await _app.Services.GetRequiredService<IHttpForwarder>()
            .SendAsync(http, _nodes[node].ToString(), _client, new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromMinutes(2) }, HttpTransformer.Default);
    }

    private static async Task<bool> ListensAsync(Uri node)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(node.Host, node.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
