using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A session with its loop running, as the hub runs it, until disposed. Disposing fails when the output found a fault.</summary>
internal sealed class RunningSession : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Session _session;
    private readonly Task _running;

    private RunningSession(Session session, CollectingOutput output)
    {
        _session = session;
        Output = output;
        _running = Task.Run(() => session.RunAsync(_stopping.Token));
    }

    public CollectingOutput Output { get; }

    public static RunningSession Open(LogHost node, Caller caller, CollectingOutput? output = null)
    {
        output ??= new CollectingOutput();
        return new RunningSession(node.Sessions.Open(caller, output), output);
    }

    public Task<Outcome<SubscribeAnswer>> TrySubscribeAsync(SubscribeRequest request) => _session.SubscribeAsync(request, CancellationToken.None);

    public async Task<SubscribeAnswer> SubscribeAsync(SubscribeRequest request)
    {
        var answer = (await TrySubscribeAsync(request)).Required();
        Output.CheckStart(answer);
        return answer;
    }

    public void Ack(string app, string stream, long position) =>
        _session.Ack(app, new Dictionary<string, long>(StringComparer.Ordinal) { [stream] = position }).ShouldBeNull();

    /// <summary>Waits until the client has a stream's events up to a position.</summary>
    public async Task ReachAsync(string stream, long position, TimeSpan? within = null)
    {
        await Waiting.Eventually($"a session has {stream} up to {position}", () => _running.IsFaulted || Output.LastIn(stream) >= position, within);
        if (_running.IsFaulted)
            await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _session.Dispose();
        await _running.Soon("the session's loop ends");
        _stopping.Dispose();
    }
}
