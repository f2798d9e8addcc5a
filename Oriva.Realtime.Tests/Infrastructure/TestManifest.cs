using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Apps of tests: two types, topics for members, and topics by claim (<c>vip-*</c>) unless all are for members.</summary>
internal static class TestManifest
{
    public const string Type = "thing.happened";
    public const string SharedType = "thing.shared";

    public static string Of(string app, string? sharedWith = null, string? consumes = null, string openTopics = "room-*") => JsonSerializer.Serialize(new
    {
        app,
        name = "Test app " + app,
        events = new Dictionary<string, object>
        {
            [Type] = new { publishableBy = new[] { "publishers", "users" } },
            [SharedType] = new { sharedWith = sharedWith is null ? Array.Empty<string>() : [sharedWith] },
        },
        consumes = consumes is null ? Array.Empty<object>() : [new { app = consumes, types = new[] { "thing.*" } }],
        topics = new[] { new { pattern = openTopics, access = "members" }, new { pattern = "vip-*", access = "claim" } }.Take(openTopics == "*" ? 1 : 2),
    });
}

/// <summary>Drafts of the types of <see cref="TestManifest"/>.</summary>
internal static class Drafts
{
    public static EventDraft ToAll(string app, object? data = null) => EventDraft.Of(app, TestManifest.Type, data ?? new { });

    public static EventDraft ToUser(string app, string user, object? data = null) => ToAll(app, data) with { UserId = user };

    public static EventDraft ToTopic(string app, string topic, object? data = null) => ToAll(app, data) with { Topic = topic };

    public static EventDraft Shared(string app, object? data = null) => ToAll(app, data) with { Type = TestManifest.SharedType };

    /// <summary>An event to all of an app, as validation hands it to the writer.</summary>
    public static NewEvent Valid(string app, string id) => new()
    {
        Id = id,
        Source = app,
        Type = TestManifest.Type,
        Actor = "somebody",
        Time = StoreTime.Truncate(TimeProvider.System.GetUtcNow()),
        Data = "{}",
        ContentHash = ContentHash.Of(TestManifest.Type, null, null, JsonElement.Parse("{}")),
    };
}

internal static class Callers
{
    /// <param name="topics">Claims of the form <c>app/topic</c>.</param>
    public static Caller User(string sub, string app, params string[] topics) => new(sub, [app], [], topics);

    public static Caller Publisher(string app) => new("back-end", [app], [Caller.PublisherRole], []);
}

internal static class Scopes
{
    public static ReadScope Whole(params string[] apps) => new("", apps, [], Whole: true);

    /// <param name="topics">Patterns of the form <c>app/topic</c>.</param>
    public static ReadScope User(string sub, string app, params string[] topics) => new(sub, [app], topics, Whole: false);
}
