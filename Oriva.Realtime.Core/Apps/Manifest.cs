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
    public bool Declares(string type) => Events.ContainsKey(type) || BuiltInTypes.Contains(type);

    public bool DeclaresTopic(string topic) => Topics.Any(declared => declared.Pattern.Matches(topic));

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

public sealed record NotificationRule(
    string Name, string On, string Title, string? Body, string? Link, IReadOnlyList<string> Channels,
    string? To, bool Required, TimeSpan? UnlessAckedWithin, FrozenDictionary<string, LocalizedText> Locales);

public sealed record LocalizedText(string? Title, string? Body);
