using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// What the bench writes into an event's data and finds again in a frame without parsing its JSON: when the publish was due, which slot waits for it,
/// and its number. Twenty-eight hexadecimal digits after <see cref="Dialect.MarkPrefix"/>.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Mark(long DueAt, int Slot, uint Number)
{
    public const int Length = 28;

    /// <summary>A publish that nobody waits for.</summary>
    public const int NoSlot = 0xFFFF;

    /// <summary>Stands in a template where a mark goes.</summary>
    public static string Placeholder { get; } = new('#', Length);

    public void Write(Span<byte> at)
    {
        Span<byte> bytes = stackalloc byte[Length / 2];
        BinaryPrimitives.WriteInt64BigEndian(bytes, DueAt);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[8..], (ushort)Slot);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[10..], Number);
        Convert.TryToHexStringLower(bytes, at, out _);
    }

    /// <summary>Finds the first mark.</summary>
    /// <param name="rest">What follows it.</param>
    public static bool TryRead(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix, out Mark mark, out ReadOnlySpan<byte> rest)
    {
        var found = text.IndexOf(prefix);
        if (found < 0 || text.Length < found + prefix.Length + Length)
        {
            mark = default;
            rest = default;
            return false;
        }

        var digits = text.Slice(found + prefix.Length, Length);
        mark = new Mark((long)Hex(digits[..16]), (int)Hex(digits[16..20]), (uint)Hex(digits[20..]));
        rest = text[(found + prefix.Length + Length)..];
        return true;
    }

    private static ulong Hex(ReadOnlySpan<byte> digits)
    {
        var value = 0UL;
        foreach (var digit in digits)
            value = (value << 4) | (uint)((digit & 0xF) + ((digit >> 6) * 9));
        return value;
    }
}
