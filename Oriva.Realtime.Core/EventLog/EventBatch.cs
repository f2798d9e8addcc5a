namespace Oriva.Realtime.Core.EventLog;

/// <summary>The events of a stream with <c>after &lt; seq ≤ through</c> that match; empty when it only moves the position.</summary>
/// <param name="Subscription">Counts the <c>Subscribe</c> calls for that app on this connection; batches of an older number are ignored.</param>
/// <param name="After">The <paramref name="Through"/> of the batch before on this subscription and stream, so that a client sees at once whether it missed one.</param>
public sealed record EventBatch(string App, int Subscription, string Stream, long After, long Through, IReadOnlyList<StoredEvent> Events)
{
    private object? _encoded;

    /// <summary>The batch in an output's encoding, made once for all connections that get this instance.</summary>
    public T GetOrEncode<T>(Func<EventBatch, T> encode)
        where T : class => (T)(_encoded ??= encode(this));
}
