using System.Text;
using Npgsql;
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

/// <summary>Finds everything that is wrong with the settings before anything starts, so that a deployment is mended once and not fault by fault.</summary>
internal static class ConfigurationCheck
{
    /// <summary>Each section with the options that it is bound to. No other keys may stand in it.</summary>
    private static readonly (string Section, Type[] Options)[] s_sections =
    [
        ("Storage", [typeof(StorageOptions)]),
        (AuthOptions.Section, [typeof(AuthOptions)]),
        ("Limits", [typeof(PublishingOptions), typeof(SessionLimits)]),
        (ClusterOptions.Section, [typeof(ClusterOptions)]),
        ("EventLog", [typeof(EventLogOptions)]),
        ("Retention", [typeof(RetentionOptions)]),
        ("Delivery", [typeof(DeliveryOptions)]),
        ("Apps", [typeof(AppsOptions)]),
        (WebPushOptions.Section, [typeof(WebPushOptions)]),
        (WebhookOptions.Section, [typeof(Dictionary<string, WebhookEndpoint>)]),
        (SmtpOptions.Section, [typeof(SmtpOptions)]),
    ];

    private static readonly Dictionary<string, (int Least, int Most)> s_ranges = new(StringComparer.Ordinal)
    {
        ["Retention:Days"] = (1, 3_650),
        ["Retention:NotificationDays"] = (1, 3_650),
        ["Limits:PublishesPerSecond"] = (0, int.MaxValue),
        ["Limits:ConnectsPerSecond"] = (0, int.MaxValue),
        ["Delivery:JitterPercent"] = (0, 100),
        ["Delivery:Concurrency"] = (1, 1_000),
        ["Smtp:Port"] = (1, 65_535),
        ["Smtp:Connections"] = (1, 100),
    };

    // Their keys are ConnectionStrings:Postgres and ConnectionStrings:Redis.
    private static readonly string[] s_hidden = [nameof(StorageOptions.PostgresConnectionString), nameof(ClusterOptions.RedisConnectionString)];

    /// <exception cref="ConfigurationException">One line a fault.</exception>
    public static void Run(IConfiguration configuration, IHostEnvironment environment)
    {
        var faults = Find(configuration, environment);
        if (faults.Count > 0)
            throw ConfigurationException.For(faults);
    }

    public static List<string> Find(IConfiguration configuration, IHostEnvironment environment)
    {
        var faults = new List<string>();
        foreach (var (section, options) in s_sections)
            SettingsShape.Check(configuration.GetSection(section), options, s_ranges, s_hidden, faults);
        CheckStorage(configuration, environment, faults);
        CheckCluster(configuration, environment, faults);
        CheckAuth(configuration, environment, faults);
        CheckDelivery(configuration, faults);
        CheckWebPush(configuration.GetSection(WebPushOptions.Section), environment, faults);
        CheckWebhooks(configuration.GetSection(WebhookOptions.Section), faults);
        CheckSmtp(configuration, environment, faults);
        if (configuration[Observability.Metrics.PortKey] is { } port && !(int.TryParse(port, out var number) && number is > 0 and <= 65_535))
            faults.Add($"{Observability.Metrics.PortKey} must be a port, 1 to 65535.");
        if (configuration["Apps:ManifestFolder"] is { Length: > 0 } folder && !Directory.Exists(Path.GetFullPath(folder, environment.ContentRootPath)))
            faults.Add($"Apps:ManifestFolder: there is no folder {Path.GetFullPath(folder, environment.ContentRootPath)}.");
        foreach (var origin in CorsOrigins.Read(configuration).Where(origin => !CorsOrigins.IsValid(origin)))
            faults.Add($"{CorsOrigins.Key} must be origins such as https://app.example.com, without a path; '{origin}' is none.");
        return faults;
    }

    /// <summary>Of these alone, for what needs no store.</summary>
    public static List<string> FindAuthFaults(IConfiguration configuration, IHostEnvironment environment)
    {
        var faults = new List<string>();
        SettingsShape.Check(configuration.GetSection(AuthOptions.Section), [typeof(AuthOptions)], s_ranges, s_hidden, faults);
        CheckAuth(configuration, environment, faults);
        return faults;
    }

    private static void CheckStorage(IConfiguration configuration, IHostEnvironment environment, List<string> faults)
    {
        var provider = configuration["Storage:Provider"];
        var postgres = configuration.GetConnectionString("Postgres");
        var isPostgres = string.Equals(provider, nameof(StorageProvider.Postgres), StringComparison.OrdinalIgnoreCase);
        if (string.IsNullOrEmpty(provider) && !environment.IsDevelopment())
            faults.Add("Storage:Provider must be Postgres or Sqlite; outside Development there is no default.");
        if (isPostgres && string.IsNullOrEmpty(postgres))
            faults.Add("ConnectionStrings:Postgres must be set, because Storage:Provider is Postgres.");
        if (configuration["Storage:SqlitePath"] is { } path && string.IsNullOrWhiteSpace(path))
            faults.Add("Storage:SqlitePath must not be empty.");
        if (!string.IsNullOrEmpty(postgres) && !IsConnectionString(postgres))
            faults.Add("ConnectionStrings:Postgres must be of the form Host=…;Port=5432;Database=…;Username=…;Password=….");
    }

    private static void CheckCluster(IConfiguration configuration, IHostEnvironment environment, List<string> faults)
    {
        var cluster = configuration.GetSection(ClusterOptions.Section);
        var (node, url, secret, redis) = (cluster["NodeId"], cluster["AdvertisedUrl"], cluster["Secret"], configuration.GetConnectionString("Redis"));
        if (!string.IsNullOrEmpty(node) && !ClusterOptions.IsNodeId(node))
            faults.Add("Cluster:NodeId must be 1 to 64 letters, digits, - and _.");
        if (!string.IsNullOrEmpty(url) && !(Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" && address.PathAndQuery == "/"))
            faults.Add("Cluster:AdvertisedUrl must be where the other nodes reach this one, such as http://10.0.0.5:8080, without a path.");
        if (!string.IsNullOrEmpty(secret) && Encoding.UTF8.GetByteCount(secret) < ClusterOptions.LeastSecretBytes)
            faults.Add($"Cluster:Secret must be at least {ClusterOptions.LeastSecretBytes} bytes long.");
        if (!string.IsNullOrEmpty(redis) && !IsRedis(redis))
            faults.Add("ConnectionStrings:Redis must be of the form host:6379,password=….");
        if (!string.IsNullOrEmpty(redis) && string.IsNullOrEmpty(secret) && !environment.IsDevelopment())
            faults.Add("Cluster:Secret must be set, the same on all nodes, because ConnectionStrings:Redis is; outside Development none is made.");
    }

    private static void CheckDelivery(IConfiguration configuration, List<string> faults)
    {
        var delays = configuration.GetSection("Delivery:Channels").GetChildren().Append(configuration.GetSection("Delivery:RetryDelays"));
        foreach (var setting in delays.Where(setting => setting.Value is not null && !DeliveryOptions.AreDelays(setting.Value)))
            faults.Add($"{setting.Path} must be seconds joined by commas, such as 1,2,4,8,16, each above 0 and up to 86400, not '{setting.Value}'.");
    }

    private static void CheckWebPush(IConfigurationSection webPush, IHostEnvironment environment, List<string> faults)
    {
        if (webPush.GetChildren().All(setting => string.IsNullOrEmpty(setting.Value)))
            return;
        var (publicKey, privateKey, subject) = (webPush["PublicKey"] ?? "", webPush["PrivateKey"] ?? "", webPush["Subject"] ?? "");
        var isMade = environment.IsDevelopment() && publicKey.Length == 0 && privateKey.Length == 0;
        var expected = P256.PublicKeyOf(privateKey);
        if (!isMade && expected is null)
            faults.Add($"{webPush.Path}:PrivateKey must be base64url of the 32 bytes of a VAPID key; web push needs PublicKey, PrivateKey and Subject.");
        if (!isMade && P256.ReadPublicKey(publicKey) is null)
            faults.Add($"{webPush.Path}:PublicKey must be base64url of the 65 bytes of a VAPID key; web push needs PublicKey, PrivateKey and Subject.");
        else if (!isMade && expected is not null && expected != P256.ReadPublicKey(publicKey))
            faults.Add($"{webPush.Path}:PublicKey does not belong to {webPush.Path}:PrivateKey.");
        var isAddress = subject.StartsWith("mailto:", StringComparison.Ordinal) ? Names.IsMailbox(subject["mailto:".Length..])
            : Uri.TryCreate(subject, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps;
        if (!isAddress && !(isMade && subject.Length == 0))
            faults.Add($"{webPush.Path}:Subject must say where push services reach you, such as mailto:ops@example.com or an https address.");
    }

    private static void CheckWebhooks(IConfigurationSection webhooks, List<string> faults)
    {
        foreach (var app in webhooks.GetChildren())
        {
            if (!Names.IsApp(app.Key))
                faults.Add($"{app.Path}: '{app.Key}' is no app id.");
            if (!(Uri.TryCreate(app["Url"], UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0))
                faults.Add($"{app.Path}:Url must be an absolute http or https address without a password.");
            if (WebhookEndpoint.ReadSecret(app["Secret"]) is null)
                faults.Add($"{app.Path}:Secret must be base64 of 24 to 64 bytes, also behind whsec_.");
            if (!string.IsNullOrEmpty(app["PreviousSecret"]) && WebhookEndpoint.ReadSecret(app["PreviousSecret"]) is null)
                faults.Add($"{app.Path}:PreviousSecret must be base64 of 24 to 64 bytes, also behind whsec_.");
        }
    }

    private static void CheckSmtp(IConfiguration configuration, IHostEnvironment environment, List<string> faults)
    {
        var smtp = configuration.GetSection(SmtpOptions.Section);
        var (from, url, key) = (smtp["From"], smtp["PublicUrl"], smtp["UnsubscribeKey"]);
        if (!string.IsNullOrEmpty(from) && !Names.IsMailbox(from))
            faults.Add("Smtp:From must be an address such as news@realtime.example, or Realtime <news@realtime.example>.");
        if (!string.IsNullOrEmpty(url) && !IsPublicUrl(url, environment))
            faults.Add($"Smtp:PublicUrl must be an absolute https address without query and fragment{(environment.IsDevelopment() ? " (http is good enough in Development)" : "")}.");
        if (!string.IsNullOrEmpty(key) && Encoding.UTF8.GetByteCount(key) < SmtpOptions.LeastKeyBytes)
            faults.Add($"Smtp:UnsubscribeKey must be at least {SmtpOptions.LeastKeyBytes} bytes long.");
        if (!string.IsNullOrEmpty(smtp["Password"]) && string.IsNullOrEmpty(smtp["UserName"]))
            faults.Add("Smtp:Password needs Smtp:UserName.");
        if (string.IsNullOrEmpty(smtp["Host"]))
            return;

        if (string.IsNullOrEmpty(from))
            faults.Add("Smtp:From must be set, because Smtp:Host is: it is whom e-mails of apps without a sender of their own are from.");
        if (environment.IsDevelopment())
            return;
        if (string.IsNullOrEmpty(url))
            faults.Add("Smtp:PublicUrl must be set, because Smtp:Host is: e-mails have links to unsubscribe. Outside Development there is no default.");
        if (string.IsNullOrEmpty(key))
            faults.Add("Smtp:UnsubscribeKey must be set, because Smtp:Host is; outside Development no key is made.");
        if (!string.IsNullOrEmpty(smtp["UserName"]) && string.Equals(smtp["Security"], nameof(SmtpSecurity.None), StringComparison.OrdinalIgnoreCase))
            faults.Add("Smtp:Security must not be None with Smtp:UserName: the password would cross the network in the clear.");
    }

    private static bool IsPublicUrl(string text, IHostEnvironment environment) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && environment.IsDevelopment()))
        && uri.Query.Length == 0 && uri.Fragment.Length == 0 && uri.UserInfo.Length == 0;

    private static void CheckAuth(IConfiguration configuration, IHostEnvironment environment, List<string> faults)
    {
        string[] sources = ["Auth:Authority", "Auth:JwksUri", "Auth:SymmetricKey"];
        var set = sources.Where(key => !string.IsNullOrEmpty(configuration[key])).ToList();
        if (set.Count == 0 && !environment.IsDevelopment())
            faults.Add("Auth:Authority, Auth:JwksUri or Auth:SymmetricKey must be set; outside Development no key is made.");
        if (set.Count > 1)
            faults.Add($"{string.Join(" and ", set)} are set; only one of them may be.");

        foreach (var key in set.Where(key => key != "Auth:SymmetricKey"))
        {
            var isGood = Uri.TryCreate(configuration[key], UriKind.Absolute, out var uri)
                && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && environment.IsDevelopment()));
            if (!isGood)
                faults.Add($"{key} must be an absolute https address{(environment.IsDevelopment() ? " (http is good enough in Development)" : "")}.");
        }

        if (configuration["Auth:SymmetricKey"] is { Length: > 0 } secret && Encoding.UTF8.GetByteCount(secret) < AuthOptions.LeastKeyBytes)
            faults.Add($"Auth:SymmetricKey must be at least {AuthOptions.LeastKeyBytes} bytes long.");
        CheckClaims(configuration, faults);
    }

    private static void CheckClaims(IConfiguration configuration, List<string> faults)
    {
        var paths = configuration.GetSection("Auth:Claims").GetChildren().Where(claim => claim.Value is not null).ToList();
        foreach (var claim in paths.Where(claim => claim.Value!.Split('.').Any(string.IsNullOrWhiteSpace)))
            faults.Add($"{claim.Path} must be a claim's name, or a path such as app_metadata.apps.");
        foreach (var (index, claim) in paths.Index())
        {
            if (paths.Skip(index + 1).FirstOrDefault(other => !ClaimPath.CanStandBeside(claim.Value!, other.Value!)) is { } other)
                faults.Add($"{claim.Path} and {other.Path} exclude each other: one is an object that the other stands in.");
        }
    }

    private static bool IsRedis(string text)
    {
        try
        {
            return StackExchange.Redis.ConfigurationOptions.Parse(text).EndPoints.Count > 0;
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return false;
        }
    }

    private static bool IsConnectionString(string text)
    {
        try
        {
            return !string.IsNullOrEmpty(new NpgsqlConnectionStringBuilder(text).Host);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            return false;
        }
    }
}
