using BenchmarkDotNet.Attributes;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>The log writer, to the commit and back: what a publish waits for after it was validated.</summary>
[MemoryDiagnoser]
public class AppendBenchmarks
{
    private const int Users = 20;

    private Node _node = null!;
    private EventLogWriter _writer = null!;
    private long _number;

    [ParamsSource(nameof(Stores))]
    public string Store { get; set; } = "";

    [Params(1, 100)]
    public int Events { get; set; }

    public static IEnumerable<string> Stores => Node.Stores;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _node = await Node.StartAsync(Store);
        _writer = _node.Get<EventLogWriter>();
    }

    [GlobalCleanup]
    public async Task CleanupAsync() => await _node.DisposeAsync();

    /// <summary>One publish of all events.</summary>
    [Benchmark]
    public async Task Array() => await _writer.AppendAsync(Request(Events));

    /// <summary>As many publishes of one event, which the writer commits in groups.</summary>
    [Benchmark]
    public async Task Singles() => await Task.WhenAll(Enumerable.Range(0, Events).Select(_ => _writer.AppendAsync(Request(1))));

    private AppendRequest Request(int events) => new(Node.App, [.. Enumerable.Range(0, events).Select(_ => Samples.New($"e-{++_number}", (int)(_number % Users)))]);
}
