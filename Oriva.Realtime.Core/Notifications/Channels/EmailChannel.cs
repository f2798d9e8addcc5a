using System.Globalization;
using MailKit.Net.Smtp;
using Microsoft.Extensions.Options;
using MimeKit;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>E-mail by SMTP (RFC 5321). Accepted by the server is sent; whether it is read, nobody knows.</summary>
/// <remarks>
/// What the server says of this e-mail (after <c>MAIL</c>, <c>RCPT</c> or <c>DATA</c>) is taken at its word: 4xx may pass, 5xx never will. Everything before
/// that is about all e-mails and none: a server that is away, a certificate that has expired, a password that is wrong (535). Operators mend these, so they
/// are failures that pass: the circuit opens and the deliveries wait, instead of all dying of one wrong setting.
/// </remarks>
internal sealed class EmailChannel(SmtpPool pool, EmailComposer composer, IOptions<SmtpOptions> options, TimeProvider time) : INotificationChannel
{
    public const string NoAddress = "no_address";

    public string Name => ChannelNames.Email;

    public string SoleDestination => string.Create(CultureInfo.InvariantCulture, $"{options.Value.Host}:{options.Value.Port}");

    public string DestinationOf(DeliveryWork delivery) => SoleDestination;

    public async Task<ChannelResult> SendAsync(DeliveryWork delivery, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(delivery.Email))
            return ChannelResult.Suppressed(NoAddress);
        if (Names.ParseMailbox(delivery.Email) is not { } to)
            return ChannelResult.Refused("The user's e-mail address is none.");
        MimeMessage message;
        try
        {
            message = await composer.ComposeAsync(delivery, to);
        }
        catch (InvalidOperationException e)
        {
            // Too large, for example: that is no failure of the server.
            return ChannelResult.Refused("The e-mail cannot be made: " + e.Message);
        }

        // Waiting for the others is not the server's fault.
        await pool.WaitAsync(cancellationToken);
        using var timeout = new CancellationTokenSource(options.Value.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await SendAsync(message, either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return ChannelResult.Failed("The mail server did not answer in time.");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return ChannelResult.Failed($"{e.GetType().Name}: {e.Message}");
        }
        finally
        {
            pool.Release();
        }
    }

    private async Task<ChannelResult> SendAsync(MimeMessage message, CancellationToken cancellationToken)
    {
        var client = await pool.OpenAsync(cancellationToken);
        var isGood = false;
        try
        {
            await client.SendAsync(message, cancellationToken);
            isGood = true;
            return ChannelResult.Sent;
        }
        catch (SmtpCommandException e)
        {
            isGood = client.IsConnected;
            var answer = string.Create(CultureInfo.InvariantCulture, $"{(int)e.StatusCode} {e.Message}");
            if ((int)e.StatusCode >= 500)
                return ChannelResult.Refused(answer);
            // Greylisting, a full mailbox, a domain that does not resolve: the server is well.
            return e.ErrorCode == SmtpErrorCode.RecipientNotAccepted && e.StatusCode != SmtpStatusCode.ServiceNotAvailable ? ChannelResult.Deferred(answer) : ChannelResult.Failed(answer);
        }
        catch (NotSupportedException e)
        {
            // The address needs what the server cannot do, such as letters beyond ASCII (RFC 6531).
            return ChannelResult.Refused(e.Message);
        }
        finally
        {
            if (isGood)
                pool.Keep(client);
            else
                client.Dispose();
        }
    }
}
