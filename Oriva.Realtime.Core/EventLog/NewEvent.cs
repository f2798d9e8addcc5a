using System.Text;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Core.EventLog;

/// <summary>A validated event on its way into the log.</summary>
public sealed record NewEvent
{
    public required string Id { get; init; }

    public required string Source { get; init; }

    public required string Type { get; init; }

    public string? UserId { get; init; }

    public string? Topic { get; init; }

    public required string Actor { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required string Data { get; init; }

    public string? Metadata { get; init; }

    /// <summary>SHA-256 of the canonical content; tells a repeat from a reused id.</summary>
    public required byte[] ContentHash { get; init; }

    public int Hops { get; init; }

    /// <summary>Apps that get a copy in their matching stream.</summary>
    public IReadOnlyList<string> CopyTo { get; init; } = [];

    /// <summary>The server made the id just now, so no receipt of it can exist.</summary>
    public bool IdIsFresh { get; init; }

    internal EventKey Key => new(Source, Id);
}

/// <summary>What makes an event one event: its id within its source app.</summary>
internal readonly record struct EventKey(string Source, string Id);

/// <summary>One publish: its events are appended together or not at all.</summary>
internal sealed class AppendRequest(string app, IReadOnlyList<NewEvent> events, Guid? outboxId = null)
{
    private readonly TaskCompletionSource<Outcome<IReadOnlyList<Receipt>>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whose queue it waits in.</summary>
    public string App { get; } = app;

    public IReadOnlyList<NewEvent> Events { get; } = events;

    /// <summary>The outbox row that the append takes along.</summary>
    public Guid? OutboxId { get; } = outboxId;

    /// <summary>An append with this request was sent, and its answer lost: a receipt found now is the request's own.</summary>
    public bool OutcomeUnknown { get; set; }

    public IReadOnlyList<string> EventIds => [.. Events.Select(e => e.Id)];

    public int Bytes { get; } = events.Sum(e => Encoding.UTF8.GetByteCount(e.Data) + Encoding.UTF8.GetByteCount(e.Metadata ?? "") + 256);

    public Task<Outcome<IReadOnlyList<Receipt>>> Completion => _completion.Task;

    public void Complete(Outcome<IReadOnlyList<Receipt>> outcome) => _completion.TrySetResult(outcome);
}
