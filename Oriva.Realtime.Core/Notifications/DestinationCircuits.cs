using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;
using Polly;
using Polly.CircuitBreaker;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A circuit for each destination of this node: after some failures in a row nothing is sent there for a while, then one delivery at a time until one gets through.</summary>
internal sealed class DestinationCircuits(TimeProvider time, IOptions<DeliveryOptions> options)
{
    /// <summary>Bounds the memory; web push alone has a destination for each browser vendor, e-mail one.</summary>
    private const int MostDestinations = 10_000;

    private readonly ConcurrentDictionary<(string Channel, string Destination), Circuit> _circuits = new();

    public async ValueTask<CircuitResult> TrySendAsync(
        INotificationChannel channel, DeliveryWork delivery, Func<CancellationToken, ValueTask<ChannelResult>> send, CancellationToken cancellationToken)
    {
        if (_circuits.Count > MostDestinations)
            _circuits.Clear();
        var circuit = _circuits.GetOrAdd((channel.Name, channel.DestinationOf(delivery)), static (_, circuits) => circuits.Build(), this);
        var isProbe = false;
        try
        {
            var result = await circuit.Pipeline.ExecuteAsync(
                stop =>
                {
                    isProbe = circuit.State.CircuitState == CircuitState.HalfOpen;
                    return send(stop);
                },
                cancellationToken);
            // The destination is still away, which is not this delivery's fault.
            return new CircuitResult(result, isProbe && IsPassing(result) ? time.GetUtcNow() + options.Value.CircuitBreak : null);
        }
        catch (BrokenCircuitException e)
        {
            // Without a time: another delivery is trying, and soon it is known.
            return new CircuitResult(null, time.GetUtcNow() + (e.RetryAfter ?? TimeSpan.FromSeconds(1)));
        }
    }

    // What the destination refuses says that it is there.
    private static bool IsPassing(ChannelResult? result) => result is { IsSuccess: false, IsPermanent: false };

    private Circuit Build()
    {
        var state = new CircuitBreakerStateProvider();
        return new Circuit(Build(state), state);
    }

    private ResiliencePipeline<ChannelResult> Build(CircuitBreakerStateProvider state) => new ResiliencePipelineBuilder<ChannelResult> { TimeProvider = time }
        .AddCircuitBreaker(new CircuitBreakerStrategyOptions<ChannelResult>
        {
            StateProvider = state,
            ShouldHandle = static outcome => ValueTask.FromResult(IsPassing(outcome.Outcome.Result)),
            FailureRatio = 1,
            MinimumThroughput = options.Value.CircuitFailures,
            SamplingDuration = options.Value.CircuitBreak,
            BreakDuration = options.Value.CircuitBreak,
        })
        .Build();

    private sealed record Circuit(ResiliencePipeline<ChannelResult> Pipeline, CircuitBreakerStateProvider State);
}

/// <param name="Result">Null: nothing was sent.</param>
/// <param name="HeldUntil">The circuit is open until then, at least; the delivery has spent no attempt.</param>
internal sealed record CircuitResult(ChannelResult? Result, DateTimeOffset? HeldUntil);
