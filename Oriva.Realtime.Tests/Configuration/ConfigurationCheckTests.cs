using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Oriva.Realtime.Hub.Configuration;

namespace Oriva.Realtime.Tests.Configuration;

public sealed class ConfigurationCheckTests
{
    private const string Secret = "a secret of the tests, 32 bytes and more";

    // Of the example in RFC 8291.
    private const string PushPrivateKey = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    private const string PushPublicKey = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    private const string OtherPublicKey = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    private const string WebhookSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // What a production needs at least.
    private static readonly (string Key, string? Value)[] s_good = [("Storage:Provider", "Sqlite"), ("Auth:SymmetricKey", Secret)];

    [Fact]
    public void Development_NeedsNothing() => Find("Development").ShouldBeEmpty();

    [Fact]
    public void Production_NeedsAStoreAndAKey() => Find("Production", s_good).ShouldBeEmpty();

    [Fact]
    public void SettingsAtTheirLimits_AreGood() => Find("Production",
    [
        ("Storage:Provider", "postgres"), ("ConnectionStrings:Postgres", "Host=db;Username=oriva;Password=p;Database=oriva"), ("Storage:MigrateAtStart", "true"),
        ("Auth:Authority", "https://id.example/realms/x"), ("Auth:Issuer", "https://id.example"), ("Auth:Audience", "realtime"), ("Auth:JwksUri", ""),
        ("Auth:Claims:Apps", "app_metadata.apps"), ("Auth:Claims:Sub", "email"), ("Auth:Claims:Email", "email"),
        ("Limits:PayloadBytes", "65536"), ("Limits:PublishesPerSecond", "0"), ("EventLog:OutboxPoll", "00:00:01"), ("EventLog:OutboxLease", "00:00:30.5"),
        ("WebPush:PublicKey", PushPublicKey), ("WebPush:PrivateKey", PushPrivateKey), ("WebPush:Subject", "mailto:ops@example.com"), ("WebPush:TimeToLive", "28.00:00:00"),
        ("Webhooks:work-buddy:Url", "http://10.0.0.5:8080/hook"), ("Webhooks:work-buddy:Secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("Webhooks:hugo-love:Url", "https://hooks.example/"), ("Webhooks:hugo-love:Secret", WebhookSecret), ("Webhooks:hugo-love:PreviousSecret", WebhookSecret),
        ("Retention:Days", "3650"), ("Retention:Interval", "1.00:00:00"), ("Cors:Origins:0", "https://app.example.com"), ("Cors:Origins:1", "http://localhost:3000"),
    ]).ShouldBeEmpty();

    [Theory]
    [InlineData("Storage:Provider", "Mongo", "Storage:Provider must be Sqlite or Postgres, not 'Mongo'.")]
    [InlineData("Storage:Provider", "1", "Storage:Provider must be Sqlite or Postgres")]
    [InlineData("Storage:Provider", "", "Storage:Provider must be Postgres or Sqlite; outside Development there is no default.")]
    [InlineData("Storage:Provider", "Postgres", "ConnectionStrings:Postgres must be set")]
    [InlineData("Storage:SqlitePath", "", "Storage:SqlitePath must not be empty.")]
    [InlineData("Storage:MigrateAtStart", "yes", "Storage:MigrateAtStart must be true or false, not 'yes'.")]
    [InlineData("Storage:PostgresConnectionString", "Host=x", "Storage:PostgresConnectionString is not a setting")]
    [InlineData("Storage:Sqlitepaths", "x", "Storage:Sqlitepaths is not a setting; Storage has MigrateAtStart, PostgresRoleOption, Provider, SqlitePath.")]
    [InlineData("ConnectionStrings:Postgres", "postgres://oriva:hush@db/oriva", "ConnectionStrings:Postgres must be of the form Host=")]
    [InlineData("ConnectionStrings:Postgres", "Host=db;Port=many", "ConnectionStrings:Postgres must be of the form Host=")]
    [InlineData("ConnectionStrings:Postgres", "Username=oriva", "ConnectionStrings:Postgres must be of the form Host=")]
    [InlineData("Auth:SymmetricKey", "0123456789012345678901234567890", "Auth:SymmetricKey must be at least 32 bytes long.")]
    [InlineData("Auth:SymmetricKey", "", "Auth:Authority, Auth:JwksUri or Auth:SymmetricKey must be set; outside Development no key is made.")]
    [InlineData("Auth:Autority", "https://id.example", "Auth:Autority is not a setting; Auth has Audience, Authority, Claims, Issuer, JwksUri, SymmetricKey.")]
    [InlineData("Auth:JwksUri", "https://id.example/keys", "Auth:JwksUri and Auth:SymmetricKey are set; only one of them may be.")]
    [InlineData("Auth:Claims:App", "apps", "Auth:Claims:App is not a setting")]
    [InlineData("Auth:Claims:Apps", "", "Auth:Claims:Apps must be a claim's name")]
    [InlineData("Auth:Claims:Apps", "a..b", "Auth:Claims:Apps must be a claim's name")]
    [InlineData("Retention:Days", "0", "Retention:Days must be a whole number from 1 to 3650, not '0'.")]
    [InlineData("Retention:Days", "3651", "Retention:Days must be a whole number from 1 to 3650, not '3651'.")]
    [InlineData("Delivery:RetryDelays", "1,2,x", "Delivery:RetryDelays must be seconds joined by commas, such as 1,2,4,8,16, each above 0 and up to 86400, not '1,2,x'.")]
    [InlineData("Delivery:Channels:Email", "0", "Delivery:Channels:Email must be seconds joined by commas")]
    [InlineData("Delivery:Channels:Pigeon", "1", "Delivery:Channels:Pigeon is not a setting; Delivery:Channels has Email, Push, Webhook.")]
    [InlineData("Delivery:JitterPercent", "101", "Delivery:JitterPercent must be a whole number from 0 to 100, not '101'.")]
    [InlineData("Retention:Days", "a month", "Retention:Days must be")]
    [InlineData("Retention:Interval", "10", "Retention:Interval must be a time such as 00:00:05, up to 1.00:00:00, not '10'.")]
    [InlineData("Limits:payloadbytes", "64k", "Limits:PayloadBytes must be a whole number from 1, not '64k'.")]
    [InlineData("Limits:BatchEvents", "0", "Limits:BatchEvents must be a whole number from 1, not '0'.")]
    [InlineData("Limits:BatchBytes:0", "5", "Limits:BatchBytes must be one value")]
    [InlineData("Limits:PublishesPerSecond", "-1", "Limits:PublishesPerSecond must be a whole number from 0, not '-1'.")]
    [InlineData("EventLog:ResolveTimeout", "00:00:00", "EventLog:ResolveTimeout must be a time")]
    [InlineData("EventLog:ResolveTimeout", "-00:00:05", "EventLog:ResolveTimeout must be a time")]
    [InlineData("EventLog:OutboxLease", "5:", "EventLog:OutboxLease must be a time")]
    [InlineData("EventLog:OutboxLease", "2.00:00:00", "EventLog:OutboxLease must be a time")]
    [InlineData("Smtp:Port", "0", "Smtp:Port must be a whole number from 1 to 65535, not '0'.")]
    [InlineData("Smtp:Security", "Ssl", "Smtp:Security must be Auto or None or StartTls or Tls, not 'Ssl'.")]
    [InlineData("Smtp:Connections", "101", "Smtp:Connections must be a whole number from 1 to 100, not '101'.")]
    [InlineData("Smtp:Timeout", "20", "Smtp:Timeout must be a time")]
    [InlineData("Smtp:Server", "mail", "Smtp:Server is not a setting; Smtp has Connections, From, Host, IdleTimeout, Password, Port, PublicUrl, Security, Timeout, UnsubscribeKey, UserName.")]
    [InlineData("Smtp:From", "Realtime", "Smtp:From must be an address")]
    [InlineData("Smtp:From", "news@realtime.example, eve@realtime.example", "Smtp:From must be an address")]
    [InlineData("Smtp:PublicUrl", "http://realtime.example", "Smtp:PublicUrl must be an absolute https address without query and fragment.")]
    [InlineData("Smtp:PublicUrl", "https://realtime.example/?a=1", "Smtp:PublicUrl must be an absolute https address")]
    [InlineData("Smtp:UnsubscribeKey", "0123456789012345678901234567890", "Smtp:UnsubscribeKey must be at least 32 bytes long.")]
    [InlineData("Smtp:Password", "hush", "Smtp:Password needs Smtp:UserName.")]
    [InlineData("Apps:ManifestFolder", "no-such-folder", "Apps:ManifestFolder: there is no folder")]
    [InlineData("Cors:Origins", "https://a.example,*", "Cors:Origins must be origins such as https://app.example.com, without a path; '*' is none.")]
    [InlineData("Cors:Origins:0", "https://a.example/", "'https://a.example/' is none")]
    [InlineData("Cors:Origins:0", "a.example", "'a.example' is none")]
    public void WrongSetting_IsNamed(string key, string value, string expected)
    {
        var faults = Find("Production", [.. s_good.Where(setting => setting.Key != key), (key, value)]);

        faults.ShouldHaveSingleItem().ShouldContain(expected);
    }

    [Theory]
    [InlineData("WebPush:PublicKey", "", "WebPush:PublicKey must be base64url of the 65 bytes of a VAPID key; web push needs PublicKey, PrivateKey and Subject.")]
    [InlineData("WebPush:PublicKey", "hush", "WebPush:PublicKey must be base64url")]
    [InlineData("WebPush:PublicKey", OtherPublicKey, "WebPush:PublicKey does not belong to WebPush:PrivateKey.")]
    [InlineData("WebPush:PrivateKey", "", "WebPush:PrivateKey must be base64url of the 32 bytes")]
    [InlineData("WebPush:PrivateKey", "hush", "WebPush:PrivateKey must be base64url")]
    [InlineData("WebPush:Subject", "", "WebPush:Subject must say where push services reach you")]
    [InlineData("WebPush:Subject", "ops@example.com", "WebPush:Subject must say")]
    [InlineData("WebPush:Subject", "mailto:", "WebPush:Subject must say")]
    [InlineData("WebPush:Subject", "http://example.com", "WebPush:Subject must say")]
    [InlineData("WebPush:TimeToLive", "28.00:00:01", "WebPush:TimeToLive must be a time such as 00:00:05, up to 28.00:00:00, not '28.00:00:01'.")]
    [InlineData("WebPush:AllowPrivateAddresses", "yes", "WebPush:AllowPrivateAddresses must be true or false")]
    [InlineData("WebPush:Key", "x", "WebPush:Key is not a setting; WebPush has AllowPrivateAddresses, PrivateKey, PublicKey, Subject, TimeToLive.")]
    [InlineData("Webhooks:work-buddy:Url", "", "Webhooks:work-buddy:Url must be an absolute http or https address")]
    [InlineData("Webhooks:work-buddy:Url", "/hook", "Webhooks:work-buddy:Url must be")]
    [InlineData("Webhooks:work-buddy:Url", "https://user:hush@hooks.example/", "Webhooks:work-buddy:Url must be")]
    [InlineData("Webhooks:work-buddy:Secret", "hush", "Webhooks:work-buddy:Secret must be base64 of 24 to 64 bytes, also behind whsec_.")]
    [InlineData("Webhooks:work-buddy:PreviousSecret", "hush", "Webhooks:work-buddy:PreviousSecret must be base64")]
    [InlineData("Webhooks:work-buddy:Secrets", "x", "Webhooks:work-buddy:Secrets is not a setting; Webhooks:work-buddy has PreviousSecret, Secret, Url.")]
    [InlineData("Webhooks:work-buddy:Url:0", "https://a.example", "Webhooks:work-buddy:Url must be one value")]
    public void WrongSettingOfAChannel_IsNamed_WithoutSecrets(string key, string value, string expected)
    {
        (string, string?)[] good =
        [
            .. s_good, ("WebPush:PublicKey", PushPublicKey), ("WebPush:PrivateKey", PushPrivateKey), ("WebPush:Subject", "mailto:ops@example.com"),
            ("Webhooks:work-buddy:Url", "https://hooks.example/"), ("Webhooks:work-buddy:Secret", WebhookSecret),
        ];
        var faults = Find("Production", [.. good.Where(setting => setting.Item1 != key), (key, value)]);

        faults.ShouldHaveSingleItem().ShouldStartWith(expected);
        faults[0].ShouldNotContain("hush");
    }

    [Fact]
    public void WebPush_NeedsAllOrNothing()
    {
        Find("Production", [.. s_good, ("WebPush:PublicKey", ""), ("WebPush:Subject", "")]).ShouldBeEmpty("variables that are passed on empty were not set");
        Find("Production", [.. s_good, ("WebPush:TimeToLive", "01:00:00")]).Select(fault => fault.Split(' ')[0]).ShouldBe(["WebPush:PrivateKey", "WebPush:PublicKey", "WebPush:Subject"]);
        Find("Development", ("WebPush:TimeToLive", "01:00:00")).ShouldBeEmpty("keys are made");
        Find("Development", ("WebPush:Subject", "me")).ShouldHaveSingleItem().ShouldStartWith("WebPush:Subject");
        Find("Development", ("WebPush:PublicKey", PushPublicKey)).Count.ShouldBe(2);
    }

    [Fact]
    public void Webhooks_AreOfApps()
    {
        Find("Production", [.. s_good, ("Webhooks:Work_Buddy:Url", "https://a.example"), ("Webhooks:Work_Buddy:Secret", WebhookSecret)]).ShouldHaveSingleItem().ShouldBe("Webhooks:Work_Buddy: 'Work_Buddy' is no app id.");
        Find("Production", [.. s_good, ("Webhooks:work-buddy", "https://a.example")]).Select(fault => fault.Split(' ')[0]).ShouldBe(["Webhooks:work-buddy:Url", "Webhooks:work-buddy:Secret"]);
    }

    [Theory]
    [InlineData("Auth:Authority", "http://id.example")]
    [InlineData("Auth:Authority", "id.example")]
    [InlineData("Auth:Authority", "/realms/x")]
    [InlineData("Auth:JwksUri", "file:///etc/keys")]
    public void AddressOfKeys_MustBeAbsoluteAndHttps(string key, string value) =>
        Find("Production", s_good[0], (key, value)).ShouldHaveSingleItem().ShouldStartWith(key + " must be an absolute https address.");

    [Fact]
    public void HttpForKeys_IsGoodEnough_InDevelopment() => Find("Development", ("Auth:JwksUri", "http://localhost:9000/keys")).ShouldBeEmpty();

    [Fact]
    public void Claims_CannotStandInOneAnother() =>
        Find("Production", [.. s_good, ("Auth:Claims:Sub", "user"), ("Auth:Claims:Apps", "user.apps")]).ShouldHaveSingleItem().ShouldContain("exclude each other");

    [Fact]
    public void MailServer_NeedsSenderAddressAndKey_OutsideDevelopment()
    {
        Find("Development", ("Smtp:Host", "localhost"), ("Smtp:From", "news@realtime.example")).ShouldBeEmpty();
        Find("Development", ("Smtp:Host", "localhost")).ShouldHaveSingleItem().ShouldStartWith("Smtp:From must be set");

        Find("Production", [.. s_good, ("Smtp:Host", "mail.example")]).Select(fault => fault.Split(' ')[0]).ShouldBe(["Smtp:From", "Smtp:PublicUrl", "Smtp:UnsubscribeKey"]);
        (string, string?)[] complete = [.. s_good, ("Smtp:Host", "mail.example"), ("Smtp:From", "Realtime <news@realtime.example>"), ("Smtp:PublicUrl", "https://realtime.example/base"), ("Smtp:UnsubscribeKey", Secret)];
        Find("Production", complete).ShouldBeEmpty();
        Find("Production", [.. complete, ("Smtp:Security", "None")]).ShouldBeEmpty();
        Find("Production", [.. complete, ("Smtp:Security", "none"), ("Smtp:UserName", "oriva"), ("Smtp:Password", "hush")]).ShouldHaveSingleItem().ShouldStartWith("Smtp:Security must not be None");
    }

    [Fact]
    public void Faults_ComeAllAtOnce_WithoutSecrets()
    {
        var wrong = Should.Throw<ConfigurationException>(() => ConfigurationCheck.Run(
            Configure(("Auth:SymmetricKey", "hush"), ("Limits:BatchEvents", "many"), ("Retention:Days", "0"), ("ConnectionStrings:Postgres", "Password=hush")),
            Environment("Production")));

        var lines = wrong.Message.Split(System.Environment.NewLine);
        lines[0].ShouldBe("The configuration is wrong:");
        lines[1..].ShouldAllBe(line => line.StartsWith("  - ", StringComparison.Ordinal));
        foreach (var key in new[] { "Auth:SymmetricKey", "Limits:BatchEvents", "Retention:Days", "Storage:Provider", "ConnectionStrings:Postgres" })
            lines.Count(line => line.StartsWith("  - " + key, StringComparison.Ordinal)).ShouldBe(1, key);
        wrong.Message.ShouldNotContain("hush");
    }

    internal static IConfiguration Configure(params (string Key, string? Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value))).Build();

    internal static IHostEnvironment Environment(string name, string? folder = null) => new HostingEnvironment
    {
        EnvironmentName = name,
        ContentRootPath = folder ?? Path.GetTempPath(),
        ContentRootFileProvider = new NullFileProvider(),
    };

    private static List<string> Find(string environment, params (string Key, string? Value)[] settings) =>
        ConfigurationCheck.Find(Configure(settings), Environment(environment));
}
