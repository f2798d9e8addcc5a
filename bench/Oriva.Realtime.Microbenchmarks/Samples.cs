using System.Text.Json;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>Typical events: an order of three items, about 250 bytes of data.</summary>
internal static class Samples
{
    public const string Data = """
        {"orderId":"o-2026-000417","total":129.90,"currency":"EUR","customer":{"name":"Ada Lovelace","country":"GB"},"items":[{"sku":"A-1","count":1},{"sku":"B-22","count":2},{"sku":"C-333","count":1}],"tags":["gift","express"]}
        """;

    private static readonly DateTimeOffset s_time = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    public static EventDraft Draft() => new() { Source = Node.App, Type = Node.EventType, UserId = "ada", Data = JsonElement.Parse(Data) };

    /// <param name="user">Events of different users stand in different streams.</param>
    public static NewEvent New(string id, int user) => new()
    {
        Id = id,
        IdIsFresh = true,
        Source = Node.App,
        Type = Node.EventType,
        UserId = $"user-{user}",
        Actor = "back-end",
        Time = s_time,
        Data = Data,
        ContentHash = new byte[32],
    };

    public static StoredEvent Stored(long position) => new()
    {
        Id = $"e-{position}",
        Source = Node.App,
        Type = Node.EventType,
        Data = Data,
        Time = s_time,
        Actor = "back-end",
        App = Node.App,
        Stream = Node.App,
        Position = position,
        RecordedAt = s_time,
    };
}
