using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>Title, body and the rest, as one recipient gets them.</summary>
internal sealed record ComposedText(string Title, string? Body, string? Link, string? Image, string? Actions, string? TemplateError)
{
    /// <summary>JSON: what the rule's own e-mail templates make; null: it has none.</summary>
    public string? EmailContent { get; init; }
}

/// <summary>Makes the text of a notification from its rule and event. It never fails: what a template cannot say is said plainly, and recorded.</summary>
internal sealed class NotificationComposer(AppRegistry registry, RealtimeMetrics metrics, TimeProvider time)
{
    private const int MaxTitle = 200;

    /// <param name="rule">Null: a subscription that no rule describes.</param>
    /// <param name="digested">Of a digest, of which <paramref name="e"/> is the newest event; null: it is the only one.</param>
    public async ValueTask<ComposedText> ComposeAsync(App app, StoredEvent e, NotificationRule? rule, LocalizedText? text, DigestedEvents? digested = null)
    {
        var plainTitle = TitleIn(app, e.Type) ?? TitleIn(registry.Find(e.Source), e.Type) ?? e.Type;
        if (rule is null)
            return new ComposedText(plainTitle, $"{e.Type} in {app.Name}", null, null, null, null);

        var model = LiquidTemplate.ModelOf(e, app, digested);
        string? error = null;
        var title = await RenderAsync("title", text!.Title!, oneLine: true);
        var body = text.Body is null ? null : await RenderAsync("body", text.Body, oneLine: false);
        var link = rule.Link is null ? null : CheckLink("link", await RenderAsync("link", rule.Link, oneLine: true));
        var image = rule.Image is null ? null : CheckLink("image", await RenderAsync("image", rule.Image, oneLine: true));
        var actions = new List<object>();
        foreach (var action in rule.Actions)
        {
            var (actionTitle, actionLink) = (await RenderAsync("actions", action.Title, oneLine: true), CheckLink("actions", await RenderAsync("actions", action.Link, oneLine: true)));
            if (actionTitle is { Length: > 0 } && actionLink is not null)
                actions.Add(new { title = actionTitle, link = actionLink });
        }

        var email = rule.Email is null ? null : new EmailContent(
            Shorten(rule.Email.Subject is null ? null : await RenderAsync("email.subject", rule.Email.Subject, oneLine: true)),
            rule.Email.Text is null ? null : Keep("email.text", await rule.Email.Text.RenderLongAsync(model, time)),
            rule.Email.Html is null ? null : Keep("email.html", await rule.Email.Html.RenderHtmlAsync(model, time)));

        if (error is not null)
            metrics.TemplateFailed(app.Id);
        return new ComposedText(
            Shorten(title is { Length: > 0 } ? title : plainTitle), body, link, image, actions.Count == 0 ? null : JsonSerializer.Serialize(actions, WireJson.Options), error)
        {
            EmailContent = email?.ToJson(),
        };

        async ValueTask<string?> RenderAsync(string what, LiquidTemplate template, bool oneLine) => Keep(what, await template.RenderAsync(model, time, oneLine));

        string? Keep(string what, (string? Text, string? Fault) rendered)
        {
            if (rendered.Fault is not null)
                error ??= $"{what}: {rendered.Fault}";
            return rendered.Text;
        }

        // Data decides what stands in a link: nothing but a path of the app or a web address goes out.
        string? CheckLink(string what, string? rendered)
        {
            if (rendered is null or "" || IsWebLink(rendered))
                return rendered is "" ? null : rendered;
            error ??= $"{what}: is neither a path nor a web address";
            return null;
        }
    }

    /// <summary>What the rule's throttle counts an event under; null: it has none.</summary>
    public async ValueTask<NewThrottle?> ThrottleOfAsync(App app, StoredEvent e, NotificationRule rule) =>
        rule.Throttle is { } throttle ? new NewThrottle(await KeyAsync(app, e, throttle.Key), throttle.Count, throttle.Per) : null;

    /// <returns>Empty without a template; what it cannot say counts as one key, too.</returns>
    public async ValueTask<string> KeyAsync(App app, StoredEvent e, LiquidTemplate? key)
    {
        if (key is null)
            return "";
        var (rendered, fault) = await key.RenderAsync(LiquidTemplate.ModelOf(e, app), time, oneLine: true);
        if (fault is not null)
            metrics.TemplateFailed(app.Id);
        return Shorten(rendered ?? "");
    }

    public static bool IsWebLink(string link) =>
        (link.StartsWith('/') && !link.StartsWith("//", StringComparison.Ordinal) && !link.StartsWith("/\\", StringComparison.Ordinal))
        || (Uri.TryCreate(link, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp));

    private static string? TitleIn(App? app, string type) => app?.Manifest.Events.GetValueOrDefault(type)?.Title is { Length: > 0 } title ? title : null;

    [return: NotNullIfNotNull(nameof(title))]
    private static string? Shorten(string? title) => title is null || title.Length <= MaxTitle ? title : title[..(char.IsHighSurrogate(title[MaxTitle - 2]) ? MaxTitle - 2 : MaxTitle - 1)] + "…";
}
