using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>Many events to one user, published while connections are cut and the server restarts.</summary>
internal static class Burst
{
    /// <param name="received">How many of them the client has.</param>
    public static async Task PublishAsync(RestartableHub server, string user, int events, int atOnce, Func<int> received)
    {
        using var publishing = new SemaphoreSlim(1);
        await WhileAsync(0, 3, CutAsync);
        await WhileAsync(3, 6, RestartAsync);
        await WhileAsync(6, 9, CutAsync);
        await WhileAsync(9, 10, _ => Task.CompletedTask);

        // Each part has a disturbance in its middle, and begins after the one of the part before: the client has to come back for it.
        Task WhileAsync(int fromTenth, int toTenth, Func<int, Task> disturbAsync) =>
            Task.WhenAll(PublishPartAsync(events * fromTenth / 10, events * toTenth / 10), disturbAsync(events * fromTenth / 10));

        async Task PublishPartAsync(int published, int until)
        {
            for (int count; published < until; published += count)
            {
                count = Math.Min(atOnce, until - published);
                var drafts = Enumerable.Range(published + 1, count).Select(n => new
                {
                    source = "work-buddy", type = "session.started", userId = user, id = $"{user}-{n}", data = new { n },
                });
                await publishing.WaitAsync();
                try
                {
                    (await server.As(Tokens.Publisher("work-buddy")).PublishAsync(drafts)).ShouldBe(201);
                }
                finally
                {
                    publishing.Release();
                }
            }
        }

        async Task CutAsync(int before)
        {
            await SomeAsync(before);
            server.Cut();
        }

        async Task RestartAsync(int before)
        {
            await SomeAsync(before);
            await publishing.WaitAsync();
            await server.RestartAsync();
            publishing.Release();
        }

        Task SomeAsync(int before) => Waiting.Eventually($"an event after the first {before}, and {received()} are there", () => received() > before);
    }
}

/// <summary>Follows one user's events as <c>docs/protocol.md</c> says: checks the chain, keeps the cursor, comes back with it.</summary>
internal sealed class BurstFollower : IAsyncDisposable
{
    private const string App = "work-buddy";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _cursor = [];
    private readonly List<long> _seqs = [];
    private readonly List<string> _faults = [];
    private readonly TransportClient _client;
    private string? _epoch;
    private string? _lastFailure;
    private bool _missed;

    private BurstFollower(TransportClient client)
    {
        _client = client;
        client.Batch = Handle;
        client.Connection.Reconnected += async _ =>
        {
            Reconnections++;
            await SubscribeAsync();
        };
    }

    public IReadOnlyList<long> Seqs
    {
        get
        {
            lock (_lock)
                return [.. _seqs];
        }
    }

    public IReadOnlyList<string> Faults
    {
        get
        {
            lock (_lock)
                return [.. _faults];
        }
    }

    public int Reconnections { get; private set; }

    /// <summary>
    /// Breaks of the chain, mended by subscribing again. Only long polling may have them: when a poll's answer is lost, HTTP clients ask again, and
    /// the connection goes on without what the answer had.
    /// </summary>
    public int Gaps { get; private set; }

    public static async Task<BurstFollower> StartAsync(Uri address, string token, HttpTransportType transport, Protocol protocol)
    {
        BurstFollower? follower = null;
        await TransportClient.ConnectAsync(address, token, transport, protocol, reconnects: true, client => follower = new BurstFollower(client));
        await follower!.SubscribeAsync();
        return follower;
    }

    public async Task ReceiveAsync(int count)
    {
        try
        {
            await Waiting.Eventually($"{count} events", () => Seqs.Count >= count, TimeSpan.FromSeconds(60));
        }
        catch (ShouldAssertException e)
        {
            throw new ShouldAssertException(
                $"{e.Message}; {Seqs.Count} came, {Gaps} gaps, {Reconnections} reconnections, {_client.Connection.State}, {string.Join("; ", Faults)}, {_lastFailure}", e);
        }
    }

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    private async Task SubscribeAsync()
    {
        (string Epoch, Dictionary<string, long> Streams)? cursor;
        lock (_lock)
        {
            cursor = _epoch is null ? null : (_epoch, new Dictionary<string, long>(_cursor));
            _missed = false;
        }

        try
        {
            var answer = await _client.InvokeAsync("Subscribe", new { app = App, cursor = cursor is { } at ? new { epoch = at.Epoch, streams = at.Streams } : null });
            lock (_lock)
            {
                _epoch = answer.Text("epoch");
                foreach (var stream in answer.At("streams").EnumerateObject())
                {
                    _cursor.TryAdd(stream.Name, stream.Value.GetInt64());
                    if (cursor?.Streams.GetValueOrDefault(stream.Name) is { } asked && asked != stream.Value.GetInt64())
                        _faults.Add($"{stream.Name}: asked from {asked}, resumed at {stream.Value}");
                }

                if (answer.Flag("reset"))
                    _faults.Add("the cursor was not honoured");
            }
        }
        catch (Exception e) when (cursor is not null)
        {
            // Cut off again: the client reconnects, and this is called again. If not, the events that are missing tell, and this why.
            _lastFailure = e.Message;
        }
    }

    private void Handle(JsonElement batch)
    {
        lock (_lock)
        {
            var (stream, after, through) = (batch.Text("stream"), batch.Number("after"), batch.Number("through"));
            var position = _cursor.GetValueOrDefault(stream, after);
            if (after > position)
            {
                if (_missed)
                    return;
                (_missed, Gaps) = (true, Gaps + 1);
                _ = SubscribeAsync();
                return;
            }

            if (after < position)
                _faults.Add($"{stream}: a batch begins after {after}, and the client stands at {position}");
            foreach (var e in batch.Items("events"))
                _seqs.Add(e.Number("seq"));
            _cursor[stream] = through;
        }
    }
}
