namespace Oriva.Realtime.Core.EventLog;

/// <summary>A stream of an app: everyone's, one user's, or one topic's. <c>{app}</c>, <c>{app}/users/{userId}</c>, <c>{app}/topics/{topic}</c>.</summary>
public readonly record struct StreamName
{
    private StreamName(string text, string app, string? userId, string? topic)
    {
        Text = text;
        App = app;
        UserId = userId;
        Topic = topic;
    }

    public string Text { get; }

    public string App { get; }

    public string? UserId { get; }

    public string? Topic { get; }

    public static StreamName OfApp(string app) => new(app, app, null, null);

    public static StreamName OfUser(string app, string userId) => new($"{app}/users/{userId}", app, userId, null);

    public static StreamName OfTopic(string app, string topic) => new($"{app}/topics/{topic}", app, null, topic);

    /// <summary>The stream of an audience: a user, a topic, or with neither everyone in the app.</summary>
    public static StreamName Of(string app, string? userId, string? topic) =>
        userId is not null ? OfUser(app, userId) : topic is not null ? OfTopic(app, topic) : OfApp(app);

    public override string ToString() => Text;
}
