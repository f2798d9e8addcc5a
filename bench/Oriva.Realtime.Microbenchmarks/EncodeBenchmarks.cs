using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>From an event to the bytes of a SignalR frame. The JSON of an event is kept, so the frames find it made, as on a node with several sessions.</summary>
[MemoryDiagnoser]
public class EncodeBenchmarks
{
    private readonly IHubProtocol _json = MakeJson();
    private readonly IHubProtocol _messagePack =
        new MessagePackHubProtocol(Options.Create(new MessagePackHubProtocolOptions { SerializerOptions = JsonShapeResolver.Options }));

    private InvocationMessage _batch = null!;

    [Params(1, 100)]
    public int Events { get; set; }

    [GlobalSetup]
    public void Setup() => _batch = new InvocationMessage(
        nameof(IRealtimeClient.events), [new EventBatch(Node.App, 1, Node.App, 0, Events, [.. Enumerable.Range(1, Events).Select(position => Samples.Stored(position))])]);

    /// <summary>The events' own JSON, made anew.</summary>
    [Benchmark]
    public int EventJson()
    {
        var bytes = 0;
        for (var position = 1; position <= Events; position++)
            bytes += Samples.Stored(position).Json.Length;
        return bytes;
    }

    [Benchmark]
    public int JsonFrame() => _json.GetMessageBytes(_batch).Length;

    [Benchmark]
    public int MessagePackFrame() => _messagePack.GetMessageBytes(_batch).Length;

    private static JsonHubProtocol MakeJson()
    {
        var options = new JsonHubProtocolOptions();
        WireJson.Configure(options.PayloadSerializerOptions);
        return new JsonHubProtocol(Options.Create(options));
    }
}
