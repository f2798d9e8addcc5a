using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>
/// A circuit breaker for each destination of this node (Nygard, "Release It!"): after some failures in a row nothing is sent there for a while, then one
/// delivery at a time until one gets through.
/// </summary>
internal sealed class DestinationCircuits(TimeProvider time, IOptions<DeliveryOptions> options)
{
    /// <summary>Bounds the memory; web push has a destination for each browser vendor, e-mail one.</summary>
    private const int MostDestinations = 10_000;

    private readonly ConcurrentDictionary<(string Channel, string Destination), Circuit> _circuits = new();

    /// <summary>Whether nothing would be sent there now: the circuit is open, or somebody is asking whether the destination is back.</summary>
    public bool IsHeld(INotificationChannel channel, string destination) =>
        _circuits.TryGetValue((channel.Name, destination), out var circuit) && circuit.IsHeld(time.GetUtcNow());

    /// <summary>Sends, unless the destination's circuit is open. A failure that only showed that the destination is still away spends no attempt.</summary>
    public async ValueTask<CircuitResult> TrySendAsync(
        INotificationChannel channel, DeliveryWork delivery, Func<CancellationToken, ValueTask<ChannelResult>> send, CancellationToken cancellationToken)
    {
        if (_circuits.Count > MostDestinations)
            _circuits.Clear();
        var circuit = _circuits.GetOrAdd((channel.Name, channel.DestinationOf(delivery)), static (_, made) => new Circuit(made.CircuitFailures, made.CircuitBreak), options.Value);
        if (circuit.TryEnter(time.GetUtcNow(), out var isProbe) is { } heldUntil)
            return new CircuitResult(null, heldUntil);
        bool? isAway = null;
        try
        {
            var result = await send(cancellationToken);
            // What the destination refuses says that it is there.
            isAway = !result.IsSuccess && !result.IsPermanent && !result.IsAnswered;
            return new CircuitResult(result, isProbe && isAway.Value ? time.GetUtcNow() + options.Value.CircuitBreak : null);
        }
        finally
        {
            circuit.Leave(time.GetUtcNow(), isProbe, isAway);
        }
    }

    private sealed class Circuit(int mostFailures, TimeSpan pause)
    {
        private static readonly TimeSpan s_probing = TimeSpan.FromSeconds(1);

        private readonly Lock _lock = new();
        private int _failures;
        private bool _isProbed;
        private DateTimeOffset? _openUntil;

        public bool IsHeld(DateTimeOffset now)
        {
            lock (_lock)
                return _openUntil is { } until && (now < until || _isProbed);
        }

        /// <returns>Until when to hold what wanted to be sent; null: it may go.</returns>
        public DateTimeOffset? TryEnter(DateTimeOffset now, out bool isProbe)
        {
            lock (_lock)
            {
                isProbe = false;
                if (_openUntil is not { } until)
                    return null;
                if (now < until)
                    return until;
                // Another one is asking, and soon it is known.
                if (_isProbed)
                    return now + s_probing;
                isProbe = _isProbed = true;
                return null;
            }
        }

        /// <param name="isAway">Null: it was not found out.</param>
        public void Leave(DateTimeOffset now, bool wasProbe, bool? isAway)
        {
            lock (_lock)
            {
                if (wasProbe)
                    _isProbed = false;
                if (isAway == false)
                    (_failures, _openUntil) = (0, null);
                else if (isAway == true && ++_failures >= mostFailures)
                    _openUntil = now + pause;
            }
        }
    }
}

/// <param name="Result">Null: nothing was sent.</param>
/// <param name="HeldUntil">The circuit is open until then, at least; the delivery has spent no attempt.</param>
internal sealed record CircuitResult(ChannelResult? Result, DateTimeOffset? HeldUntil);
