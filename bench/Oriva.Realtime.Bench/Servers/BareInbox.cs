using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>A message is one event, and has no position to check.</summary>
internal sealed class BareInbox(Arrivals arrivals, Dialect dialect, int user) : Inbox(arrivals, user)
{
    private readonly byte[] _markPrefix = dialect.MarkPrefix;

    public override void Receive(ReadOnlySpan<byte> message, long now)
    {
        if (Mark.TryRead(message, _markPrefix, out var mark, out _))
            Count(mark, position: 0, now);
        else
            Fail("A message has no mark.");
    }
}
