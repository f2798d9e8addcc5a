using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>A typical draft from a publisher: names, size, JSON Schema, content hash.</summary>
[MemoryDiagnoser]
public class ValidateBenchmarks
{
    private readonly Caller _publisher = new("back-end", [Node.App], [Caller.PublisherRole], []);
    private readonly EventDraft[] _drafts = [Samples.Draft()];

    private Node _node = null!;
    private DraftValidator _validator = null!;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _node = await Node.StartAsync();
        _validator = new DraftValidator(
            _node.Get<AppRegistry>(), _node.Get<AccessPolicy>(), _node.Get<EventStore>(), _node.Get<RealtimeMetrics>(), _node.Get<IOptions<PublishingOptions>>().Value, TimeProvider.System);
        if ((await _validator.ValidateAsync(_publisher, _drafts, static _ => "", CancellationToken.None)).Fault is { } fault)
            throw new InvalidOperationException(fault.Message);
    }

    [GlobalCleanup]
    public async Task CleanupAsync() => await _node.DisposeAsync();

    [Benchmark]
    public async Task<bool> Draft() => (await _validator.ValidateAsync(_publisher, _drafts, static _ => "", CancellationToken.None)).Fault is null;
}
