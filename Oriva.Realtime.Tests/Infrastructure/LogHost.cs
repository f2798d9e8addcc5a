using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>What a node of a test has other than usual.</summary>
internal sealed record LogHostSettings
{
    public TimeProvider? Time { get; init; }

    /// <summary>A folder of manifests, loaded when the node starts.</summary>
    public string? ManifestFolder { get; init; }

    /// <summary>Manifests, put when the node has started.</summary>
    public IReadOnlyList<string> Manifests { get; init; } = [];

    public Action<StorageOptions>? Storage { get; init; }

    public Action<EventLogOptions>? EventLog { get; init; }

    public Action<RetentionOptions>? Retention { get; init; }

    public Action<PublishingOptions>? Publishing { get; init; }

    public Action<DeliveryOptions>? Delivery { get; init; }

    /// <summary>As <c>ConnectionStrings:Redis</c>; null: the node asks its store.</summary>
    public string? Redis { get; init; }

    public IReadOnlyList<INotificationChannel> Channels { get; init; } = [];

    /// <summary>The channel for e-mail is the service's own, with these.</summary>
    public Action<SmtpOptions>? Smtp { get; init; }

    /// <summary>The channel for web push is the service's own, with these.</summary>
    public Action<WebPushOptions>? WebPush { get; init; }
}

/// <summary>A node without the ways to reach it: all of <c>AddRealtimeCore</c>, running over a test's store. Several on one PostgreSQL are several nodes.</summary>
internal sealed class LogHost : IAsyncDisposable
{
    private static int s_apps;

    private readonly IHost _host;
    private bool _stopped = true, _disposed;

    private LogHost(IHost host, HostLog log)
    {
        _host = host;
        Log = log;
    }

    public HostLog Log { get; }

    public EventPublisher Publisher => Get<EventPublisher>();

    public EventStore Store => Get<EventStore>();

    public EventLogWriter Writer => Get<EventLogWriter>();

    public Outbox Outbox => Get<Outbox>();

    public Retention Retention => Get<Retention>();

    public EventHistory History => Get<EventHistory>();

    public StreamFeed Feed => Get<StreamFeed>();

    public HeadsPoll HeadsPoll => Get<HeadsPoll>();

    public SessionFactory Sessions => Get<SessionFactory>();

    public AppRegistry Registry => Get<AppRegistry>();

    public ManifestStore Manifests => Get<ManifestStore>();

    public UserDirectory Directory => Get<UserDirectory>();

    public AccessPolicy Access => Get<AccessPolicy>();

    public RealtimeDatabase Database => Get<RealtimeDatabase>();

    public StoreMigrator Migrator => Get<StoreMigrator>();

    public StoreEpoch Epoch => Get<StoreEpoch>();

    public NodeStartup Startup => Get<NodeStartup>();

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <exception cref="Exception">What keeps the node from starting.</exception>
    public static async Task<LogHost> StartAsync(TestStore store, LogHostSettings? settings = null)
    {
        var node = Build(store, settings);
        try
        {
            await node._host.StartAsync();
            node._stopped = false;
            foreach (var manifest in settings?.Manifests ?? [])
                await node.PutManifestAsync(manifest);
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }

        return node;
    }

    /// <summary>A node that is not started: for what a process does without serving, as <c>--migrate</c>.</summary>
    public static LogHost Build(TestStore store, LogHostSettings? settings = null)
    {
        settings ??= new LogHostSettings();
        var log = new HostLog();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(log).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.Warning);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        if (settings.Time is not null)
            builder.Services.AddSingleton(settings.Time);
        builder.Services.Configure<StorageOptions>(store.Configure);
        builder.Services.Configure<StorageOptions>(storage => settings.Storage?.Invoke(storage));
        builder.Services.Configure<EventLogOptions>(eventLog => settings.EventLog?.Invoke(eventLog));
        builder.Services.Configure<RetentionOptions>(retention => settings.Retention?.Invoke(retention));
        builder.Services.Configure<PublishingOptions>(publishing => settings.Publishing?.Invoke(publishing));
        builder.Services.Configure<DeliveryOptions>(delivery => settings.Delivery?.Invoke(delivery));
        builder.Services.Configure<ClusterOptions>(cluster => cluster.RedisConnectionString = settings.Redis);
        foreach (var channel in settings.Channels)
            builder.Services.AddSingleton(channel);
        if (settings.Smtp is not null)
            builder.Services.Configure(settings.Smtp);
        if (settings.WebPush is not null)
            builder.Services.Configure(settings.WebPush);
        builder.Services.Configure<AppsOptions>(apps => apps.ManifestFolder = settings.ManifestFolder);
        builder.Services.AddRealtimeCore();

        return new LogHost(builder.Build(), log);
    }

    /// <summary>A new app with the types and topics of <see cref="TestManifest"/>, so that tests on one store do not meet.</summary>
    public async Task<string> AddAppAsync(string openTopics = "room-*")
    {
        var app = NewAppId();
        await PutManifestAsync(TestManifest.Of(app, openTopics: openTopics));
        return app;
    }

    /// <summary>Two new apps; the first shares <see cref="TestManifest.SharedType"/> with the second.</summary>
    public async Task<(string Source, string Consumer)> AddSharingAppsAsync()
    {
        var (source, consumer) = (NewAppId(), NewAppId());
        await PutManifestAsync(TestManifest.Of(source, sharedWith: consumer));
        await PutManifestAsync(TestManifest.Of(consumer, consumes: source));
        return (source, consumer);
    }

    public async Task PutManifestAsync(string manifest)
    {
        var json = JsonElement.Parse(manifest);
        (await Manifests.PutAsync(json.GetProperty("app").GetString()!, json, new ManifestPut(), CancellationToken.None)).Required();
    }

    public async Task<Receipt> PublishAsync(EventDraft draft) => (await Publisher.PublishAsync(draft)).Required();

    public async Task<IReadOnlyList<Receipt>> PublishAsync(IReadOnlyList<EventDraft> drafts) => (await Publisher.PublishAsync(drafts)).Required();

    /// <summary>All that the log keeps of a stream, seen by the service, in order.</summary>
    public Task<IReadOnlyList<StoredEvent>> ReadStreamAsync(string stream, long after = 0) =>
        Store.ReadAsync(stream, after, DateTimeOffset.MinValue, new ReadLimit(int.MaxValue), Scopes.Whole(stream.Split('/')[0]), CancellationToken.None);

    /// <summary>Stops the node as a host does; it may be called while others use it.</summary>
    public async Task StopAsync()
    {
        if (_stopped)
            return;
        _stopped = true;
        var crashed = Get<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested;
        await _host.StopAsync();
        crashed.ShouldBeFalse($"a background service of the node has crashed:{Environment.NewLine}{Log}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            await StopAsync();
        }
        finally
        {
            if (Database.SqliteConnectionString is { } sqlite)
                SqliteConnection.ClearPool(new SqliteConnection(sqlite));
            if (_host is IAsyncDisposable host)
                await host.DisposeAsync();
        }
    }

    private static string NewAppId() => $"app-{Interlocked.Increment(ref s_apps)}";

    /// <summary>The process is the test runner's: the host must not take its signals.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
