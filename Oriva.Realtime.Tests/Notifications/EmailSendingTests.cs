using System.Net.Security;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Notifications;

/// <summary>How the channel gets on with servers, good and bad ones.</summary>
public sealed class EmailSendingTests(SqliteFixture fixture) : StoreTests(fixture), IClassFixture<SqliteFixture>
{
    private readonly List<IAsyncDisposable> _parts = [];

    [Fact]
    public async Task AcceptedMail_IsSent_ToTheUser_FromTheServicesAddress()
    {
        var server = Keep(new MailServer());

        (await SendAsync(Channel(server), Work())).ShouldBe(ChannelResult.Sent);

        var mail = server.Mails.ShouldHaveSingleItem();
        mail.From.ShouldStartWith("MAIL FROM:<news@realtime.example>");
        mail.To.ShouldBe(["ada@example.com"]);
        (mail.Message.From.ToString(), mail.Message.To.ToString()).ShouldBe(("\"Realtime\" <news@realtime.example>", "ada@example.com"));
        mail.Message.Body!.ContentType.MimeType.ShouldBe("multipart/alternative");
        mail.Header("Auto-Submitted").ShouldBe("auto-generated");
    }

    [Fact]
    public async Task Repeat_HasTheSameMessageId_AndTheDateIsTheClocks()
    {
        var server = Keep(new MailServer());
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero));
        var (channel, work) = (Channel(server, time: time), Work());

        await SendAsync(channel, work);
        time.Advance(TimeSpan.FromSeconds(1));
        await SendAsync(channel, work);
        await SendAsync(channel, Work());

        var mails = server.Mails.Select(mail => mail.Message).ToList();
        mails.Select(mail => mail.MessageId).Distinct().ShouldBe([mails[0].MessageId!, mails[2].MessageId!]);
        mails[0].MessageId.ShouldBe($"{work.Id:N}@realtime.example");
        (mails[0].Date, mails[1].Date).ShouldBe((time.Start, time.Start.AddSeconds(1)));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public async Task UserWithoutAddress_IsSuppressed(string? address)
    {
        var result = await SendAsync(Channel(Keep(new MailServer())), Work() with { Email = address });

        result.Suppression.ShouldBe("no_address");
    }

    [Theory]
    [InlineData("ada@example.com\r\nBcc: eve@example.com")]
    [InlineData("ada@example.com> RCPT TO:<eve@example.com")]
    [InlineData("ada@example.com, eve@example.com")]
    [InlineData("ada")]
    [InlineData("Friends: ada@example.com, eve@example.com;")]
    public async Task AddressThatIsNotOneAddress_IsRefused_AndNobodyGetsAnything(string address)
    {
        var server = Keep(new MailServer());

        (await SendAsync(Channel(server), Work() with { Email = address })).IsPermanent.ShouldBeTrue();

        server.Connections.ShouldBe(0);
    }

    [Theory]
    [InlineData("MAIL", "451 4.3.0 try later", false)]
    [InlineData("RCPT", "450 4.2.1 mailbox busy", false)]
    [InlineData("RCPT", "550 5.1.1 no such mailbox", true)]
    [InlineData("DATA", "452 4.3.1 disk full", false)]
    [InlineData("(mail)", "554 5.7.1 spam", true)]
    [InlineData("MAIL", "421 4.3.2 shutting down", false)]
    // Of all mails and none: these are no word about this one.
    [InlineData("(connect)", "554 5.3.2 no service here", false)]
    [InlineData("(connect)", "421 busy", false)]
    [InlineData("EHLO", "500 what?", false)]
    [InlineData("MAIL", "530 5.7.0 authentication required", false)]
    // Not SMTP at all.
    [InlineData("(connect)", "HTTP/1.1 400 Bad Request", false)]
    [InlineData("RCPT", "garbage", false)]
    [InlineData("(connect)", "close", false)]
    [InlineData("RCPT", "close", false)]
    [InlineData("(data)", "close", false)]
    [InlineData("(mail)", "close", false)]
    public async Task Answer_DecidesWhetherItIsTriedAgain(string command, string answer, bool isPermanent)
    {
        var server = Keep(new MailServer());
        var channel = Channel(server);
        server.Answer = said => said.StartsWith(command, StringComparison.Ordinal) || (command == "EHLO" && said.StartsWith("HELO", StringComparison.Ordinal)) ? answer : null;

        var result = await SendAsync(channel, Work());

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, isPermanent), result.Error);
        if (char.IsAsciiDigit(answer[0]) && command is "RCPT" or "(mail)")
            result.Error.ShouldBe(answer);
        server.Mails.ShouldBeEmpty();
        server.Answer = _ => null;
        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent, "what went wrong is over with the connection");
    }

    [Theory]
    [InlineData("(connect)")]
    [InlineData("RCPT")]
    [InlineData("(mail)")]
    public async Task ServerThatHangs_FailsInTime(string command)
    {
        var server = Keep(new MailServer { Answer = said => said.StartsWith(command, StringComparison.Ordinal) ? "hang" : null });

        var result = await SendAsync(Channel(server, smtp => smtp.Timeout = TimeSpan.FromMilliseconds(300)), Work()).Soon("it ends");

        (result.Error, result.IsPermanent).ShouldBe(("The mail server did not answer in time.", false));
    }

    [Fact]
    public async Task Cancellation_EndsTheAttempt()
    {
        var server = Keep(new MailServer { Answer = said => said.StartsWith("RCPT", StringComparison.Ordinal) ? "hang" : null });
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var sending = Channel(server).SendAsync(Work(), stopping.Token);
        await Eventually("it waits for an answer", () => server.Commands.Any(command => command.StartsWith("RCPT", StringComparison.Ordinal)));

        await stopping.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(sending.Soon("it ends"));
    }

    [Fact]
    public async Task NobodyListens_FailsToPass()
    {
        var server = new MailServer();
        await server.DisposeAsync();

        (await SendAsync(Channel(server), Work())).IsPermanent.ShouldBeFalse();
    }

    [Theory]
    [InlineData(SmtpSecurity.StartTls)]
    [InlineData(SmtpSecurity.Auto)]
    [InlineData(SmtpSecurity.Tls)]
    public async Task ServerWithoutTls_GetsNothing_WhenTlsIsDemanded(SmtpSecurity security)
    {
        var server = Keep(new MailServer { Login = "oriva:hush" });

        var result = await SendAsync(Channel(server, smtp => (smtp.Security, smtp.UserName, smtp.Password, smtp.Timeout) = (security, "oriva", "hush", TimeSpan.FromSeconds(2))), Work());

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, false));
        server.Mails.ShouldBeEmpty();
        server.Commands.ShouldNotContain(command => command.StartsWith("AUTH", StringComparison.Ordinal) || command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(SmtpSecurity.StartTls)]
    [InlineData(SmtpSecurity.Tls)]
    public async Task CertificateThatNobodyTrusts_GetsNothing(SmtpSecurity security)
    {
        using var certificate = MailServer.NewCertificate();
        var server = Keep(new MailServer { Certificate = certificate, IsTlsFromTheStart = security == SmtpSecurity.Tls, Login = "oriva:hush" });

        var result = await SendAsync(Channel(server, smtp => (smtp.Security, smtp.UserName, smtp.Password) = (security, "oriva", "hush")), Work());

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, false));
        server.Commands.ShouldNotContain(command => command.StartsWith("AUTH", StringComparison.Ordinal) || command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(SmtpSecurity.StartTls)]
    [InlineData(SmtpSecurity.Tls)]
    public async Task TlsAndLogin_Work(SmtpSecurity security)
    {
        using var certificate = MailServer.NewCertificate();
        var server = Keep(new MailServer { Certificate = certificate, IsTlsFromTheStart = security == SmtpSecurity.Tls, Login = "oriva:hush" });

        var channel = Channel(server, smtp => (smtp.Security, smtp.UserName, smtp.Password) = (security, "oriva", "hush"), trust: (_, shown, _, _) => shown!.GetCertHashString() == certificate.GetCertHashString());

        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);
        server.Mails.Count.ShouldBe(1);
    }

    [Fact]
    public async Task WrongPassword_MayPass_BecauseItIsOurFault_AndIsNotInTheError()
    {
        var server = Keep(new MailServer { Login = "oriva:hush" });

        var result = await SendAsync(Channel(server, smtp => (smtp.UserName, smtp.Password) = ("oriva", "wr0ng-secret")), Work());

        (result.IsSuccess, result.IsPermanent).ShouldBe((false, false));
        result.Error!.ShouldContain("535");
        result.Error!.ShouldNotContain("wr0ng-secret");
        server.Mails.ShouldBeEmpty();
    }

    [Fact]
    public async Task ConnectionIsUsedAgain_AlsoAfterARefusal()
    {
        var server = Keep(new MailServer());
        var channel = Channel(server);
        server.Answer = said => said.StartsWith("RCPT TO:<bob@", StringComparison.Ordinal) ? "550 no such mailbox" : null;

        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);
        (await SendAsync(channel, Work() with { Email = "bob@example.com" })).IsPermanent.ShouldBeTrue();
        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);

        server.Connections.ShouldBe(1);
        server.Mails.Count.ShouldBe(2);
    }

    [Fact]
    public async Task ConnectionThatTheServerClosedMeanwhile_CostsNoAttempt()
    {
        var server = Keep(new MailServer());
        var channel = Channel(server);
        await SendAsync(channel, Work());

        server.CloseConnections();
        await Eventually("it is closed", () => server.OpenConnections == 0);

        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);
        (server.Connections, server.Mails.Count).ShouldBe((2, 2));
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("421 4.4.2 idle for too long")]
    public async Task KeptConnectionThatAnswersNoMore_CostsNoAttempt(string answer)
    {
        var server = Keep(new MailServer());
        var channel = Channel(server, smtp => smtp.Timeout = TimeSpan.FromSeconds(2));
        await SendAsync(channel, Work());

        server.Answer = said => said == "NOOP" ? answer : null;

        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);
        (server.Connections, server.Mails.Count).ShouldBe((2, 2));
    }

    [Fact]
    public async Task ServerThatTakesOneMailAConnection_GetsThemAll()
    {
        var server = Keep(new MailServer { Answer = said => said == "(mail)" ? "close-after" : null });
        var channel = Channel(server);

        for (var i = 0; i < 5; i++)
            (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);

        server.Mails.Select(mail => mail.Message.MessageId).Distinct().Count().ShouldBe(5);
        server.Mails.Count.ShouldBe(5);
    }

    [Fact]
    public async Task IdleConnections_AreClosedPolitely()
    {
        var server = Keep(new MailServer());
        var time = new FakeTimeProvider();
        var channel = Channel(server, time: time);
        await SendAsync(channel, Work());
        server.OpenConnections.ShouldBe(1);

        time.Advance(TimeSpan.FromSeconds(60));

        await Eventually("it is closed", () => server.OpenConnections == 0);
        server.Commands.ShouldContain("QUIT");
        (await SendAsync(channel, Work())).ShouldBe(ChannelResult.Sent);
    }

    [Fact]
    public async Task ThereAreNeverMoreConnectionsThanAllowed()
    {
        var server = Keep(new MailServer());
        var most = 0;
        server.Answer = said =>
        {
            most = Math.Max(most, server.OpenConnections);
            return null;
        };
        var channel = Channel(server, smtp => smtp.Connections = 3);

        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => SendAsync(channel, Work()))).Soon("all are sent");

        results.ShouldAllBe(result => result == ChannelResult.Sent);
        most.ShouldBeInRange(1, 3);
        server.Mails.Select(mail => mail.Message.MessageId).Distinct().Count().ShouldBe(40);
        server.Connections.ShouldBeInRange(1, 3);
    }

    [Fact]
    public async Task Mail_IsTriedAgainAfter4xx_AndAccepted()
    {
        var server = Keep(new MailServer());
        var refusals = 2;
        server.Answer = said => said.StartsWith("RCPT", StringComparison.Ordinal) && Interlocked.Decrement(ref refusals) >= 0 ? "450 4.2.1 busy" : null;

        var row = await DeliverAsync(server, delivery => delivery.Status == DeliveryStatus.Sent);

        (row.Attempts, server.Mails.Count).ShouldBe((3, 1));
    }

    [Fact]
    public async Task Mail_IsDeadAtOnceAfter5xx()
    {
        var server = Keep(new MailServer { Answer = said => said.StartsWith("RCPT", StringComparison.Ordinal) ? "550 5.1.1 no such mailbox" : null });

        var row = await DeliverAsync(server, delivery => delivery.Status == DeliveryStatus.Dead);

        (row.Attempts, row.LastError, server.Commands.Count(command => command.StartsWith("RCPT", StringComparison.Ordinal))).ShouldBe((1, "550 5.1.1 no such mailbox", 1));
    }

    [Fact]
    public async Task UserWithoutAddress_HasASuppressedDelivery()
    {
        var server = Keep(new MailServer());

        var row = await DeliverAsync(server, delivery => delivery.Status == DeliveryStatus.Suppressed, address: null);

        (row.Reason, server.Connections).ShouldBe(("no_address", 0));
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        foreach (var part in _parts)
            await part.DisposeAsync();
    }

    /// <summary>By a node's own workers, from the event to what became of it.</summary>
    private async Task<NotificationDeliveryRow> DeliverAsync(MailServer server, Func<NotificationDeliveryRow, bool> isDone, string? address = "ada@example.com")
    {
        var node = await StartNodeAsync(new LogHostSettings
        {
            Smtp = smtp => Point(smtp, server),
            Delivery = delivery => (delivery.RetryDelays, delivery.JitterPercent, delivery.Poll) = ("0.05,0.05,0.05", 0, TimeSpan.FromMilliseconds(20)),
        });
        var app = await node.AddAppAsync(new { name = "r", on = TestManifest.Type, title = "t", channels = new[] { "email" } });
        await node.Directory.PutAsync(app, "ada", new AppUserDetails(address, null, null), Cancel);
        await node.PublishAsync(Drafts.ToUser(app, "ada"));
        NotificationDeliveryRow? row = null;
        await Eventually("the delivery is done", async () =>
        {
            await using var context = node.Database.ForService();
            return (row = await context.Deliveries.SingleOrDefaultAsync(Cancel)) is not null && isDone(row);
        });
        return row!;
    }

    private T Keep<T>(T part)
        where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }

    private EmailChannel Channel(MailServer server, Action<SmtpOptions>? configure = null, TimeProvider? time = null, RemoteCertificateValidationCallback? trust = null)
    {
        var smtp = new SmtpOptions();
        Point(smtp, server);
        configure?.Invoke(smtp);
        var options = Options.Create(smtp);
        time ??= TimeProvider.System;
        var pool = Keep(new SmtpPool(options, time) { CertificateCheck = trust });
        return new EmailChannel(pool, new EmailComposer(Node.Registry, new UnsubscribeLinks(options), options, time), options, time);
    }

    private static void Point(SmtpOptions smtp, MailServer server) =>
        (smtp.Host, smtp.Port, smtp.Security, smtp.From) = ("127.0.0.1", server.Port, SmtpSecurity.None, "Realtime <news@realtime.example>");

    private static Task<ChannelResult> SendAsync(EmailChannel channel, DeliveryWork work) => channel.SendAsync(work, Cancel);

    private static DeliveryWork Work()
    {
        var now = TimeProvider.System.GetUtcNow();
        return new DeliveryWork(Guid.CreateVersion7(now), Guid.Empty, Guid.CreateVersion7(now), "no-manifest", "ada", "r", ChannelNames.Email, 0)
        {
            Title = "Hello", Body = "World", Data = "{}", CreatedAt = now, Email = "ada@example.com",
        };
    }
}
