using System.Collections.Frozen;
using Json.Schema;

namespace Oriva.Realtime.Core.Apps;

/// <summary>What an app declares about itself: its event types, whom it shares them with, what it takes from others, its topics and notification rules.</summary>
public sealed record Manifest(
    string App,
    string Name,
    FrozenDictionary<string, EventTypeDeclaration> Events,
    IReadOnlyList<Consumption> Consumes,
    IReadOnlyList<TopicDeclaration> Topics,
    IReadOnlyList<NotificationRule> Notifications)
{
    /// <summary>Where the app is: links that are paths are made absolute with it.</summary>
    public Uri? Url { get; init; }

    /// <summary>Whom the app's e-mails are from: <c>Live Mixers &lt;news@mixers.example&gt;</c>. Null: the service's own sender.</summary>
    public string? EmailFrom { get; init; }

    private readonly FrozenDictionary<string, NotificationRule[]> _rulesByType =
        Notifications.GroupBy(rule => rule.On, StringComparer.Ordinal).ToFrozenDictionary(rules => rules.Key, rules => rules.OrderBy(rule => rule.Name, StringComparer.Ordinal).ToArray());

    /// <summary>The rules about a type, in the order of their names.</summary>
    public IReadOnlyList<NotificationRule> RulesOn(string type) => _rulesByType.TryGetValue(type, out var rules) ? rules : [];

    /// <summary>Whether users cannot mute the type: one of its rules says so.</summary>
    public bool IsRequired(string? type) => type is not null && RulesOn(type).Any(rule => rule.Required);

    public bool Declares(string type) => Events.ContainsKey(type) || BuiltInTypes.Contains(type);

    /// <summary>Whether the app has any type, its own, built in or taken from others, that the pattern matches.</summary>
    public bool HasTypesLike(Pattern pattern) => Events.Keys.Any(pattern.Matches) || BuiltInTypes.All.Any(pattern.Matches)
        || Consumes.Any(consumption => consumption.Types.Any(type => type.Intersect(pattern) is not null));

    public bool HasTypesLike(string type) => Pattern.TryParseType(type, out var pattern) && !type.EndsWith('*') && HasTypesLike(pattern);

    public bool DeclaresTopic(string topic) => Topics.Any(declared => declared.Pattern.Matches(topic));

    /// <summary>Whether every member may follow the topic; without one, there is nothing to follow.</summary>
    public bool IsOpen(string? topic) => topic is null || Topics.Any(declared => declared.Pattern.Matches(topic) && !declared.NeedsClaim);

    public bool ConsumesFrom(string app, string type) =>
        Consumes.Any(consumption => consumption.App == app && consumption.Types.Any(pattern => pattern.Matches(type)));
}

/// <param name="SchemaText">The JSON Schema as it stands in the manifest; null: any object.</param>
/// <param name="OpenToUsers">Whether users publish it too; publishers always may.</param>
public sealed record EventTypeDeclaration(
    string Type, string? Title, string? SchemaText, JsonSchema? Schema, bool OpenToUsers, FrozenSet<string> SharedWith);

public sealed record Consumption(string App, IReadOnlyList<Pattern> Types);

/// <param name="NeedsClaim">False: every member of the app may follow. True: only who has it in the token's <c>topics</c>.</param>
public sealed record TopicDeclaration(Pattern Pattern, bool NeedsClaim);

/// <param name="Channels">Empty: the inbox and live.</param>
public sealed record NotificationRule(
    string Name, string On, LiquidTemplate Title, LiquidTemplate? Body, LiquidTemplate? Link, LiquidTemplate? Image, IReadOnlyList<NotificationAction> Actions,
    IReadOnlyList<string> Channels, string? To, bool Required, TimeSpan? UnlessAckedWithin, FrozenDictionary<string, LocalizedText> Locales)
{
    /// <summary>What an e-mail says instead of title and body.</summary>
    public EmailTemplate? Email { get; init; }

    public DigestRule? Digest { get; init; }

    public ThrottleRule? Throttle { get; init; }

    public const string ToUser = "user";
    public const string ToFollowers = "followers";
    public const string ToMembers = "members";

    /// <summary>Whom the rule tells of an event.</summary>
    /// <param name="userId">The event's user.</param>
    public string AudienceFor(string? userId) => To ?? (userId is null ? ToFollowers : ToUser);

    /// <summary>Title and body for a user's locale: of <c>pt-BR</c>, else of <c>pt</c>, else the rule's own.</summary>
    public LocalizedText TextFor(string? locale)
    {
        var found = locale is null ? null
            : Locales.TryGetValue(locale, out var exact) ? exact
            : Locales.GetValueOrDefault(locale.Split('-')[0]);
        return new LocalizedText(found?.Title ?? Title, found?.Body ?? Body);
    }
}

/// <summary>Each part that is null comes of title, body and link.</summary>
public sealed record EmailTemplate(LiquidTemplate? Subject, LiquidTemplate? Text, LiquidTemplate? Html);

/// <summary>One notification for all events of a window, which begins with the first.</summary>
/// <param name="Key">Events with another value have a digest of their own; null: one for all of a user's.</param>
/// <param name="Max">As many events end the window early.</param>
public sealed record DigestRule(TimeSpan Window, LiquidTemplate? Key, int Max);

/// <summary>At most <paramref name="Count"/> notifications a user in a window that begins with the first of them.</summary>
public sealed record ThrottleRule(int Count, TimeSpan Per, LiquidTemplate? Key);

public sealed record LocalizedText(LiquidTemplate? Title, LiquidTemplate? Body);

/// <summary>A button.</summary>
public sealed record NotificationAction(LiquidTemplate Title, LiquidTemplate Link);
