using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Configuration;

/// <summary>
/// Where each option comes from, and what it is when nobody said. Relative paths start at the content root, from wherever the process was started.
/// </summary>
internal static class RealtimeOptionsSetup
{
    /// <summary>Checks all settings and binds them.</summary>
    /// <exception cref="ConfigurationException">Settings are wrong: all of them are named.</exception>
    public static WebApplicationBuilder AddRealtimeOptions(this WebApplicationBuilder builder)
    {
        ConfigurationCheck.Run(builder.Configuration, builder.Environment);

        var services = builder.Services;
        services.AddOptions<PublishingOptions>().BindConfiguration("Limits");
        services.AddOptions<SessionLimits>().BindConfiguration("Limits");
        services.AddOptions<EventLogOptions>().BindConfiguration("EventLog");
        services.AddOptions<DeliveryOptions>().BindConfiguration("Delivery");
        services.AddOptions<WebPushOptions>().Configure<IConfiguration, IHostEnvironment>(Bind);
        services.AddOptions<WebhookOptions>().Configure<IConfiguration>((webhooks, configuration) => configuration.GetSection(WebhookOptions.Section).Bind(webhooks.Apps));
        services.AddOptions<RetentionOptions>().BindConfiguration("Retention");
        services.AddOptions<ClusterOptions>().Configure<IConfiguration, IHostEnvironment>(Bind);
        services.AddOptions<StorageOptions>().Configure<IConfiguration, IHostEnvironment>(Bind);
        services.AddOptions<AppsOptions>().Configure<IConfiguration, IHostEnvironment>(Bind);
        // At the start, so that a key file that cannot be written shows then.
        services.AddOptions<SmtpOptions>().Configure<IConfiguration, IHostEnvironment>(Bind).ValidateOnStart();
        services.AddOptions<AuthOptions>().Configure<IConfiguration, IHostEnvironment>(Bind).ValidateOnStart();
        return builder;
    }

    /// <summary>The options without a host. In Development this makes the signing key when there is none yet.</summary>
    public static AuthOptions ReadAuth(IConfiguration configuration, IHostEnvironment environment)
    {
        var options = new AuthOptions();
        Bind(options, configuration, environment);
        return options;
    }

    public static StorageOptions ReadStorage(IConfiguration configuration, IHostEnvironment environment)
    {
        var options = new StorageOptions();
        Bind(options, configuration, environment);
        return options;
    }

    private static void Bind(StorageOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        options.MigrateAtStart = environment.IsDevelopment();
        configuration.GetSection("Storage").Bind(options);
        options.PostgresConnectionString = configuration.GetConnectionString("Postgres") is { Length: > 0 } postgres ? postgres : null;
        if (environment.IsDevelopment())
            options.Provider ??= options.PostgresConnectionString is null ? StorageProvider.Sqlite : StorageProvider.Postgres;
        options.SqlitePath = Path.GetFullPath(options.SqlitePath, environment.ContentRootPath);
    }

    private static void Bind(ClusterOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        configuration.GetSection(ClusterOptions.Section).Bind(options);
        options.NodeId = OrNull(options.NodeId);
        options.AdvertisedUrl = OrNull(options.AdvertisedUrl);
        options.Secret = OrNull(options.Secret);
        options.RedisConnectionString = OrNull(configuration.GetConnectionString("Redis"));
        if (environment.IsDevelopment())
            options.Secret ??= ReadOrMakeKey(DevelopmentKey.ClusterFileName, configuration, environment);
    }

    private static void Bind(AppsOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        configuration.GetSection("Apps").Bind(options);
        if (string.IsNullOrEmpty(options.ManifestFolder))
        {
            var beside = Path.Combine(environment.ContentRootPath, "manifests");
            options.ManifestFolder = Directory.Exists(beside) ? beside : Path.Combine(AppContext.BaseDirectory, "manifests");
        }
        else
        {
            options.ManifestFolder = Path.GetFullPath(options.ManifestFolder, environment.ContentRootPath);
        }
    }

    private static void Bind(AuthOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        configuration.GetSection(AuthOptions.Section).Bind(options);

        // Deployments pass variables on that may be empty: those were not set.
        options.Authority = OrNull(options.Authority);
        options.JwksUri = OrNull(options.JwksUri);
        options.SymmetricKey = OrNull(options.SymmetricKey);
        options.Issuer = OrNull(options.Issuer);
        options.Audience = OrNull(options.Audience);
        if (environment.IsDevelopment() && options is { Authority: null, JwksUri: null, SymmetricKey: null })
            options.SymmetricKey = ReadOrMakeKey(DevelopmentKey.FileName, configuration, environment);
    }

    private static void Bind(WebPushOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        configuration.GetSection(WebPushOptions.Section).Bind(options);
        options.PublicKey = OrNull(options.PublicKey);
        options.PrivateKey = OrNull(options.PrivateKey);
        options.Subject = OrNull(options.Subject);
        if (environment.IsDevelopment() && options is { PublicKey: null, PrivateKey: null })
        {
            options.PrivateKey = ReadOrMakeKey(DevelopmentKey.PushFileName, configuration, environment);
            options.PublicKey = P256.PublicKeyOf(options.PrivateKey)
                ?? throw new InvalidOperationException($"{DevelopmentKey.PushFileName} holds no key; delete it, and the next start makes a new one.");
            options.Subject ??= "mailto:developer@example.com";
        }
    }

    private static void Bind(SmtpOptions options, IConfiguration configuration, IHostEnvironment environment)
    {
        configuration.GetSection(SmtpOptions.Section).Bind(options);
        options.Host = OrNull(options.Host);
        options.UserName = OrNull(options.UserName);
        options.Password = OrNull(options.Password);
        options.From = OrNull(options.From);
        options.PublicUrl = OrNull(options.PublicUrl);
        options.UnsubscribeKey = OrNull(options.UnsubscribeKey);
        if (environment.IsDevelopment() && options is { Host: not null, PublicUrl: not null, UnsubscribeKey: null })
            options.UnsubscribeKey = ReadOrMakeKey(DevelopmentKey.UnsubscribeFileName, configuration, environment);
    }

    /// <summary>Beside the SQLite file.</summary>
    private static string ReadOrMakeKey(string name, IConfiguration configuration, IHostEnvironment environment) =>
        DevelopmentKey.ReadOrMake(Path.Combine(Path.GetDirectoryName(ReadStorage(configuration, environment).SqlitePath)!, name));

    private static string? OrNull(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
