using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using MimeKit;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Makes the message of a delivery. The same delivery makes the same message, but for its date and what the app's manifest says by then.</summary>
internal sealed class EmailComposer(AppRegistry registry, UnsubscribeLinks unsubscribe, IOptions<SmtpOptions> options, TimeProvider time)
{
    public async ValueTask<MimeMessage> ComposeAsync(DeliveryWork delivery, MailboxAddress to)
    {
        var manifest = registry.Find(delivery.App)?.Manifest;
        var sender = manifest?.EmailFrom ?? options.Value.From ?? throw new InvalidOperationException("Neither the manifest's email.from nor Smtp:From says whom the e-mail is from.");
        var from = Names.ParseMailbox(sender) ?? throw new InvalidOperationException($"'{sender}' is no address to send e-mails from.");
        var content = EmailContent.Of(delivery.Content);
        var stop = manifest?.IsRequired(delivery.Type) == true ? null : unsubscribe.LinkTo(delivery.App, delivery.UserId, delivery.Type);
        var (html, text) = await EmailLayout.RenderAsync(PartsOf(delivery, manifest, content, stop), time);

        var message = new MimeMessage
        {
            // A repeat after a crash has the same: mail programs show it once, and the log of a server tells it.
            MessageId = $"{delivery.Id:N}@{new IdnMapping().GetAscii(from.Domain)}",
            Date = time.GetUtcNow(),
            Subject = OneLine(string.IsNullOrWhiteSpace(content.Subject) ? delivery.Title : content.Subject),
            Body = new MultipartAlternative(new TextPart("plain") { Text = text }, new TextPart("html") { Text = html }),
        };
        message.From.Add(from);
        message.To.Add(to);
        // RFC 3834: no out-of-office note comes back.
        message.Headers.Add(HeaderId.AutoSubmitted, "auto-generated");
        if (stop is not null)
        {
            message.Headers.Add(HeaderId.ListUnsubscribe, $"<{stop.AbsoluteUri}>");
            message.Headers.Add(HeaderId.ListUnsubscribePost, "List-Unsubscribe=One-Click");
        }

        return message;
    }

    private static EmailParts PartsOf(DeliveryWork delivery, Manifest? manifest, EmailContent content, Uri? stop)
    {
        var name = manifest?.Name ?? delivery.App;
        var links = ActionsOf(delivery).Select(action => (action.Title, Link: Absolute(action.Link, manifest))).Where(action => action.Link is not null)
            .Select(action => new EmailLink(action.Title, action.Link!)).ToList();
        // An action that leads where the notification does is its button.
        if (Absolute(delivery.Link, manifest) is { } link && links.TrueForAll(action => action.Link != link))
            links.Insert(0, new EmailLink($"Open {name}", link));
        return new EmailParts(
            name, manifest?.Url, LanguageOf(delivery, manifest), delivery.Title, delivery.Body, Absolute(delivery.Image, manifest), links, stop, content);
    }

    private static List<EmailAction> ActionsOf(DeliveryWork delivery) =>
        delivery.Actions is null ? [] : JsonSerializer.Deserialize<List<EmailAction>>(delivery.Actions, WireJson.Options) ?? [];

    /// <returns>Null: there is none, or it is a path and nobody knows of which site. A mail has no broken links.</returns>
    private static Uri? Absolute(string? link, Manifest? manifest)
    {
        if (link is null || !NotificationComposer.IsWebLink(link))
            return null;
        if (!link.StartsWith('/'))
            return new Uri(link);
        return manifest?.Url is { } url && Uri.TryCreate(url, link, out var absolute) ? absolute : null;
    }

    /// <summary>Of the variant that the rule has for the user: of its own texts nobody said in which language they are.</summary>
    private static string? LanguageOf(DeliveryWork delivery, Manifest? manifest) =>
        delivery.Locale is { } locale && manifest?.Notifications.FirstOrDefault(rule => rule.Name == delivery.Rule)?.Locales is { } variants
            ? variants.ContainsKey(locale) ? locale : variants.ContainsKey(locale.Split('-')[0]) ? locale.Split('-')[0] : null
            : null;

    /// <summary>Nothing that data says begins another header.</summary>
    private static string OneLine(string text) => string.Concat(text.Select(character => char.IsControl(character) || character is '\u2028' or '\u2029' ? ' ' : character)).Trim();

    private sealed record EmailAction(string Title, string Link);
}
