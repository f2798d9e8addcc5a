using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Configuration;

namespace Oriva.Realtime.Tests.Configuration;

public sealed class RealtimeOptionsTests : IDisposable
{
    private const string Postgres = "Host=db;Username=oriva";
    private const string Secret = "a secret of the tests, 32 bytes and more";

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-options-").FullName;

    [Fact]
    public void Development_TakesSqliteBesideTheProgram_AndMigrates()
    {
        var storage = Get<StorageOptions>("Development");

        storage.Provider.ShouldBe(StorageProvider.Sqlite);
        storage.SqlitePath.ShouldBe(Path.Combine(_folder, ".data", "oriva.db"));
        storage.MigrateAtStart.ShouldBeTrue();
    }

    [Fact]
    public void Development_TakesPostgres_WhenThereIsOne()
    {
        var storage = Get<StorageOptions>("Development", ("ConnectionStrings:Postgres", Postgres));

        storage.Provider.ShouldBe(StorageProvider.Postgres);
        storage.PostgresConnectionString.ShouldBe(Postgres);
    }

    [Fact]
    public void Development_DoesWhatItIsTold()
    {
        var storage = Get<StorageOptions>(
            "Development", ("ConnectionStrings:Postgres", Postgres), ("Storage:Provider", "Sqlite"), ("Storage:MigrateAtStart", "false"), ("Storage:SqlitePath", "/var/x.db"));

        storage.Provider.ShouldBe(StorageProvider.Sqlite);
        storage.MigrateAtStart.ShouldBeFalse();
        storage.SqlitePath.ShouldBe(Path.GetFullPath("/var/x.db"));
    }

    [Fact]
    public void Production_Migrates_OnlyWhenTold()
    {
        Get<StorageOptions>("Production", ("Storage:Provider", "Postgres"), ("ConnectionStrings:Postgres", Postgres), ("Auth:SymmetricKey", Secret)).MigrateAtStart.ShouldBeFalse();
    }

    [Fact]
    public void Development_MakesAPushKey_AndKeepsIt()
    {
        var made = Get<WebPushOptions>("Development");

        P256.PublicKeyOf(made.PrivateKey).ShouldBe(made.PublicKey);
        made.Subject.ShouldNotBeNull();
        Get<WebPushOptions>("Development").PrivateKey.ShouldBe(made.PrivateKey);
        File.ReadAllText(Path.Combine(_folder, ".data", "development-push-key")).Trim().ShouldBe(made.PrivateKey);
        Get<WebPushOptions>("Production", ("Storage:Provider", "Sqlite"), ("Auth:SymmetricKey", Secret), ("WebPush:PublicKey", "")).IsConfigured.ShouldBeFalse();
    }

    [Fact]
    public void Webhooks_AreBoundByApp()
    {
        var webhooks = Get<WebhookOptions>("Development", ("Webhooks:work-buddy:Url", "https://a.example"), ("Webhooks:work-buddy:Secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));

        webhooks.Apps.ShouldHaveSingleItem().Key.ShouldBe("work-buddy");
        webhooks.Apps["work-buddy"].Url.ShouldBe("https://a.example");
    }

    [Fact]
    public void Sections_ReachTheirOptions()
    {
        using var services = Build("Development",
            ("Limits:PayloadBytes", "100"), ("EventLog:OutboxPoll", "00:00:02"), ("Retention:Days", "7"), ("Auth:SymmetricKey", Secret), ("Auth:Issuer", ""), ("Auth:Claims:Apps", "a.b"));

        Get<PublishingOptions>(services).PayloadBytes.ShouldBe(100);
        Get<EventLogOptions>(services).OutboxPoll.ShouldBe(TimeSpan.FromSeconds(2));
        Get<RetentionOptions>(services).Days.ShouldBe(7);
        Get<AuthOptions>(services).SymmetricKey.ShouldBe(Secret);
        Get<AuthOptions>(services).Issuer.ShouldBeNull();
        Get<AuthOptions>(services).Claims.Apps.ShouldBe("a.b");
        Get<AuthOptions>(services).Claims.Roles.ShouldBe("roles");
        Directory.Exists(Path.Combine(_folder, ".data")).ShouldBeFalse("a key was made although one is configured");
    }

    [Fact]
    public void Manifests_AreBesideTheProgramOrWhereConfigured()
    {
        Get<AppsOptions>("Development").ManifestFolder.ShouldBe(Path.Combine(AppContext.BaseDirectory, "manifests"));

        Directory.CreateDirectory(Path.Combine(_folder, "manifests"));
        Get<AppsOptions>("Development").ManifestFolder.ShouldBe(Path.Combine(_folder, "manifests"));

        Directory.CreateDirectory(Path.Combine(_folder, "mine"));
        Get<AppsOptions>("Development", ("Apps:ManifestFolder", "mine")).ManifestFolder.ShouldBe(Path.Combine(_folder, "mine"));
    }

    [Fact]
    public void WrongSettings_StopTheStart()
    {
        Should.Throw<ConfigurationException>(() => Build("Production")).Message.ShouldContain("Storage:Provider");
    }

    [Theory]
    [InlineData("https://a.example, https://b.example:8443", "https://a.example https://b.example:8443")]
    [InlineData("", "")]
    [InlineData(null, "")]
    public void Origins_MayBeOneText(string? text, string expected) =>
        CorsOrigins.Read(ConfigurationCheckTests.Configure(("Cors:Origins", text))).ShouldBe(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    [Fact]
    public void Origins_MayBeAnArray() =>
        CorsOrigins.Read(ConfigurationCheckTests.Configure(("Cors:Origins:0", "https://a.example"), ("Cors:Origins:1", "https://b.example")))
            .ShouldBe(["https://a.example", "https://b.example"]);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private T Get<T>(string environment, params (string Key, string? Value)[] settings)
        where T : class
    {
        using var services = Build(environment, settings);
        return Get<T>(services);
    }

    private static T Get<T>(IServiceProvider services)
        where T : class => services.GetRequiredService<IOptions<T>>().Value;

    private ServiceProvider Build(string environment, params (string Key, string? Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment, ContentRootPath = _folder });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, setting.Value)));
        builder.AddRealtimeOptions();
        return builder.Services.BuildServiceProvider();
    }
}
