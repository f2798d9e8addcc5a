using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The official SignalR client, connected to a hub of the tests.</summary>
internal sealed class HubClient : IAsyncDisposable
{
    private readonly HubConnection _connection;
    private readonly TaskCompletionSource<Exception?> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<JsonElement> _resets = new();
    private readonly ConcurrentQueue<JsonElement> _signals = new();

    private HubClient(HubConnection connection)
    {
        _connection = connection;
        connection.Closed += e =>
        {
            _closed.TrySetResult(e);
            return Task.CompletedTask;
        };
        connection.On<JsonElement>("events", batch =>
        {
            if (Received.Add(batch))
                Batch?.Invoke(batch);
        });
        connection.On<JsonElement>("reset", _resets.Enqueue);
        connection.On<JsonElement>("signal", _signals.Enqueue);
    }

    public BatchLedger Received { get; } = new();

    public IReadOnlyCollection<JsonElement> Resets => _resets;

    public IReadOnlyCollection<JsonElement> Signals => _signals;

    /// <summary>The connection's id, also when it is gone.</summary>
    public string Id { get; private set; } = "";

    /// <summary>The client says goodbye.</summary>
    public Task StopAsync() => _connection.StopAsync();

    /// <summary>Completes when the connection is gone, with the reason if there is one.</summary>
    public Task<Exception?> Closed => _closed.Task;

    /// <summary>After each batch of the newest subscription.</summary>
    public Action<JsonElement>? Batch { get; set; }

    public static async Task<HubClient> ConnectAsync(Uri address, string? token, HttpTransportType transport = HttpTransportType.WebSockets, Action<HubClient>? before = null)
    {
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(address, "/hubs/realtime"), options =>
            {
                options.Transports = transport;
                options.AccessTokenProvider = () => Task.FromResult(token);
            })
            .Build();
        var client = new HubClient(connection);
        before?.Invoke(client);
        try
        {
            await connection.StartAsync();
            client.Id = connection.ConnectionId!;
            return client;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task<JsonElement> SubscribeAsync(object request)
    {
        var answer = await InvokeAsync("Subscribe", request);
        Received.AddAnswer(answer);
        return answer;
    }

    public Task<JsonElement> PublishAsync(object draft) => InvokeAsync("Publish", draft);

    public Task<JsonElement> InvokeAsync(string method, params object?[] arguments) => _connection.InvokeCoreAsync<JsonElement>(method, arguments).Soon($"{method} is answered");

    /// <summary>The call must be refused.</summary>
    /// <returns>The refusal, which must begin with this code.</returns>
    public async Task<string> RefusedAsync(string code, string method, params object?[] arguments)
    {
        var refusal = (await Should.ThrowAsync<HubException>(InvokeAsync(method, arguments))).Message;
        refusal.ShouldStartWith(code + ": ");
        return refusal;
    }

    /// <summary>Calls until the call is refused with this code.</summary>
    public Task RefusedUntilAsync(string code, string method, params object?[] arguments) => Waiting.Eventually($"{method} is refused with {code}", async () =>
    {
        try
        {
            await InvokeAsync(method, arguments);
            return false;
        }
        catch (HubException e)
        {
            return e.Message.StartsWith(code + ": ", StringComparison.Ordinal);
        }
    });

    /// <summary>Waits until so many events have come.</summary>
    public Task ReceiveAsync(int count) => Waiting.Eventually($"{count} events on the hub, of which {Received.Events.Count} are there", () => Received.Events.Count >= count);

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        Received.Check();
    }
}
