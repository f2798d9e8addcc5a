using System.Text.Json;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>What one follower has received over all its connections, and its cursor. Each message is held against the contract when it comes.</summary>
/// <param name="mayMiss">
/// Over long polling: when a poll's answer is lost, HTTP clients ask again by themselves, and the connection goes on without what the answer had. Then it is
/// enough that the client notices and gets it with its cursor.
/// </param>
internal sealed class Journal(Entitlement entitlement, Verdict verdict, Histogram latency, bool mayMiss = false)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _positions = entitlement.Streams.ToDictionary(stream => stream, _ => 0L, StringComparer.Ordinal);
    private readonly Dictionary<(string Stream, long Position), (string Id, long At)> _received = [];
    private readonly Dictionary<(string Stream, string Id), long> _positionOf = [];
    private readonly List<JsonElement> _early = [];
    private string? _epoch;
    private long _subscription;

    public Entitlement Entitlement { get; } = entitlement;

    public long Signals { get; private set; }

    public int Received
    {
        get
        {
            lock (_lock)
                return _received.Count;
        }
    }

    /// <returns>What to subscribe with. Batches that come before the answer wait for it.</returns>
    public object BeginSubscribing()
    {
        lock (_lock)
        {
            _subscription = 0;
            _early.Clear();
            return _epoch is null
                ? new { app = Entitlement.App, topics = Entitlement.Topics, from = "start" }
                : new { app = Entitlement.App, topics = Entitlement.Topics, cursor = new { epoch = _epoch, streams = new Dictionary<string, long>(_positions) } };
        }
    }

    /// <returns>False: the chain is broken, and the client subscribes again.</returns>
    public bool Subscribed(JsonElement answer)
    {
        lock (_lock)
        {
            var streams = answer.GetProperty("streams").EnumerateObject().ToDictionary(stream => stream.Name, stream => stream.Value.GetInt64(), StringComparer.Ordinal);
            var reset = answer.GetProperty("reset").GetBoolean();
            verdict.Contained.Expect(streams.Keys.All(_positions.ContainsKey), () => $"{Entitlement}: was subscribed to {string.Join(", ", streams.Keys.Except(_positions.Keys))}");
            verdict.Resumed.Expect(!reset && _positions.All(known => streams.GetValueOrDefault(known.Key, -1) == known.Value), () =>
                $"{Entitlement}: asked to go on after {Format(_positions)}, was put after {Format(streams)}" + (reset ? " with a reset" : ""));
            foreach (var (stream, position) in streams.Where(stream => _positions.ContainsKey(stream.Key)))
                _positions[stream] = position;
            _epoch = answer.GetProperty("epoch").GetString();
            _subscription = answer.GetProperty("subscription").GetInt64();
            return _early.TrueForAll(batch => IsWellFormed(batch, () => Take(batch, Clock.Now)));
        }
    }

    /// <inheritdoc cref="Subscribed"/>
    public bool Receive(JsonElement batch)
    {
        var now = Clock.Now;
        lock (_lock)
        {
            if (_subscription > 0)
                return IsWellFormed(batch, () => Take(batch, now));
            _early.Add(batch);
            return true;
        }
    }

    public bool Signalled(JsonElement signal) => IsWellFormed(signal, () =>
    {
        var to = Addressee.Read(signal.GetProperty("data"));
        Signals++;
        return verdict.SignalsContained.Expect(
            signal.GetProperty("app").GetString() == Entitlement.App && to is not null && Entitlement.Covers(to), () => $"{Entitlement}: received a signal to {to}: {signal}");
    });

    public void Reset(JsonElement reset) => verdict.Resumed.Expect(holds: false, () => $"{Entitlement}: {reset}");

    public string? EventAt(string stream, long position)
    {
        lock (_lock)
            return _received.GetValueOrDefault((stream, position)).Id;
    }

    public IReadOnlyList<(string Stream, long Position, string Id, long At)> Events()
    {
        lock (_lock)
            return [.. _received.Select(e => (e.Key.Stream, e.Key.Position, e.Value.Id, e.Value.At))];
    }

    /// <summary>The official client swallows what its handlers throw.</summary>
    private bool IsWellFormed(JsonElement message, Func<bool> take)
    {
        try
        {
            var taken = take();
            verdict.WellFormed.Expect(holds: true, () => "");
            return taken;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return verdict.WellFormed.Expect(holds: false, () => $"{Entitlement}: {e.Message} {message}");
        }
    }

    private bool Take(JsonElement batch, long now)
    {
        if (batch.GetProperty("subscription").GetInt64() < _subscription)
            return true;
        var stream = batch.GetProperty("stream").GetString()!;
        var known = _positions.TryGetValue(stream, out var position);
        if (!verdict.Contained.Expect(known && batch.GetProperty("app").GetString() == Entitlement.App, () => $"{Entitlement}: received a batch of {stream}: {batch}"))
            return true;
        var (after, through) = (batch.GetProperty("after").GetInt64(), batch.GetProperty("through").GetInt64());
        if (mayMiss && after > position)
            return false;
        if (!verdict.Gapless.Expect(after == position, () => $"{Entitlement}: at {position} of {stream} came a batch after {after}"))
            return false;

        foreach (var e in batch.GetProperty("events").EnumerateArray())
        {
            var seq = e.GetProperty("seq").GetInt64();
            var before = position;
            verdict.Ordered.Expect(seq == before + 1, () => $"{Entitlement}: after {before} of {stream} came {seq}");
            position = seq;
            TakeEvent(stream, seq, e, now);
        }

        verdict.Gapless.Expect(position == through, () => $"{Entitlement}: a batch of {stream} through {through} ended with {position}");
        _positions[stream] = through;
        return true;
    }

    private void TakeEvent(string stream, long position, JsonElement e, long now)
    {
        var id = e.GetProperty("id").GetString()!;
        var to = Addressee.Read(e.GetProperty("data"));
        verdict.Contained.Expect(to is not null && Entitlement.Covers(to) && to.Stream == stream, () => $"{Entitlement}: received in {stream} an event to {to}: {e}");
        if (_received.TryAdd((stream, position), (id, now)))
            latency.Record(now - Publication.DueAt(e.GetProperty("data")));
        else
            verdict.Once.Expect(_received[(stream, position)].Id == id, () => $"{Entitlement}: {position} of {stream} is {_received[(stream, position)].Id}, and then {id}");
        var other = _positionOf.GetValueOrDefault((stream, id), position);
        verdict.Once.Expect(other == position, () => $"{Entitlement}: {id} of {stream} is at {other} and at {position}");
        _positionOf[(stream, id)] = position;
    }

    private static string Format(IReadOnlyDictionary<string, long> positions) => string.Join(", ", positions.Select(stream => $"{stream.Key}: {stream.Value}"));
}
