using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

internal sealed record Delivered(string Stream, long Position, string Id);

/// <summary>A client that follows an app from its start and, whenever it is cut off, goes on from its own cursor, as the contract tells clients to.</summary>
internal abstract class Follower(string app, IReadOnlyList<string> topics)
{
    private readonly Lock _lock = new();
    private readonly HashSet<(string, long)> _seen = [];
    private readonly List<Delivered> _delivered = [];

    protected string App { get; } = app;

    protected IReadOnlyList<string> Topics { get; } = topics;

    /// <summary>Once each, in the order of arrival.</summary>
    public IReadOnlyList<Delivered> Delivered
    {
        get
        {
            lock (_lock)
                return [.. _delivered];
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
                return _delivered.Count;
        }
    }

    /// <summary>Came again although the cursor was past them.</summary>
    public int Doubles { get; private set; }

    public int Cuts { get; private set; }

    public int Resets { get; protected set; }

    /// <summary>Called with each event's number, and while the client is in the middle of a batch.</summary>
    public Action<int>? Received { get; set; }

    public static Follower Create(string transport, Uri address, string token, string app, params string[] topics) => transport switch
    {
        "hub" => new HubFollower(address, token, app, topics),
        "stream" => new StreamFollower(address, token, app, topics),
        "poll" => new PollFollower(address, token, app, topics),
        _ => throw new ArgumentOutOfRangeException(nameof(transport)),
    };

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stopping);
            }
            catch (Exception e) when (e is not ShouldAssertException)
            {
                // The connection was cut, or there was none to be had.
            }

            Cuts++;
        }
    }

    /// <summary>One connection's life.</summary>
    protected abstract Task FollowAsync(CancellationToken stopping);

    protected void Add(JsonElement e)
    {
        int count;
        lock (_lock)
        {
            var delivered = new Delivered(e.Text("stream"), e.Number("seq"), e.Text("id"));
            if (!_seen.Add((delivered.Stream, delivered.Position)))
            {
                Doubles++;
                return;
            }

            _delivered.Add(delivered);
            count = _delivered.Count;
        }

        Received?.Invoke(count);
    }
}

internal sealed class HubFollower(Uri address, string token, string app, IReadOnlyList<string> topics) : Follower(app, topics)
{
    private readonly Dictionary<string, long> _positions = new(StringComparer.Ordinal);
    private string? _epoch;

    protected override async Task FollowAsync(CancellationToken stopping)
    {
        await using var client = await HubClient.ConnectAsync(address, token, before: client => client.Batch = batch =>
        {
            // What arrives after the cut is not handled: a client that is gone handles nothing.
            if (client.Closed.IsCompleted)
                return;
            foreach (var e in batch.Items("events"))
                Add(e);
            _positions[batch.Text("stream")] = batch.Number("through");
        });
        var cursor = _epoch is null ? null : new { epoch = _epoch, streams = _positions };
        var answer = await client.SubscribeAsync(new { app = App, topics = Topics, cursor, from = "start" });
        Resets += answer.Flag("reset") ? 1 : 0;
        _epoch = answer.Text("epoch");
        foreach (var stream in answer.At("streams").EnumerateObject())
            _positions.TryAdd(stream.Name, stream.Value.GetInt64());
        await client.Closed.WaitAsync(stopping);
    }
}

internal sealed class StreamFollower(Uri address, string token, string app, IReadOnlyList<string> topics) : Follower(app, topics)
{
    private string? _lastEventId;

    protected override async Task FollowAsync(CancellationToken stopping)
    {
        using var http = new HttpClient { BaseAddress = address };
        await using var stopped = stopping.Register(http.CancelPendingRequests);
        await using var stream = await new ApiCaller(http, token).OpenStreamAsync(
            $"app={App}&from=start&" + string.Join('&', Topics.Select(topic => "topic=" + topic)), _lastEventId);
        await using var closed = stopping.Register(stream.Close);
        while (await stream.ReadAnyAsync() is { } message)
        {
            if (message.Event == "reset")
                Resets++;
            else if (message.Data is not null)
                Add(message.Json);
            _lastEventId = message.LastEventId;
        }
    }
}

internal sealed class PollFollower(Uri address, string token, string app, IReadOnlyList<string> topics) : Follower(app, topics)
{
    private JsonElement? _cursor;

    protected override async Task FollowAsync(CancellationToken stopping)
    {
        using var http = new HttpClient { BaseAddress = address };
        await using var stopped = stopping.Register(http.CancelPendingRequests);
        var caller = new ApiCaller(http, token);
        while (!stopping.IsCancellationRequested)
        {
            var answer = (await caller.PollAsync(new { app = App, topics = Topics, cursor = _cursor, from = "start", waitSeconds = 5, limit = 300 })).ShouldBe(200);
            Resets += answer.Flag("reset") ? 1 : 0;
            foreach (var e in answer.Items("events"))
                Add(e);
            _cursor = answer.At("cursor");
        }
    }
}
