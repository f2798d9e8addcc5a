using System.Runtime.InteropServices;

namespace Oriva.Realtime.Bench.Load;

/// <summary>What one connection has received, and what was wrong with it. Only the connection's own reading writes here.</summary>
internal abstract class Inbox(Arrivals arrivals, int user)
{
    private Tally _tally;
    private string? _fault;
    private long _lastAt;

    public int User { get; } = user;

    public string? Fault => Volatile.Read(ref _fault);

    public Tally Tally => _tally;

    /// <summary>Of the times between arrivals, since <see cref="StartGaps"/>.</summary>
    public long LongestGap { get; private set; }

    public void StartGaps(long now) => (_lastAt, LongestGap) = (now, 0);

    public abstract void Receive(ReadOnlySpan<byte> message, long now);

    /// <summary>Keeps the first fault; the rest follows from it.</summary>
    public void Fail(string reason) => Interlocked.CompareExchange(ref _fault, reason, null);

    protected void Count(in Mark mark, long position, long now)
    {
        _tally = _tally.Plus(mark.Number, position);
        LongestGap = Math.Max(LongestGap, now - _lastAt);
        _lastAt = now;
        arrivals.Add(mark, now);
    }
}

/// <summary>
/// How many events, and a sum over hashes of their numbers and positions: two tallies are equal when they are of the same events, each as often, whatever
/// the order (but for one chance in 2⁶⁴).
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Tally(long Events, ulong Sum)
{
    public Tally Plus(uint number, long position) => new(Events + 1, Sum + Mix(((ulong)number << 32) ^ (ulong)position));

    public Tally Plus(Tally other) => new(Events + other.Events, Sum + other.Sum);

    // The finaliser of SplitMix64.
    private static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}

/// <summary>Where all connections of a crowd report what arrives; what is measured is set for each round.</summary>
internal sealed class Arrivals
{
    /// <summary>From when a publish was due to its arrival, once for each receiver.</summary>
    public Histogram? Latency { get; set; }

    public Slots? Slots { get; set; }

    public void Add(in Mark mark, long now)
    {
        Latency?.Record(now - mark.DueAt);
        if (mark.Slot != Mark.NoSlot)
            Slots?.Arrived(mark.Slot);
    }
}
