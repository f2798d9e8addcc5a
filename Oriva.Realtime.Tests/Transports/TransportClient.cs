using System.Collections;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

public enum Protocol
{
    Json,
    MessagePack,
}

/// <summary>The official client over one transport and protocol, with the protocol's defaults. What it receives is seen as JSON.</summary>
internal sealed class TransportClient : IAsyncDisposable
{
    private readonly ConcurrentQueue<JsonElement> _signals = new();

    private TransportClient(Uri address, string token, HttpTransportType transport, Protocol protocol, bool reconnects)
    {
        var builder = new HubConnectionBuilder().WithUrl(new Uri(address, "/hubs/realtime"), options =>
        {
            options.Transports = transport;
            options.AccessTokenProvider = () => Task.FromResult<string?>(token);
        });
        if (protocol == Protocol.MessagePack)
            builder.AddMessagePackProtocol();
        if (reconnects)
            builder.WithAutomaticReconnect(new Soon());
        Connection = builder.Build();
        Connection.On("events", [typeof(object)], arguments =>
        {
            var batch = PlainJson.Read(arguments[0]);
            if (reconnects || Received.Add(batch))
                Batch?.Invoke(batch);
            return Task.CompletedTask;
        });
        Connection.On("signal", [typeof(object)], arguments =>
        {
            _signals.Enqueue(PlainJson.Read(arguments[0]));
            return Task.CompletedTask;
        });
    }

    public HubConnection Connection { get; }

    /// <summary>Of one connection, and so empty for a client that reconnects.</summary>
    public BatchLedger Received { get; } = new();

    public IReadOnlyList<JsonElement> Signals => [.. _signals];

    /// <summary>Each batch.</summary>
    public Action<JsonElement>? Batch { get; set; }

    public static async Task<TransportClient> ConnectAsync(
        Uri address, string token, HttpTransportType transport, Protocol protocol, bool reconnects = false, Action<TransportClient>? before = null)
    {
        var client = new TransportClient(address, token, transport, protocol, reconnects);
        before?.Invoke(client);
        try
        {
            await client.Connection.StartAsync().Soon($"a connection over {transport}, {protocol}");
            return client;
        }
        catch
        {
            await client.Connection.DisposeAsync();
            throw;
        }
    }

    public async Task<JsonElement> SubscribeAsync(object request)
    {
        var answer = await InvokeAsync("Subscribe", request);
        Received.AddAnswer(answer);
        return answer;
    }

    public async Task<JsonElement> InvokeAsync(string method, params object?[] arguments) => PlainJson.Read(await Connection
        .InvokeCoreAsync(method, typeof(object), [.. arguments.Select(PlainJson.Write)]).Soon($"{method} is answered"));

    public async Task RefusedAsync(string code, string method, params object?[] arguments) =>
        (await Should.ThrowAsync<HubException>(InvokeAsync(method, arguments))).Message.ShouldStartWith(code + ": ");

    public Task ReceiveAsync(int count) => Waiting.Eventually($"{count} events, of which {Received.Events.Count} are there", () => Received.Events.Count >= count);

    public Task SignalledAsync(int count) => Waiting.Eventually($"{count} signals", () => _signals.Count >= count);

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        Received.Check();
    }

    private sealed class Soon : IRetryPolicy
    {
        public TimeSpan? NextRetryDelay(RetryContext retryContext) => TimeSpan.FromMilliseconds(50);
    }
}

/// <summary>What a protocol's own objects are as JSON, and the other way round. The protocols' serializers stay as they come.</summary>
internal static class PlainJson
{
    public static JsonElement Read(object? value) => value is JsonElement json ? json.Clone() : JsonSerializer.SerializeToElement(Named(value));

    public static object? Write(object? value) => Plain(JsonSerializer.SerializeToElement(value, JsonSerializerOptions.Web));

    /// <summary>MessagePack's maps have keys of any type; those of events must be texts.</summary>
    private static object? Named(object? value) => value switch
    {
        string or byte[] => value,
        IDictionary map => map.Keys.Cast<string>().ToDictionary(name => name, name => Named(map[name])),
        IEnumerable items => items.Cast<object?>().Select(Named).ToList(),
        _ => value,
    };

    private static object? Plain(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().ToDictionary(property => property.Name, property => Plain(property.Value)),
        JsonValueKind.Array => json.EnumerateArray().Select(Plain).ToArray(),
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number when json.TryGetInt64(out var integer) => integer,
        JsonValueKind.Number when json.TryGetUInt64(out var large) => large,
        JsonValueKind.Number => double.Parse(json.GetRawText(), CultureInfo.InvariantCulture),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}
