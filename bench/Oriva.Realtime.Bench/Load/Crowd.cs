using System.Net;

namespace Oriva.Realtime.Bench.Load;

/// <summary>Users that are connected and subscribed: from one process, spread over loopback addresses.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private const int ConnectionsPerAddress = 4_000;
    private const int ConnectingAtOnce = 32;
    private static readonly TimeSpan s_pingInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(2);

    private readonly CancellationTokenSource _closing = new();
    private readonly HubSocket[] _sockets;
    private readonly Inbox[] _inboxes;
    private Task _pinging = Task.CompletedTask;

    private Crowd(int size)
    {
        _sockets = new HubSocket[size];
        _inboxes = new Inbox[size];
    }

    public int Size => _sockets.Length;

    /// <param name="join">Connects and subscribes the user; 32 at once.</param>
    public static async Task<Crowd> GatherAsync(
        int size, Func<int, IPAddress, CancellationToken, Task<(HubSocket, Inbox)>> join, CancellationToken cancellationToken)
    {
        var crowd = new Crowd(size);
        try
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = ConnectingAtOnce, CancellationToken = cancellationToken };
            await Parallel.ForAsync(0, size, options, async (user, stop) => (crowd._sockets[user], crowd._inboxes[user]) = await join(user, AddressOf(user), stop));
        }
        catch
        {
            await crowd.DisposeAsync();
            throw;
        }

        crowd._pinging = crowd.PingAsync();
        return crowd;
    }

    /// <summary>Waits until everybody has received what the ledger says, each event once, in order.</summary>
    /// <exception cref="BenchException">Something is missing after the patience, came twice, or came out of order.</exception>
    public async Task VerifyAsync(Ledger ledger, string what, TimeSpan patience, CancellationToken cancellationToken)
    {
        var deadline = Clock.Now + Clock.ToTicks(patience);
        while (true)
        {
            var wrong = _inboxes.Where(inbox => inbox.Fault is not null || inbox.Tally != ledger.ExpectedBy(inbox.User)).ToList();
            if (wrong.Count == 0)
                return;
            if (Clock.Now > deadline || wrong.Exists(inbox => inbox.Fault is not null || inbox.Tally.Events > ledger.ExpectedBy(inbox.User).Events))
                throw new BenchException($"{what}: {wrong.Count} of {Size} connections did not receive what was acknowledged, once and in order. {Describe(wrong[0], ledger)}");
            await Clock.DelayAsync(s_pollInterval, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _pinging;
        foreach (var socket in _sockets.Where(socket => socket is not null))
            await socket.DisposeAsync();
        _closing.Dispose();
    }

    private static string Describe(Inbox inbox, Ledger ledger)
    {
        var expected = ledger.ExpectedBy(inbox.User).Events;
        return $"User {inbox.User}: {inbox.Fault ?? $"{inbox.Tally.Events} events received, {expected} acknowledged" + (inbox.Tally.Events == expected ? ", not the same ones" : "")}.";
    }

    private static IPAddress AddressOf(int user) =>
        OperatingSystem.IsLinux() ? new IPAddress([127, 0, 0, (byte)(1 + (user / ConnectionsPerAddress))]) : IPAddress.Loopback;

    private async Task PingAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            await Clock.DelayAsync(s_pingInterval, _closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            for (var i = 0; i < Size && !_closing.IsCancellationRequested; i++)
            {
                try
                {
                    await _sockets[i].PingAsync();
                }
                catch (System.Net.Sockets.SocketException e)
                {
                    _inboxes[i].Fail("A ping could not be sent: " + e.Message);
                }
            }
        }
    }
}
