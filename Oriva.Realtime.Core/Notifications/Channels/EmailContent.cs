using System.Text.Json;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>What a rule's e-mail templates made when the event was routed. Each part that is null comes of the notification's own texts.</summary>
/// <param name="Html">Stands within the layout, between its head and its foot.</param>
internal sealed record EmailContent(string? Subject, string? Text, string? Html)
{
    private static readonly EmailContent s_none = new(null, null, null);

    public string ToJson() => JsonSerializer.Serialize(this, WireJson.Options);

    public static EmailContent Of(string? json) => json is null ? s_none : JsonSerializer.Deserialize<EmailContent>(json, WireJson.Options) ?? s_none;
}
