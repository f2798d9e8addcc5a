using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>An event as a log is given it: as the publishes of the bench are, to one of a thousand users after the other.</summary>
internal sealed record LogRow(string Id, string User, DateTimeOffset Time)
{
    public const string Type = "bench.message";
    public const string Actor = "publisher";

    public static readonly string Data = $$"""{"mark":"{{Mark.Placeholder}}","text":"{{new string('x', 110)}}"}""";

    private const int Users = 1_000;

    private static int s_next;

    public string Stream => $"{OursTarget.App}/users/{User}";

    public static IReadOnlyList<LogRow> Create(int count)
    {
        var now = TimeProvider.System.GetUtcNow();
        return [.. Enumerable.Range(0, count).Select(_ => new LogRow(
            Guid.CreateVersion7(now).ToString(), PublishRequest.UserId((int)((uint)Interlocked.Increment(ref s_next) % Users)), now))];
    }
}
