using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>A message is one event, and has no position to check.</summary>
internal sealed class BareInbox(Arrivals arrivals, int user) : Inbox(arrivals, user)
{
    public override void Receive(ReadOnlySpan<byte> invocation, long now)
    {
        if (Mark.TryRead(invocation, out var mark, out _))
            Count(mark, position: 0, now);
        else
            Fail("A message has no mark.");
    }
}
