using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Microbenchmarks;

/// <summary>Does an event match a subscription's interests? Its data is parsed once for all who ask, so parsing is not in here.</summary>
[MemoryDiagnoser]
public class FilterBenchmarks
{
    private readonly StoredEvent _event = Samples.Stored(1);
    private readonly Interest _type = Read(new InterestRequest(Types: ["session.*", "order.*"]));
    private readonly Interest _equal = Read(new InterestRequest(Filters: [Filter("customer.country", "eq", "\"GB\"")]));
    private readonly Interest _greater = Read(new InterestRequest(Filters: [Filter("total", "gt", "100")]));
    private readonly Interest _contains = Read(new InterestRequest(Filters: [Filter("tags", "contains", "\"express\"")]));

    [Benchmark]
    public bool Type() => _type.Matches(_event);

    [Benchmark]
    public bool Equal() => _equal.Matches(_event);

    [Benchmark]
    public bool Greater() => _greater.Matches(_event);

    [Benchmark]
    public bool Contains() => _contains.Matches(_event);

    private static FilterRequest Filter(string path, string op, string value) => new(path, op) { Value = JsonElement.Parse(value) };

    private static Interest Read(InterestRequest request)
    {
        var faults = new FaultList();
        var interests = Interest.Read([request], faults);
        return faults.IsEmpty ? interests[0] : throw new InvalidOperationException(faults.ToFault().Message);
    }
}
