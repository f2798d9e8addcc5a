using System.Net;

namespace Oriva.Realtime.Bench.Load;

/// <summary>Users that are connected and subscribed: from one process, spread over loopback addresses.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private const int ConnectionsPerAddress = 4_000;
    private const int ConnectingAtOnce = 32;
    private const int ReturningAtOnce = 256;
    private static readonly TimeSpan s_pingInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(2);

    private readonly CancellationTokenSource _closing = new();
    private readonly HubSocket[] _sockets;
    private readonly Inbox[] _inboxes;
    private readonly Func<Inbox, IPAddress, CancellationToken, Task<HubSocket>> _join;
    private Task _pinging = Task.CompletedTask;

    private volatile bool _isAway;

    private Crowd(Inbox[] inboxes, Func<Inbox, IPAddress, CancellationToken, Task<HubSocket>> join)
    {
        _sockets = new HubSocket[inboxes.Length];
        (_inboxes, _join) = (inboxes, join);
    }

    public int Size => _sockets.Length;

    /// <param name="inboxes">One for each user.</param>
    /// <param name="join">Connects and subscribes a user; 32 at once.</param>
    public static async Task<Crowd> GatherAsync(
        Inbox[] inboxes, Func<Inbox, IPAddress, CancellationToken, Task<HubSocket>> join, CancellationToken cancellationToken)
    {
        var crowd = new Crowd(inboxes, join);
        try
        {
            await crowd.ConnectAsync(ConnectingAtOnce, cancellationToken);
        }
        catch
        {
            await crowd.DisposeAsync();
            throw;
        }

        crowd._pinging = crowd.PingAsync();
        return crowd;
    }

    /// <summary>Everybody's connection ends at once, without a word.</summary>
    public async Task CutAsync()
    {
        _isAway = true;
        foreach (var socket in _sockets)
            await socket.DisposeAsync();
    }

    /// <summary>Those who were cut off come back all at once, each with what it has as its cursor.</summary>
    public async Task ReturnAsync(CancellationToken cancellationToken)
    {
        await ConnectAsync(ReturningAtOnce, cancellationToken);
        _isAway = false;
    }

    public void StartGaps(long now)
    {
        foreach (var inbox in _inboxes)
            inbox.StartGaps(now);
    }

    public long LongestGap() => _inboxes.Max(inbox => inbox.LongestGap);

    /// <summary>Messages that were acknowledged and not received, over all users.</summary>
    public long CountMissing(Ledger ledger) => _inboxes.Sum(inbox => Math.Max(0, ledger.ExpectedBy(inbox.User).Events - inbox.Tally.Events));

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

    private Task ConnectAsync(int atOnce, CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellationToken };
        return Parallel.ForAsync(0, Size, options, async (user, stop) => _sockets[user] = await _join(_inboxes[user], AddressOf(user), stop));
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
            for (var i = 0; i < Size && !_closing.IsCancellationRequested && !_isAway; i++)
            {
                try
                {
                    await _sockets[i].KeepAliveAsync();
                }
                catch (ObjectDisposedException) when (_isAway)
                {
                    // It was cut just now.
                }
                catch (System.Net.Sockets.SocketException e) when (!_isAway)
                {
                    _inboxes[i].Fail("A ping could not be sent: " + e.Message);
                }
            }
        }
    }
}
