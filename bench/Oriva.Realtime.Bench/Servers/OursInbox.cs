using System.Text;
using System.Text.Json;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>
/// Follows the positions of the subscribed streams: each batch starts where the one before ended, and within it they go up by one. So what is received is
/// complete and in order, or the connection has a fault. Notifications have positions as well, and are not counted.
/// </summary>
/// <remarks>Relies on the order in which the hub writes a batch's and an event's properties, which it need not keep; the fault says so if it changes.</remarks>
internal sealed class OursInbox(Arrivals arrivals, Dialect dialect, int user) : Inbox(arrivals, user)
{
    private static readonly Keys s_json = new(Dialect.Json), s_messagePack = new(Dialect.MessagePack);

    private readonly Keys _keys = dialect == Dialect.Json ? s_json : s_messagePack;
    private readonly List<(byte[] Name, long Position)> _streams = [];
    private string _epoch = "";

    /// <summary>As <c>Subscribe</c> takes it; null before the first.</summary>
    public string? Cursor => _streams.Count == 0
        ? null
        : JsonSerializer.Serialize(new { epoch = _epoch, streams = _streams.ToDictionary(stream => Encoding.UTF8.GetString(stream.Name), stream => stream.Position) });

    /// <summary>Where the streams stand, as <c>Subscribe</c> answered.</summary>
    public void StartAt(JsonElement answer)
    {
        _epoch = answer.GetProperty("epoch").GetString()!;
        foreach (var stream in answer.GetProperty("streams").EnumerateObject())
            _streams.Add((Encoding.UTF8.GetBytes(stream.Name), stream.Value.GetInt64()));
    }

    public override void Receive(ReadOnlySpan<byte> message, long now)
    {
        if (Fault is not null)
            return;
        var rest = message;
        if (!TrySkip(ref rest, _keys.Stream) || !TryFind(dialect.ReadText(rest), out var stream)
            || !TryReadNumber(ref rest, _keys.After, out var after) || !TryReadNumber(ref rest, _keys.Through, out var through))
        {
            Fail("Not a batch of a subscribed stream: " + Encoding.UTF8.GetString(message[..Math.Min(200, message.Length)]));
            return;
        }

        var (name, position) = _streams[stream];
        if (after != position)
        {
            Fail($"{Encoding.UTF8.GetString(name)}: at {position} came a batch after {after}");
            return;
        }

        for (var before = rest; TryReadNumber(ref rest, _keys.Seq, out var seq); before = rest)
        {
            if (seq != ++position)
            {
                Fail($"{Encoding.UTF8.GetString(name)}: at {position - 1} came event {seq}");
                return;
            }

            // A notification may have the data of its event, and so a mark that is not its own.
            var e = before[..^rest.Length];
            if (e.IndexOf("notification.created"u8) < 0 && Mark.TryRead(e, _keys.Mark, out var mark, out _))
                Count(mark, seq, now);
        }

        if (position != through)
            Fail($"{Encoding.UTF8.GetString(name)}: a batch through {through} ended at {position}");
        _streams[stream] = (name, through);
    }

    private bool TryFind(ReadOnlySpan<byte> name, out int index)
    {
        for (index = 0; index < _streams.Count; index++)
        {
            if (name.SequenceEqual(_streams[index].Name))
                return true;
        }

        return false;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> text, ReadOnlySpan<byte> what)
    {
        var found = text.IndexOf(what);
        if (found < 0)
            return false;
        text = text[(found + what.Length)..];
        return true;
    }

    private bool TryReadNumber(ref ReadOnlySpan<byte> text, ReadOnlySpan<byte> key, out long number)
    {
        number = 0;
        return TrySkip(ref text, key) && dialect.TryReadNumber(text, out number);
    }

    private sealed class Keys(Dialect dialect)
    {
        public byte[] Stream { get; } = dialect.KeyOf("stream");

        public byte[] After { get; } = dialect.KeyOf("after");

        public byte[] Through { get; } = dialect.KeyOf("through");

        public byte[] Mark { get; } = dialect.MarkPrefix;

        public byte[] Seq { get; } = dialect.KeyOf("seq");
    }
}
