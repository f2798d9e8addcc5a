// Follows an app's events through every gap. Usage: dotnet run -- http://localhost:5080 work-buddy <token>
using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR.Client;

var (url, app, token) = (args[0], args[1], args[2]);
var epoch = default(string);
var positions = new ConcurrentDictionary<string, long>(); // with the epoch the cursor: keep it with your state, and you resume after a restart as well
var current = 0;

await using var hub = new HubConnectionBuilder()
    .WithUrl($"{url}/hubs/realtime", options => options.AccessTokenProvider = () => Task.FromResult<string?>(token))
    .WithAutomaticReconnect()
    .Build();

hub.On<Batch>("events", async batch =>
{
    if (batch.Subscription < Volatile.Read(ref current))
        return; // of a subscription that was replaced
    if (positions.TryGetValue(batch.Stream, out var position) && batch.After > position)
    {
        await SubscribeAsync(); // missed something
        return;
    }

    foreach (var e in batch.Events.Where(e => e.GetProperty("seq").GetInt64() > position))
        Console.WriteLine(e.GetRawText());
    positions[batch.Stream] = batch.Through;
    await hub.SendAsync("Ack", new { app, streams = new Dictionary<string, long> { [batch.Stream] = batch.Through } });
});
hub.On<JsonElement>("reset", _ => SubscribeAsync());
hub.Reconnected += _ => SubscribeAsync();
await hub.StartAsync();
await SubscribeAsync();
await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System);

async Task SubscribeAsync()
{
    Volatile.Write(ref current, 0);
    var answer = await hub.InvokeAsync<Answer>("Subscribe", new { app, cursor = epoch is null ? null : new { epoch, streams = positions } });
    if (answer.Reset)
        positions.Clear(); // the gap cannot be filled: fetch your state here
    foreach (var (stream, position) in answer.Streams)
        positions.TryAdd(stream, position);
    epoch = answer.Epoch;
    Volatile.Write(ref current, answer.Subscription);
}

internal sealed record Batch(int Subscription, string Stream, long After, long Through, JsonElement[] Events);

internal sealed record Answer(int Subscription, string Epoch, Dictionary<string, long> Streams, bool Reset);
