using System.Text;
using System.Text.Encodings.Web;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Notifications.Channels;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>
/// Where the links in e-mails lead (RFC 8058). Whoever has the link has the e-mail, so nobody logs in. Only POST changes anything: scanners follow links.
/// </summary>
internal static class UnsubscribeEndpoints
{
    private const string Html = "text/html; charset=utf-8";

    public static void MapUnsubscribing(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/" + UnsubscribeLinks.Path).WithTags("Notifications").AllowAnonymous();
        group.MapGet("{token}", Ask)
            .WithName("AskToUnsubscribe").WithSummary("The page behind an e-mail's link to unsubscribe; it changes nothing").ProducesProblems(404)
            .Produces(StatusCodes.Status200OK, contentType: Html);
        group.MapPost("{token}", UnsubscribeAsync)
            .WithName("Unsubscribe").WithSummary("Turn one kind of e-mail off, with one click in a mail program or on the page").ProducesProblems(404, 503)
            .Produces(StatusCodes.Status200OK, contentType: Html);
    }

    private static IResult Ask(string token, UnsubscribeLinks links, AppRegistry registry, HttpResponse response) => Find(token, links, registry) is { } found
        ? Page(response, "Unsubscribe", $"Do you want to turn off e-mails from {found.App.Name} about “{found.Subject}”?", button: "Unsubscribe")
        : Fault.NotFound.ToResult();

    private static async Task<IResult> UnsubscribeAsync(
        string token, UnsubscribeLinks links, AppRegistry registry, Preferences preferences, HttpResponse response, CancellationToken cancellationToken)
    {
        if (Find(token, links, registry) is not { } found)
            return Fault.NotFound.ToResult();
        await preferences.MuteAsync(found.What.App, found.What.UserId, found.What.Type, found.What.Channel, cancellationToken);
        return Page(response, "You are unsubscribed", $"{found.App.Name} sends you no more e-mails about “{found.Subject}”. You can turn them on again in the app.", button: null);
    }

    private static (Unsubscription What, App App, string Subject)? Find(string token, UnsubscribeLinks links, AppRegistry registry)
    {
        if (links.Read(token) is not { } what || registry.Find(what.App) is not { } app)
            return null;
        var title = what.Type == Preferences.AllTypes ? "everything" : app.Manifest.Events.GetValueOrDefault(what.Type)?.Title is { Length: > 0 } named ? named : what.Type;
        return (what, app, title);
    }

    private static IResult Page(HttpResponse response, string title, string text, string? button)
    {
        // Nothing but the page itself, in nobody's frame, and the link in nobody's referrer or cache.
        response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Robots-Tag"] = "noindex";
        var encoder = HtmlEncoder.Default;
        return TypedResults.Text($$"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{encoder.Encode(title)}}</title>
            <style>
              :root { color-scheme: light dark; --page: #f2f4f7; --card: #fff; --edge: #dfe3ea; --text: #1b202b; --main: #2b50d4; --on-main: #fff; }
              @media (prefers-color-scheme: dark) { :root { --page: #14161b; --card: #1f232b; --edge: #323844; --text: #e9ebf0; --main: #a9bdff; --on-main: #10131a; } }
              body { margin: 0; padding: 10vh 16px 32px; background: var(--page); color: var(--text); font: 16px/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
              main { max-width: 480px; margin: 0 auto; padding: 32px; background: var(--card); border: 1px solid var(--edge); border-radius: 12px; }
              h1 { margin: 0 0 12px; font-size: 23px; line-height: 1.35; }
              p { margin: 0; }
              button { margin-top: 24px; padding: 11px 22px; border: 0; border-radius: 8px; background: var(--main); color: var(--on-main); font: inherit; font-weight: 600; cursor: pointer; }
              button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
            </style>
            </head>
            <body>
            <main>
            <h1>{{encoder.Encode(title)}}</h1>
            <p>{{encoder.Encode(text)}}</p>
            {{(button is null ? "" : $"<form method=\"post\"><button type=\"submit\">{encoder.Encode(button)}</button></form>")}}
            </main>
            </body>
            </html>
            """, Html, Encoding.UTF8);
    }
}
