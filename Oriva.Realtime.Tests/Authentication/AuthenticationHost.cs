using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Configuration;

namespace Oriva.Realtime.Tests.Authentication;

/// <summary>Nothing but authentication, in front of endpoints that say who came in.</summary>
internal sealed class AuthenticationHost : IAsyncDisposable
{
    public const string Secret = "a secret of the tests, 32 bytes and more";

    private readonly WebApplication _app;
    private readonly string _folder;

    private AuthenticationHost(WebApplication app, string folder, FakeTimeProvider time, LogLines log)
    {
        _app = app;
        _folder = folder;
        Time = time;
        Log = log;
        Client = app.GetTestClient();
    }

    public FakeTimeProvider Time { get; }

    public LogLines Log { get; }

    public HttpClient Client { get; }

    public IServiceProvider Services => _app.Services;

    public string Folder => _folder;

    public HttpMessageHandler CreateHandler() => _app.GetTestServer().CreateHandler();

    public static Task<AuthenticationHost> StartWithSecretAsync(params (string Key, string? Value)[] settings) =>
        StartAsync("Production", [("Auth:SymmetricKey", Secret), .. settings]);

    public static async Task<AuthenticationHost> StartAsync(string environment, params (string Key, string? Value)[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-auth-").FullName;
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        var log = new LogLines();
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment, ContentRootPath = folder });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection([new("Storage:Provider", "Sqlite"), .. settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value))]);
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(log);
        builder.WebHost.UseTestServer();
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSignalR();
        builder.Services.AddProblemDetails();
        builder.AddRealtimeOptions();
        builder.AddRealtimeAuthentication();
        builder.Services.AddSingleton(new ApiKeys(null!, time)); // no test here sends a key
        builder.Services.AddSingleton(new UserBlocks(null!, time)); // nor blocks anybody

        var app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapDevelopmentTokens();
        app.MapGet("/anyone", () => "hello");
        foreach (var path in new[] { "/me", "/hubs/realtime/negotiate", "/api/v1/events/stream", "/api/v1/events/streams", "/api/v1/events/stream/more" })
            app.MapGet(path, (HttpContext context) => Describe(context.User.GetCaller())).RequireAuthorization();
        app.MapGet("/admin", () => "hello").RequireAuthorization(Policies.Admin);
        app.MapGet("/publisher", () => "hello").RequireAuthorization(Policies.Publisher);
        app.MapHub<ProbeHub>("/hubs/probe").RequireAuthorization();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new AuthenticationHost(app, folder, time, log);
    }

    public string Sign(string claims, string secret = Secret, int expiresInSeconds = 60) =>
        Tokens.Sign(Tokens.WithExpiry(claims, Time.GetUtcNow(), expiresInSeconds), secret);

    public Task<HttpResponseMessage> GetAsync(string path, string? token = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>Who the token says it is, after all checks.</summary>
    public async Task<Caller> CallAsync(string token)
    {
        using var response = await GetAsync("/me", token);
        response.StatusCode.ShouldBe(System.Net.HttpStatusCode.OK, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken) + Log);
        var json = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        return new Caller(json.GetProperty("sub").GetString()!, ReadArray(json, "apps"), ReadArray(json, "roles"), ReadArray(json, "topics"))
        {
            Email = json.GetProperty("email").GetString(),
            Locale = json.GetProperty("locale").GetString(),
            ExpiresAt = json.GetProperty("expiresAt").GetDateTimeOffset(),
        };
    }

    /// <summary>Asserts a refusal and returns its sentence.</summary>
    public async Task<string> RefuseAsync(string? token, int status = 401, string code = "unauthenticated", string path = "/me")
    {
        using var response = await GetAsync(path, token);
        return await ReadProblemAsync(response, status, code);
    }

    public static async Task<string> ReadProblemAsync(HttpResponseMessage response, int status, string code)
    {
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        ((int)response.StatusCode).ShouldBe(status, text);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json");
        var problem = JsonDocument.Parse(text).RootElement;
        problem.GetProperty("code").GetString().ShouldBe(code);
        problem.GetProperty("status").GetInt32().ShouldBe(status);
        return problem.GetProperty("detail").GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static object Describe(Caller caller) =>
        new { caller.Sub, caller.Apps, caller.Roles, caller.Topics, caller.Email, caller.Locale, caller.ExpiresAt };

    private static string[] ReadArray(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];
}

internal sealed class ProbeHub : Microsoft.AspNetCore.SignalR.Hub
{
    public string[] WhoAmI() => [Context.UserIdentifier!, Context.User!.GetCaller().Sub, .. Context.User!.GetCaller().Apps];
}

/// <summary>What was logged, at every level.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _lines = new();

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");

    public void Dispose()
    {
    }

    public override string ToString() => Environment.NewLine + string.Join(Environment.NewLine, _lines);
}
