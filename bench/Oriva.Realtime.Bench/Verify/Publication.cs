using System.Globalization;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>A publish with an id of the client's, so that it can be repeated until its outcome is known.</summary>
internal sealed record Publication(string Run, int Number, Addressee To, long DueTicks)
{
    public string Id { get; } = $"{Run}-{Number.ToString(CultureInfo.InvariantCulture)}";

    public object ToDraft() => new
    {
        source = To.App,
        type = Cast.EventType,
        id = Id,
        userId = To.User,
        topic = To.Topic,
        data = new { @for = To.ToJson(), due = DueTicks },
    };

    /// <summary>When the publish that has this data was due, on the clock of this process.</summary>
    public static long DueAt(JsonElement data) => data.GetProperty("due").GetInt64();
}

/// <summary>What the deployment has promised to deliver.</summary>
/// <param name="At">When its first receipt came.</param>
internal sealed record Acknowledged(Publication Publication, string Stream, long Position, long At);
