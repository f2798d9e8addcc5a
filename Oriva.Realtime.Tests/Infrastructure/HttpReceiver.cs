using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A server that channels send to: keeps what it is sent, and answers as the test says.</summary>
internal sealed class HttpReceiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<ReceivedRequest> _requests = new();
    private readonly WebApplication _app;
    private int _paths;

    private HttpReceiver(WebApplication app) => _app = app;

    public IReadOnlyList<ReceivedRequest> Requests => [.. _requests];

    public ReceivedRequest Single => Requests.ShouldHaveSingleItem();

    public Func<HttpContext, Task> Answer { get; set; } = WithStatus(StatusCodes.Status201Created);

    public string Address => _app.Urls.Single();

    public int Port => new Uri(Address).Port;

    /// <summary>An address here that nobody else has.</summary>
    public string NewUrl() => $"{Address}/to/{Interlocked.Increment(ref _paths)}";

    public static Func<HttpContext, Task> WithStatus(int status, string? body = null, string? retryAfter = null) => async context =>
    {
        context.Response.StatusCode = status;
        if (retryAfter is not null)
            context.Response.Headers.RetryAfter = retryAfter;
        if (body is not null)
            await context.Response.WriteAsync(body);
    };

    public static async Task<HttpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new HttpReceiver(builder.Build());
        server._app.Run(server.ReceiveAsync);
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        // What hangs is cut off.
        using var now = new CancellationTokenSource(TimeSpan.Zero, TimeProvider.System);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        _requests.Enqueue(new ReceivedRequest(
            context.Request.Method, context.Request.Path.Value!, context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray()));
        await Answer(context);
    }
}

internal sealed record ReceivedRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    /// <summary>Null: there is no such header.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);
}
