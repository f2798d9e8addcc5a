using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>
/// What one hub connection was sent, held against the contract: each batch begins where the one before on its subscription and stream ended, the first
/// where <c>Subscribe</c> said, and its events lie in order between its two positions.
/// </summary>
internal sealed class BatchLedger
{
    private readonly Lock _lock = new();
    private readonly List<JsonElement> _batches = [];
    private readonly List<string> _faults = [];
    private readonly Dictionary<string, long> _newest = [];
    private readonly Dictionary<(string App, long Subscription, string Stream), (long First, long Through)> _chains = [];

    /// <summary>Without those of older subscriptions.</summary>
    public IReadOnlyList<JsonElement> Batches
    {
        get
        {
            lock (_lock)
                return [.. _batches];
        }
    }

    public IReadOnlyList<JsonElement> Events => [.. Batches.SelectMany(batch => batch.Items("events"))];

    public IReadOnlyList<string> Ids => Events.Ids();

    /// <summary>The newest position of each stream.</summary>
    public IReadOnlyDictionary<string, long> Positions => Batches.GroupBy(batch => batch.Text("stream")).ToDictionary(stream => stream.Key, stream => stream.Last().Number("through"));

    public bool Add(JsonElement batch)
    {
        lock (_lock)
        {
            var (app, subscription, stream) = (batch.Text("app"), batch.Number("subscription"), batch.Text("stream"));
            if (subscription < _newest.GetValueOrDefault(app))
                return false;
            _newest[app] = subscription;
            var (after, last, through) = (batch.Number("after"), batch.Number("after"), batch.Number("through"));
            var (first, reached) = _chains.GetValueOrDefault((app, subscription, stream), (after, after));
            Expect(after == reached, $"{stream}: a batch begins after {after}, and the one before went through {reached}");
            foreach (var e in batch.Items("events"))
            {
                Expect(e.Text("stream") == stream && e.Text("app") == app, $"{stream}: has an event of {e.Text("stream")}");
                Expect(e.Number("seq") > last && e.Number("seq") <= through, $"{stream}: {e.Number("seq")} does not lie between {last} and {through}");
                last = e.Number("seq");
            }

            _chains[(app, subscription, stream)] = (first, through);
            _batches.Add(batch);
            return true;
        }
    }

    /// <summary>What <c>Subscribe</c> answered. A batch may have come before.</summary>
    public void AddAnswer(JsonElement answer)
    {
        lock (_lock)
        {
            foreach (var stream in answer.At("streams").EnumerateObject())
            {
                var (chain, position) = ((answer.Text("app"), answer.Number("subscription"), stream.Name), stream.Value.GetInt64());
                if (_chains.TryGetValue(chain, out var seen))
                    Expect(seen.First == position, $"{stream.Name}: the first batch begins after {seen.First}, and Subscribe answered {position}");
                else
                    _chains[chain] = (position, position);
            }
        }
    }

    public void Check()
    {
        lock (_lock)
            _faults.ShouldBeEmpty();
    }

    private void Expect(bool holds, string otherwise)
    {
        if (!holds)
            _faults.Add(otherwise);
    }
}
