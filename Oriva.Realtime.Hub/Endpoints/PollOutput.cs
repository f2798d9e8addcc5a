using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Collects what one poll answers. The poll steps its session itself, so this is never written to at the same time.</summary>
internal sealed class PollOutput(int limit) : ISessionOutput
{
    private readonly List<StoredEvent> _events = [];

    public string Kind => "poll";

    public int Room => limit - _events.Count;

    public IReadOnlyList<StoredEvent> Events => _events;

    public bool WasReset { get; private set; }

    public ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken)
    {
        _events.AddRange(batch.Events);
        return ValueTask.CompletedTask;
    }

    public ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken)
    {
        WasReset = true;
        return ValueTask.CompletedTask;
    }
}
