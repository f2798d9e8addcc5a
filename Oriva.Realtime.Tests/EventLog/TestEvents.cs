using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Tests.EventLog;

/// <summary>Events for tests that care about one or two of their fields.</summary>
internal static class TestEvents
{
    public static readonly DateTimeOffset Noon = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    public static NewEvent New(string source, string id, string? userId = null, string? topic = null, string data = "{}", params string[] copyTo) => new()
    {
        Id = id,
        Source = source,
        Type = "test.happened",
        UserId = userId,
        Topic = topic,
        Actor = "tester",
        Time = Noon,
        Data = data,
        ContentHash = new byte[32],
        CopyTo = copyTo,
    };

    public static StoredEvent Stored(
        string type = "test.happened", string data = "{}", string? userId = null, string? topic = null, string? metadata = null, long position = 1, string app = "live-mixers") => new()
    {
        Id = "e-1",
        Source = app,
        Type = type,
        Data = data,
        UserId = userId,
        Topic = topic,
        Time = Noon,
        Metadata = metadata,
        Actor = "tester",
        App = app,
        Stream = StreamName.Of(app, userId, topic).Text,
        Position = position,
        RecordedAt = Noon.AddSeconds(1),
    };
}
