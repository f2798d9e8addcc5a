using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Tracing;

namespace Oriva.Realtime.Core;

/// <summary>The table of contents of what the service does.</summary>
public static class RealtimeServiceCollectionExtensions
{
    /// <summary>Adds everything but the ways to reach it. Options are the host's to bind; <see cref="StorageOptions"/> must be.</summary>
    public static IServiceCollection AddRealtimeCore(this IServiceCollection services)
    {
        // In the order in which a node starts: the store first, what works on it afterwards. They stop in the opposite order.
        services.AddPublisher();
        services.AddNodes();
        services.AddUpkeep();
        services.AddSessions();
        services.AddConnections();
        services.AddNotifications();
        services.AddTracing();
        return services;
    }

    /// <summary>
    /// Adds what another .NET process needs to publish by <see cref="IEventPublisher"/>, straight into the database that the hubs work on, and nothing
    /// else: it follows nothing, routes nothing and delivers nothing. With Redis the hubs' clients have its events at once.
    /// </summary>
    public static IServiceCollection AddRealtimePublisher(this IServiceCollection services, string postgres, string? redis = null)
    {
        services.Configure<StorageOptions>(storage => (storage.Provider, storage.PostgresConnectionString) = (StorageProvider.Postgres, postgres));
        services.Configure<ClusterOptions>(cluster => cluster.RedisConnectionString = redis);
        services.AddPublisher();
        return services;
    }

    private static void AddPublisher(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<RealtimeMetrics>();
        services.AddStorage();
        services.AddCluster();
        services.AddApps();
        services.AddEventLog();
        services.AddPublishing();
    }

    private static void AddStorage(this IServiceCollection services)
    {
        services.AddSingleton<RealtimeDatabase>();
        services.AddSingleton<EventStore>(provider => provider.GetRequiredService<RealtimeDatabase>() is { Postgres: { } postgres }
            ? new PostgresEventStore(postgres)
            : new SqliteEventStore(provider.GetRequiredService<RealtimeDatabase>().SqliteConnectionString!));
        services.AddSingleton<StoreDialect>(provider => Get<RealtimeDatabase>(provider) is { Postgres: { } postgres }
            ? new PostgresDialect(postgres)
            : new SqliteDialect(Get<RealtimeDatabase>(provider).SqliteConnectionString!));
        services.AddSingleton(provider => new StoreMigrator(
            Get<IOptions<StorageOptions>>(provider), Get<RealtimeDatabase>(provider), Get<EventStore>(provider), Get<TimeProvider>(provider), Logger<StoreMigrator>(provider)));
        services.AddSingleton(provider => new NodeStartup(
            Get<IOptions<StorageOptions>>(provider), Get<StoreMigrator>(provider), Get<EventStore>(provider), Get<StoreEpoch>(provider),
            Get<ManifestStore>(provider), Get<ManifestFiles>(provider), Get<AppRegistry>(provider), Get<NotificationInterest>(provider), Get<TimeProvider>(provider), Logger<NodeStartup>(provider)));
        services.AddHostedService(Get<NodeStartup>);
    }

    private static void AddCluster(this IServiceCollection services)
    {
        services.AddSingleton<NodeIdentity>();
        services.AddSingleton(provider => new ClusterStore(
            Get<StoreDialect>(provider), Get<RealtimeDatabase>(provider).Provider == StorageProvider.Postgres ? PostgresClusterSql.Statements : SqliteClusterSql.Statements));
        services.AddSingleton(provider => new RedisConnection(Get<IOptions<ClusterOptions>>(provider), Get<NodeIdentity>(provider), Get<TimeProvider>(provider), Logger<RedisConnection>(provider)));
        services.AddHostedService(Get<RedisConnection>);
        services.AddSingleton(provider => new SharedKeys(Get<RealtimeDatabase>(provider), Get<TimeProvider>(provider)));
    }

    /// <summary>Hubs among each other.</summary>
    private static void AddNodes(this IServiceCollection services)
    {
        services.AddSingleton<NodeMeter>();
        services.AddSingleton(provider => new NodeRegistry(
            Get<ClusterStore>(provider), Get<NodeIdentity>(provider), Get<NodeMeter>(provider), Get<TimeProvider>(provider), Logger<NodeRegistry>(provider))
        {
            RedisState = () => Get<RedisConnection>(provider).State,
        });
        services.AddHostedService(Get<NodeRegistry>);
        services.AddSingleton(provider => new NodeCommands(
            Get<ClusterStore>(provider), Get<NodeIdentity>(provider), Get<NodeRegistry>(provider), Get<TimeProvider>(provider), Logger<NodeCommands>(provider)));
    }

    private static void AddApps(this IServiceCollection services)
    {
        services.AddSingleton(provider => new AppRegistry(Get<RealtimeDatabase>(provider), Get<TimeProvider>(provider), Logger<AppRegistry>(provider)));
        services.AddSingleton(provider => new ManifestStore(Get<RealtimeDatabase>(provider), Get<AppRegistry>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton<ManifestFiles>();
        services.AddSingleton<NotificationInterest>();
        services.AddSingleton(provider => new UserDirectory(Get<RealtimeDatabase>(provider), Get<EventStore>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new ApiKeys(Get<RealtimeDatabase>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new UserBlocks(Get<ClusterStore>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new AccessPolicy(Get<AppRegistry>(provider), Get<UserDirectory>(provider), Get<ApiKeys>(provider), Get<UserBlocks>(provider)));
        services.AddHostedService<RegistryRefresh>();
    }

    private static void AddEventLog(this IServiceCollection services)
    {
        services.AddSingleton<StoreEpoch>();
        services.AddSingleton<StreamFeed>();
        services.AddSingleton<RedisFeed>();
        services.AddHostedService(Get<RedisFeed>);
        services.AddSingleton<EventLogWriter>();
        services.AddHostedService(Get<EventLogWriter>);
    }

    /// <summary>What hubs do for the log, besides appending.</summary>
    private static void AddUpkeep(this IServiceCollection services)
    {
        services.AddSingleton<Outbox>();
        services.AddHostedService(Get<Outbox>);
        services.AddSingleton<Retention>();
        services.AddHostedService(Get<Retention>);
        services.AddSingleton<HeadsPoll>();
        services.AddHostedService(Get<HeadsPoll>);
        services.AddSingleton(provider => new EventHistory(Get<RealtimeDatabase>(provider)));
    }

    private static void AddPublishing(this IServiceCollection services)
    {
        services.AddSingleton(provider => new EventPublisher(
            Get<AppRegistry>(provider), Get<AccessPolicy>(provider), Get<EventStore>(provider), Get<EventLogWriter>(provider),
            Get<RealtimeMetrics>(provider), Get<TimeProvider>(provider), Get<IOptions<PublishingOptions>>(provider)));
        services.AddSingleton<IEventPublisher>(Get<EventPublisher>);
    }

    private static void AddSessions(this IServiceCollection services)
    {
        services.AddSingleton<SubscriptionStarter>();
        services.AddSingleton<EvidenceLog>();
        services.AddHostedService(Get<EvidenceLog>);
        services.AddSingleton(provider => new SessionFactory(
            Get<SubscriptionStarter>(provider), Get<EventStore>(provider), Get<RealtimeMetrics>(provider), Get<TimeProvider>(provider), Get<IOptions<SessionLimits>>(provider), Get<EvidenceLog>(provider)));
        services.AddHostedService<SessionSweeper>();
    }

    private static void AddConnections(this IServiceCollection services)
    {
        services.AddSingleton(provider => new ConnectionRegistry(
            Get<ClusterStore>(provider), Get<NodeIdentity>(provider), Get<NodeRegistry>(provider), Get<NodeCommands>(provider), Get<UserBlocks>(provider), Get<TimeProvider>(provider),
            Logger<ConnectionRegistry>(provider)));
        services.AddHostedService(Get<ConnectionRegistry>);
        services.AddSingleton(provider => new Presence(Get<RealtimeDatabase>(provider), Get<AccessPolicy>(provider), Get<TimeProvider>(provider), Logger<Presence>(provider)));
        services.AddHostedService(Get<Presence>);
        services.AddSingleton(provider => new ConnectionList(Get<RealtimeDatabase>(provider)));
        services.AddSingleton(provider => new ClusterOverview(Get<RealtimeDatabase>(provider), Get<NodeRegistry>(provider)));
        services.AddSingleton(provider => new Operations(
            Get<RealtimeDatabase>(provider), Get<ConnectionRegistry>(provider), Get<ConnectionList>(provider), Get<NodeIdentity>(provider), Get<NodeRegistry>(provider),
            Get<NodeCommands>(provider), Get<UserBlocks>(provider), Get<TimeProvider>(provider)));
    }

    private static void AddNotifications(this IServiceCollection services)
    {
        services.AddSingleton(provider => new NotificationStore(
            Get<StoreDialect>(provider), Get<RealtimeDatabase>(provider).Provider == StorageProvider.Postgres ? PostgresNotificationSql.Statements : SqliteNotificationSql.Statements));
        services.AddSingleton<NotificationEvents>();
        services.AddChannels();
        services.AddSingleton<DestinationCircuits>();
        services.AddSingleton<DeliveryPlanner>();
        services.AddSingleton<RecipientFinder>();
        services.AddSingleton<NotificationComposer>();
        services.AddSingleton<DeliveryWorker>();
        services.AddHostedService(Get<DeliveryWorker>);
        services.AddSingleton<NotificationRouter>();
        services.AddHostedService(Get<NotificationRouter>);
        services.AddSingleton(provider => new Inbox(
            Get<RealtimeDatabase>(provider), Get<NotificationStore>(provider), Get<NotificationEvents>(provider), Get<AccessPolicy>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new EventSubscriptions(
            Get<RealtimeDatabase>(provider), Get<AccessPolicy>(provider), Get<AppRegistry>(provider), Get<NotificationInterest>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new DirectNotifications(
            Get<RealtimeDatabase>(provider), Get<NotificationStore>(provider), Get<NotificationEvents>(provider), Get<DeliveryPlanner>(provider), Get<DeliveryWorker>(provider),
            Get<AccessPolicy>(provider), Get<AppRegistry>(provider), Get<IOptions<PublishingOptions>>(provider).Value, Get<TimeProvider>(provider)));
        services.AddSingleton<DigestComposer>();
        services.AddSingleton<ScheduleWorker>();
        services.AddHostedService(Get<ScheduleWorker>);
        services.AddSingleton<NotificationRetention>();
        services.AddHostedService(Get<NotificationRetention>);
        services.AddSingleton(provider => new Recalls(
            Get<RealtimeDatabase>(provider), Get<NotificationStore>(provider), Get<NotificationEvents>(provider), Get<DeliveryWorker>(provider), Get<AccessPolicy>(provider),
            Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new Preferences(Get<RealtimeDatabase>(provider), Get<AccessPolicy>(provider), Get<AppRegistry>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new PushSubscriptions(Get<RealtimeDatabase>(provider), Get<AccessPolicy>(provider), Get<IOptions<WebPushOptions>>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new UnsubscribeLinks(Get<IOptions<SmtpOptions>>(provider)));
        services.AddSingleton(provider => new DeliveryRecords(Get<RealtimeDatabase>(provider)));
        services.AddSingleton(provider => new DeadLetters(Get<RealtimeDatabase>(provider), Get<DeliveryWorker>(provider), Get<EventLogWriter>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new Pauses(Get<RealtimeDatabase>(provider), Get<DeliveryWorker>(provider), Get<EventLogWriter>(provider), Get<TimeProvider>(provider)));
    }

    /// <summary>A channel of the service is there when its settings are; one that the host brings itself stands in its place.</summary>
    private static void AddChannels(this IServiceCollection services)
    {
        services.AddSingleton<SmtpPool>();
        services.AddSingleton<EmailComposer>();
        services.AddSingleton<EmailChannel>();
        services.AddSingleton<WebPushChannel>();
        services.AddSingleton<WebhookChannel>();
        services.AddSingleton(provider => new ChannelRegistry(Get<IEnumerable<INotificationChannel>>(provider).Concat(ConfiguredChannels(provider)).DistinctBy(channel => channel.Name)));
    }

    private static IEnumerable<INotificationChannel> ConfiguredChannels(IServiceProvider provider)
    {
        if (Get<IOptions<SmtpOptions>>(provider).Value.Host is not null)
            yield return Get<EmailChannel>(provider);
        if (Get<IOptions<WebPushOptions>>(provider).Value.IsConfigured)
            yield return Get<WebPushChannel>(provider);
        if (Get<IOptions<WebhookOptions>>(provider).Value.Apps.Count > 0)
            yield return Get<WebhookChannel>(provider);
    }

    private static void AddTracing(this IServiceCollection services)
    {
        services.AddSingleton(provider => new EventTracer(Get<RealtimeDatabase>(provider), Get<TimeProvider>(provider)));
        services.AddSingleton(provider => new UserTimeline(Get<RealtimeDatabase>(provider), Get<TimeProvider>(provider)));
    }

    private static T Get<T>(IServiceProvider provider)
        where T : notnull => provider.GetRequiredService<T>();

    private static Microsoft.Extensions.Logging.ILogger<T> Logger<T>(IServiceProvider provider) => Get<Microsoft.Extensions.Logging.ILogger<T>>(provider);
}
