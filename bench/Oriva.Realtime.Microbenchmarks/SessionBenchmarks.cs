using BenchmarkDotNet.Attributes;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>One event to all who follow a stream: from the announcement until each session has stepped, without encoding and network.</summary>
[MemoryDiagnoser]
public class SessionBenchmarks
{
    private Node _node = null!;
    private StreamFeed _feed = null!;
    private Session[] _sessions = [];
    private long _position;

    [Params(1, 100, 1_000)]
    public int Listeners { get; set; }

    /// <summary>Filtered sessions cannot share their batches.</summary>
    [Params(false, true)]
    public bool Filtered { get; set; }

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _node = await Node.StartAsync();
        _feed = _node.Get<StreamFeed>();
        _position = 0;
        _sessions = new Session[Listeners];
        InterestRequest[]? interests = Filtered ? [new InterestRequest(Types: ["order.*"])] : null;
        for (var i = 0; i < Listeners; i++)
        {
            _sessions[i] = _node.Get<SessionFactory>().Open(new Caller($"user-{i}", [Node.App], [], []), new NullOutput());
            var answer = await _sessions[i].SubscribeAsync(new SubscribeRequest(Node.App, Interests: interests), CancellationToken.None);
            if (answer.Fault is { } fault)
                throw new InvalidOperationException(fault.Message);
        }
    }

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        foreach (var session in _sessions)
            session.Dispose();
        await _node.DisposeAsync();
    }

    [Benchmark]
    public async Task Step()
    {
        var e = Samples.Stored(++_position);
        _feed.Announce([new StreamAdvance(e.Stream, e.Position, [e])]);
        foreach (var session in _sessions)
            await session.StepAsync(CancellationToken.None);
    }

    private sealed class NullOutput : ISessionOutput
    {
        public string Kind => "none";

        public ValueTask PushAsync(EventBatch batch, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask ResetAsync(string app, string reason, CancellationToken cancellationToken) => throw new InvalidOperationException(reason);
    }
}
