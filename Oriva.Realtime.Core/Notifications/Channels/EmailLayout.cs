using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>A button, or a line of the text part.</summary>
internal sealed record EmailLink(string Title, Uri Link);

/// <summary>What an e-mail says, with links that work from anywhere.</summary>
/// <param name="Language">Of the texts, as HTML names it; null: not known.</param>
/// <param name="Links">The first is the one that matters.</param>
internal sealed record EmailParts(
    string AppName, Uri? AppUrl, string? Language, string Title, string? Body, Uri? Image, IReadOnlyList<EmailLink> Links, Uri? Unsubscribe, EmailContent Content);

/// <summary>The service's own look: <c>EmailLayout.html.liquid</c> and <c>EmailLayout.text.liquid</c>, which lie beside this file.</summary>
internal static class EmailLayout
{
    /// <summary>Of the body, as mail programs show it beside the subject.</summary>
    private const int PreviewLength = 140;

    // In HTML, data cannot bring it in, because it is encoded. In the text part it stands in front.
    private const string ContentMark = "<!-- content -->";

    private static readonly LiquidTemplate s_html = Load("EmailLayout.html.liquid");
    private static readonly LiquidTemplate s_text = Load("EmailLayout.text.liquid");

    public static async ValueTask<(string Html, string Text)> RenderAsync(EmailParts parts, TimeProvider time)
    {
        var body = string.IsNullOrWhiteSpace(parts.Body) ? null : parts.Body.Trim();
        var preview = (body ?? parts.AppName).ReplaceLineEndings(" ");
        var (ownText, ownHtml) = (OrNull(parts.Content.Text), OrNull(parts.Content.Html));
        var model = new TemplateModel(
            new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["language"] = parts.Language,
                ["title"] = parts.Title,
                ["preview"] = preview.Length <= PreviewLength ? preview : preview[..(preview.LastIndexOf(' ', PreviewLength) is > 0 and var end ? end : PreviewLength)] + "…",
                ["body"] = body,
                ["image"] = parts.Image?.AbsoluteUri,
                ["links"] = parts.Links.Select(link => new Dictionary<string, object?>(StringComparer.Ordinal) { ["title"] = link.Title, ["link"] = link.Link.AbsoluteUri }).ToList(),
                ["unsubscribe"] = parts.Unsubscribe?.AbsoluteUri,
                ["isOwnText"] = ownText is not null,
                ["isOwnHtml"] = ownHtml is not null,
            },
            new Dictionary<string, object?>(StringComparer.Ordinal),
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["name"] = parts.AppName, ["url"] = parts.AppUrl?.AbsoluteUri });
        var html = Required(await s_html.RenderHtmlAsync(model, time));
        var text = Required(await s_text.RenderLongAsync(model, time));
        return (
            ownHtml is null ? html : html.Replace(ContentMark, ownHtml, StringComparison.Ordinal),
            (ownText is null ? text : ownText + text[ContentMark.Length..]).ReplaceLineEndings("\n") + "\n");
    }

    private static string? OrNull(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    private static string Required((string? Text, string? Fault) rendered) => rendered.Text ?? throw new InvalidOperationException($"The layout of e-mails: {rendered.Fault}");

    private static LiquidTemplate Load(string name)
    {
        using var stream = typeof(EmailLayout).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return LiquidTemplate.Parse(reader.ReadToEnd(), out var fault) ?? throw new InvalidOperationException($"{name}: {fault}");
    }
}
