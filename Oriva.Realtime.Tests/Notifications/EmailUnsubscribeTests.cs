using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Notifications;

public sealed class EmailUnsubscribeTests(SqliteHub fixture) : EmailUnsubscribeSpecification(fixture), IClassFixture<SqliteHub>;

public sealed class EmailUnsubscribeOnPostgresTests(PostgresHub fixture) : EmailUnsubscribeSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>From the mail that arrives to the preference that its link writes, through the whole hub.</summary>
public abstract class EmailUnsubscribeSpecification(HubFixture fixture) : HubTests(fixture)
{
    private const string Key = "a key of the tests, 32 bytes and more";
    private const string Root = "https://realtime.example";

    private readonly MailServer _server = new();

    [Fact]
    public async Task OneClick_TurnsThatKindOfMailOff_AndNoOther()
    {
        var hub = await StartHubWithMailAsync();
        await NotifyAsync(hub, "task.assigned");
        await Eventually("the mail arrives", () => _server.Mails.Count == 1);
        var mail = _server.Mails.Single();
        mail.Header("List-Unsubscribe-Post").ShouldBe("List-Unsubscribe=One-Click");
        var link = mail.Header("List-Unsubscribe")!.Trim('<', '>');
        mail.Message.HtmlBody!.ShouldContain($"href=\"{link}\"");

        // As RFC 8058 has mail programs do it: no cookie, no login.
        using var oneClick = new FormUrlEncodedContent([KeyValuePair.Create("List-Unsubscribe", "One-Click")]);
        using var answer = await hub.Http.PostAsync(PathOf(link), oneClick, TestContext.Current.CancellationToken);

        ((int)answer.StatusCode).ShouldBe(200);
        (await PreferenceAsync(hub, "task.assigned")).ShouldBeFalse();
        (await PreferenceAsync(hub, Preferences.AllTypes)).ShouldBeTrue("nobody turned the rest off");
        using var again = await hub.Http.PostAsync(PathOf(link), null, TestContext.Current.CancellationToken);
        ((int)again.StatusCode).ShouldBe(200, "twice is as good as once");
    }

    [Fact]
    public async Task Page_ChangesNothing_UntilItsButtonIsPressed()
    {
        var hub = await StartHubWithMailAsync();
        await NotifyAsync(hub, "task.assigned");
        var path = PathOf(hub.Get<UnsubscribeLinks>().LinkTo(WorkBuddy, "ada", "task.assigned")!.AbsoluteUri);

        var page = await hub.As(null).GetAsync(path);

        (page.Status, page.MediaType).ShouldBe((200, "text/html"));
        page.Text.ShouldContain("<html lang=\"en\">");
        page.Text.ShouldContain("<form method=\"post\"><button type=\"submit\">Unsubscribe</button></form>");
        page.Text.ShouldContain("Work Buddy");
        page.Headers.CacheControl!.NoStore.ShouldBeTrue();
        page.Headers.GetValues("Content-Security-Policy").Single().ShouldContain("default-src 'none'");
        (await PreferenceAsync(hub, "task.assigned")).ShouldBeTrue();
    }

    [Fact]
    public async Task NotificationWithoutAType_UnsubscribesFromEverything()
    {
        var hub = await StartHubWithMailAsync();
        await NotifyAsync(hub, "task.assigned");
        var link = hub.Get<UnsubscribeLinks>().LinkTo(WorkBuddy, "ada", null)!;

        (await hub.As(null).PostAsync(PathOf(link.AbsoluteUri), "")).Status.ShouldBe(200);

        (await PreferenceAsync(hub, Preferences.AllTypes)).ShouldBeFalse();
    }

    [Fact]
    public async Task TokenThatThisServiceDidNotSign_IsNotFound_AndChangesNothing()
    {
        var hub = await StartHubWithMailAsync();
        await NotifyAsync(hub, "task.assigned");
        var good = TokenOf(Key, WorkBuddy);
        var (content, signature) = (good.Split('.')[0], good.Split('.')[1]);
        var otherApp = TokenOf(Key, LiveMixers).Split('.')[0];
        var flipped = (signature[0] == 'A' ? 'B' : 'A') + signature[1..];
        string[] bad =
        [
            "x", ".", "a.b.c", content, content + ".", "." + signature, $"{content}.{flipped}", $"{content}.{signature[..^2]}", $"{otherApp}.{signature}",
            TokenOf("another key, which is as long as it must be", WorkBuddy), new string('a', 5_000), Uri.EscapeDataString("{}") + "." + signature,
            // Signed, but for an app that this service does not have.
            TokenOf(Key, "no-such-app"),
            // The same content under the same key, signed for another purpose.
            $"{content}.{Convert.ToBase64String(System.Security.Cryptography.HMACSHA256.HashData(Encoding.UTF8.GetBytes(Key), System.Buffers.Text.Base64Url.DecodeFromChars(content))).TrimEnd('=').Replace('+', '-').Replace('/', '_')}",
        ];

        foreach (var token in bad)
        {
            (await hub.As(null).GetAsync($"/api/v1/unsubscribe/{token}")).Status.ShouldBe(404, token);
            (await hub.As(null).PostAsync($"/api/v1/unsubscribe/{token}", "")).Status.ShouldBe(404, token);
        }

        (await PreferenceAsync(hub, "task.assigned")).ShouldBeTrue();
        (await hub.As(null).PostAsync($"/api/v1/unsubscribe/{good}", "")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task WithoutAMailServer_MailsAreSuppressed_AndLinksOfBeforeStillWork()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Smtp:UnsubscribeKey"] = Key });
        var receipt = await NotifyAsync(hub, "task.assigned");

        await Eventually("it is routed", async () => (await hub.As(Tokens.User("ada", WorkBuddy)).GetAsync($"/api/v1/notifications?app={WorkBuddy}")).ShouldBe(200).Items("items").Any());
        var id = (await hub.As(Tokens.User("ada", WorkBuddy)).GetAsync($"/api/v1/notifications?app={WorkBuddy}")).Json.Items("items")[0].Text("id");
        var email = (await hub.As(Tokens.Publisher(WorkBuddy)).GetAsync($"/api/v1/notifications/{id}/deliveries")).ShouldBe(200).Items("items").Single(delivery => delivery.Text("channel") == "email");
        (email.Text("status"), email.Text("reason")).ShouldBe(("suppressed", "channel_not_configured"), receipt.ToString());
        (await hub.As(null).PostAsync($"/api/v1/unsubscribe/{TokenOf(Key, WorkBuddy)}", "")).Status.ShouldBe(200);
        (await PreferenceAsync(hub, "task.assigned")).ShouldBeFalse();
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        await _server.DisposeAsync();
    }

    private static string TokenOf(string key, string app) =>
        new UnsubscribeLinks(Options.Create(new SmtpOptions { PublicUrl = Root, UnsubscribeKey = key })).LinkTo(app, "ada", "task.assigned")!.Segments[^1];

    private static string PathOf(string link)
    {
        link.ShouldStartWith(Root + "/api/v1/unsubscribe/");
        return link[Root.Length..];
    }

    private Task<HubHost> StartHubWithMailAsync() => StartHubAsync(new Dictionary<string, string?>
    {
        ["Smtp:Host"] = "127.0.0.1", ["Smtp:Port"] = $"{_server.Port}", ["Smtp:Security"] = "None", ["Smtp:From"] = "Realtime <news@realtime.example>", ["Smtp:PublicUrl"] = Root,
        ["Smtp:UnsubscribeKey"] = Key,
    });

    private static async Task<JsonElement> NotifyAsync(HubHost hub, string type)
    {
        var backEnd = hub.As(Tokens.Publisher(WorkBuddy));
        (await backEnd.SendAsync(HttpMethod.Put, $"/api/v1/apps/{WorkBuddy}/users/ada", """{"email":"ada@example.com"}""", "application/json", [])).Status.ShouldBeInRange(200, 204);
        return (await backEnd.PostAsync("/api/v1/notifications", new { app = WorkBuddy, userIds = new[] { "ada" }, type, title = "Ship it", channels = new[] { "in_app", "email" } })).ShouldBe(201);
    }

    private static async Task<bool> PreferenceAsync(HubHost hub, string type)
    {
        var matrix = (await hub.Get<Preferences>().FindAsync(Callers.User("ada", WorkBuddy), WorkBuddy, TestContext.Current.CancellationToken)).Required();
        return matrix.Items!.Single(item => item.Type == type).Channels!["email"];
    }
}
