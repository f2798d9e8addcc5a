using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>A client as the protocol asks for: after any cut, or when something is missing, it comes back with its cursor, at the next address.</summary>
internal sealed class Follower(Journal journal, string token, HttpTransportType transport, IReadOnlyList<Uri> urls, int index)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    private HubConnection? _subscribed;
    private TimeSpan _pause = s_firstPause;

    public Journal Journal { get; } = journal;

    /// <summary>How often it has subscribed.</summary>
    public int Lives { get; private set; }

    /// <summary>Why it was last cut off, or could not connect.</summary>
    public string? LastError { get; private set; }

    public bool IsSubscribed => Volatile.Read(ref _subscribed) is not null;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var attempt = index; !cancellationToken.IsCancellationRequested; attempt++)
        {
            try
            {
                await LiveAsync(urls[attempt % urls.Count], cancellationToken);
            }
            catch (Exception e)
            {
                // Whatever it was: a client's answer to it is to come back.
                if (cancellationToken.IsCancellationRequested)
                    return;
                LastError = e.Message;
            }

            await Clock.DelayAsync(_pause, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _pause = _pause * 2 > s_longestPause ? s_longestPause : _pause * 2;
        }
    }

    /// <summary>Sends a signal when it is connected; whether it arrives is not its business.</summary>
    public async Task SignalAsync(Addressee to, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _subscribed) is not { } connection)
            return;
        try
        {
            await connection.SendAsync("Signal", new { app = to.App, topic = to.Topic, name = "typing", data = new { @for = to.ToJson() } }, cancellationToken);
        }
        catch (Exception e)
        {
            LastError = e.Message;
        }
    }

    private async Task LiveAsync(Uri url, CancellationToken cancellationToken)
    {
        // Completes with why the connection is of no more use.
        var over = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var connection = new HubConnectionBuilder().WithUrl(new Uri(url, "hubs/realtime"), options =>
        {
            options.AccessTokenProvider = () => Task.FromResult<string?>(token);
            options.Transports = transport;
            options.SkipNegotiation = transport == HttpTransportType.WebSockets;
        }).Build();
        connection.Closed += e => Task.FromResult(over.TrySetResult(e?.Message ?? "The server closed the connection."));
        connection.On<JsonElement>("events", batch =>
        {
            if (!over.Task.IsCompleted && !Journal.Receive(batch))
                over.TrySetResult("A batch was missing, or not one.");
        });
        connection.On<JsonElement>("signal", signal => Journal.Signalled(signal));
        connection.On<JsonElement>("reset", reset =>
        {
            Journal.Reset(reset);
            over.TrySetResult("The subscription was reset.");
        });

        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            patience.CancelAfter(s_patience);
            await connection.StartAsync(patience.Token);
            var answer = await connection.InvokeAsync<JsonElement>("Subscribe", Journal.BeginSubscribing(), patience.Token);
            if (!Journal.Subscribed(answer))
                over.TrySetResult("A batch was missing.");
        }

        Lives++;
        _pause = s_firstPause;
        Volatile.Write(ref _subscribed, connection);
        try
        {
            LastError = await over.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            Volatile.Write(ref _subscribed, null);
        }
    }
}
