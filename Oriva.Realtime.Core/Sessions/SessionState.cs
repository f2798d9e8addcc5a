namespace Oriva.Realtime.Core.Sessions;

/// <summary>A session as operators see it.</summary>
/// <param name="Behind">Events that it has not looked at yet, also while a push is not taken.</param>
/// <param name="Stalls">Pushes that took longer than a second to be taken.</param>
internal sealed record SessionState(IReadOnlyList<SubscriptionState> Subscriptions, long Behind, long EventsSent, long Stalls);

internal sealed record SubscriptionState(string App, IReadOnlyList<string> Topics, IReadOnlyDictionary<string, StreamState> Streams);

/// <param name="Position">Read and filtered up to here.</param>
/// <param name="Pushed">The client has been told up to here.</param>
internal sealed record StreamState(long Head, long Position, long Pushed, long Acked);
