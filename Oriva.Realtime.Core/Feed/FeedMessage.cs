using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Feed;

/// <summary>
/// What a node tells the others of one commit: for each stream its new head, and the events up to it, unless they are too large to be sent along.
/// </summary>
/// <remarks>
/// Binary: a version, the sender, its clock; then for each stream its name, head, the number of events and their length in bytes, and the events. So whoever does not
/// follow a stream passes over its events. Numbers are LEB128, texts UTF-8 behind their length; an absent text has the length 0 and is told from an empty one
/// by a length that counts one more.
/// </remarks>
internal static class FeedMessage
{
    /// <summary>Of one stream's events; larger ones are read from the log.</summary>
    public const int MostBytes = 256 * 1024;

    private const byte Version = 1;
    private const int GuidBytes = 16;

    public static byte[] Write(Guid sender, long clock, IReadOnlyList<StreamAdvance> advances)
    {
        var writer = new Writer(1024);
        writer.Byte(Version);
        sender.TryWriteBytes(writer.Span(GuidBytes));
        BinaryPrimitives.WriteInt64LittleEndian(writer.Span(sizeof(long)), clock);
        foreach (var advance in advances)
        {
            writer.Text(advance.Stream);
            writer.Number(advance.Head);
            var events = Fits(advance.Events) ? advance.Events! : [];
            writer.Number(events.Count);
            var block = new Writer(512 * events.Count);
            foreach (var e in events)
                Write(ref block, e);
            writer.Number(block.Written.Length);
            block.Written.CopyTo(writer.Span(block.Written.Length));
        }

        return writer.Written.ToArray();
    }

    /// <summary>Who sent it and when, by the sender's clock.</summary>
    public static bool TryReadSender(ReadOnlySpan<byte> message, out Guid sender, out long clock)
    {
        var isGood = message.Length >= 1 + GuidBytes + sizeof(long) && message[0] == Version;
        sender = isGood ? new Guid(message.Slice(1, GuidBytes)) : default;
        clock = isGood ? BinaryPrimitives.ReadInt64LittleEndian(message[(1 + GuidBytes)..]) : 0;
        return isGood;
    }

    /// <summary>What it says of streams that are followed here. A message that is not well formed says nothing.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, StreamFeed feed, [NotNullWhen(true)] out List<(ActiveStream Stream, long Head, IReadOnlyList<StoredEvent> Events)>? advances)
    {
        advances = [];
        try
        {
            var reader = new Reader(message[(1 + GuidBytes + sizeof(long))..]);
            while (!reader.IsAtEnd)
            {
                var name = reader.Utf8();
                var head = reader.Number();
                var count = reader.Number();
                var block = reader.Bytes(reader.Number());
                if (Find(feed, name) is not { } stream)
                    continue;
                var events = new List<StoredEvent>((int)Math.Min(count, block.Length));
                var inside = new Reader(block);
                while (events.Count < count)
                    events.Add(Read(ref inside, stream, head - count + 1 + events.Count));
                advances.Add((stream, head, events));
            }

            return true;
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            advances = null;
            return false;
        }
    }

    private static bool Fits(IReadOnlyList<StoredEvent>? events)
    {
        if (events is null)
            return false;
        var bytes = 0L;
        foreach (var e in events)
            bytes += e.Data.Length + (e.Metadata?.Length ?? 0);
        return bytes <= MostBytes;
    }

    private static ActiveStream? Find(StreamFeed feed, ReadOnlySpan<byte> name)
    {
        const int longest = 1_024;
        Span<char> text = stackalloc char[longest];
        return name.Length <= longest ? feed.Find(text[..Encoding.UTF8.GetChars(name, text)]) : null;
    }

    private static void Write(ref Writer writer, StoredEvent e)
    {
        writer.Text(e.Id);
        writer.Text(e.Source);
        writer.Text(e.Type);
        writer.Text(e.UserId);
        writer.Text(e.Topic);
        writer.Text(e.Actor);
        writer.Number(StoreTime.ToMicroseconds(e.Time));
        writer.Number(StoreTime.ToMicroseconds(e.RecordedAt));
        writer.Text(e.Data);
        writer.Text(e.Metadata);
    }

    private static StoredEvent Read(ref Reader reader, ActiveStream stream, long position) => new()
    {
        Stream = stream.Name.Text,
        App = stream.Name.App,
        Position = position,
        Id = reader.Text() ?? "",
        Source = reader.Text() ?? "",
        Type = reader.Text() ?? "",
        UserId = reader.Text(),
        Topic = reader.Text(),
        Actor = reader.Text() ?? "",
        Time = StoreTime.FromMicroseconds(reader.Number()),
        RecordedAt = StoreTime.FromMicroseconds(reader.Number()),
        Data = reader.Text() ?? "",
        Metadata = reader.Text(),
    };

    private ref struct Writer(int capacity)
    {
        private byte[] _bytes = new byte[Math.Max(capacity, 64)];
        private int _length;

        public readonly ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

        public Span<byte> Span(int count)
        {
            if (_bytes.Length - _length < count)
                Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + count));
            _length += count;
            return _bytes.AsSpan(_length - count, count);
        }

        public void Byte(byte value) => Span(1)[0] = value;

        /// <summary>Times before 1970 are negative: zigzag would be shorter for those, which nobody sends.</summary>
        public void Number(long value)
        {
            var rest = (ulong)value;
            for (; rest >= 0x80; rest >>= 7)
                Byte((byte)(rest | 0x80));
            Byte((byte)rest);
        }

        public void Text(string? text)
        {
            if (text is null)
            {
                Number(0);
                return;
            }

            var count = Encoding.UTF8.GetByteCount(text);
            Number(count + 1L);
            Encoding.UTF8.GetBytes(text, Span(count));
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private const int MostNumberBytes = 10;

        private ReadOnlySpan<byte> _rest = bytes;

        public readonly bool IsAtEnd => _rest.IsEmpty;

        public long Number()
        {
            var value = 0UL;
            for (var i = 0; i < MostNumberBytes; i++)
            {
                var next = _rest[i];
                value |= (ulong)(next & 0x7F) << (7 * i);
                if (next >= 0x80)
                    continue;
                _rest = _rest[(i + 1)..];
                return (long)value;
            }

            throw new OverflowException();
        }

        public ReadOnlySpan<byte> Bytes(long count)
        {
            var taken = _rest[..checked((int)count)];
            _rest = _rest[taken.Length..];
            return taken;
        }

        public ReadOnlySpan<byte> Utf8() => Number() is > 0 and var length ? Bytes(length - 1) : [];

        public string? Text() => Number() is > 0 and var length ? Encoding.UTF8.GetString(Bytes(length - 1)) : null;
    }
}
