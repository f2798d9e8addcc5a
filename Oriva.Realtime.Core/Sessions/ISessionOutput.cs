using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Sessions;

/// <summary>Where a session pushes to: a SignalR connection, a server-sent event stream, or a poll's answer.</summary>
/// <remarks>
/// A session awaits each call before it makes the next, so an output has one write outstanding at most and needs no queue. A write that completes is
/// handed over, not received: only an acknowledgement, or a cursor presented later, is receipt.
/// </remarks>
public interface ISessionOutput
{
    /// <summary>A short name for metrics: <c>hub</c>, <c>stream</c>, <c>poll</c>.</summary>
    string Kind { get; }

    /// <summary>How many events it can take now. What does not fit stays in the log.</summary>
    int Room => int.MaxValue;

    ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken);

    /// <summary>Sends what <see cref="Session.Signal"/> was given; outputs without signals ignore it.</summary>
    ValueTask SignalAsync(object frame, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>The subscription has ended; the client subscribes anew and fetches its state.</summary>
    ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken);
}
