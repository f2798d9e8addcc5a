using System.Net;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The whole hub in this process, over a test's store: in memory, or on real Kestrel. Several on one PostgreSQL are several nodes.</summary>
internal sealed class HubHost : WebApplicationFactory<Program>
{
    private readonly TestStore _store;
    private readonly IReadOnlyDictionary<string, string?> _settings;
    private readonly string _environment;

    private HubHost(TestStore store, IReadOnlyDictionary<string, string?>? settings, string environment)
    {
        _store = store;
        _settings = settings ?? new Dictionary<string, string?>();
        _environment = environment;
    }

    public HostLog Log { get; } = new();

    public HttpClient Http { get; private set; } = null!;

    public Uri Address => Http.BaseAddress!;

    public static HubHost StartInMemory(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development")
    {
        var hub = new HubHost(store, settings, environment);
        hub.Http = hub.Server.CreateClient();
        return hub;
    }

    public static HubHost StartOnKestrel(TestStore store, IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development")
    {
        var hub = new HubHost(store, settings, environment);
        hub.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        hub.StartServer();
        hub.Http = new HttpClient { BaseAddress = hub.ClientOptions.BaseAddress };
        return hub;
    }

    public T Get<T>()
        where T : notnull => Services.GetRequiredService<T>();

    public ApiCaller As(string? token) => new(Http, token);

    /// <summary>As SIGTERM does it. Completes when everything has stopped.</summary>
    public async Task StopAsync()
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var lifetime = Get<IHostApplicationLifetime>();
        await using var registration = lifetime.ApplicationStopped.Register(stopped.SetResult);
        lifetime.StopApplication();
        await stopped.Task.Soon("the hub stops", TimeSpan.FromSeconds(30));
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync();
            await base.DisposeAsync();
        }
        catch (ObjectDisposedException)
        {
            // The program has ended meanwhile, and with it its host.
        }
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(_environment);
        builder.UseSetting("Auth:SymmetricKey", Tokens.Key);
        foreach (var (key, value) in _store.Configuration.Concat(_settings))
            builder.UseSetting(key, value);
        builder.ConfigureTestServices(services => services.AddSingleton<ILoggerFactory>(_ => new LoggerFactory([Log], new LoggerFilterOptions
        {
            Rules =
            {
                new LoggerFilterRule(null, "Microsoft.AspNetCore", LogLevel.Warning, null),
                new LoggerFilterRule(null, "Microsoft.EntityFrameworkCore", LogLevel.Warning, null),
            },
        })));
    }
}
