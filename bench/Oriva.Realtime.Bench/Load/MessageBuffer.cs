namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// Turns what a socket receives into messages. Messages and WebSocket frames are cut independently of each other, so
/// the frames' heads are taken out in place and the texts moved together; most of the time nothing has to move.
/// </summary>
/// <remarks>Always <c>_textStart ≤ _textEnd ≤ _rawStart ≤ _rawEnd</c>: first the text of an unfinished message, then bytes that are still framed.</remarks>
internal sealed class MessageBuffer(Dialect dialect)
{
    private const int InitialSize = 16 * 1024;

    private byte[] _buffer = new byte[InitialSize];
    private int _textStart, _textEnd, _rawStart, _rawEnd;

    // What is still to come of the current data frame.
    private long _frameLeft;

    /// <summary>The server has begun to close the connection.</summary>
    public bool Closed { get; private set; }

    /// <summary>Payload of a ping that has to be answered.</summary>
    public byte[]? Pinged { get; set; }

    public Memory<byte> GetFree()
    {
        if (_textStart == _textEnd && _rawStart == _rawEnd)
            _textStart = _textEnd = _rawStart = _rawEnd = 0;
        else if (_buffer.Length - _rawEnd < _buffer.Length / 2)
            MoveToFront();
        return _buffer.AsMemory(_rawEnd);
    }

    /// <summary>Takes bytes that were received into <see cref="GetFree"/> and hands over every message that is complete.</summary>
    public void Advance(int count, HubSocket receiver, long now)
    {
        _rawEnd += count;
        while (_frameLeft > 0 || TryEnterFrame())
        {
            var available = (int)Math.Min(_frameLeft, _rawEnd - _rawStart);
            if (available == 0 && _frameLeft > 0)
                return;
            Unframe(available, receiver, now);
        }
    }

    private void Unframe(int count, HubSocket receiver, long now)
    {
        if (_textStart == _textEnd)
            _textStart = _textEnd = _rawStart;
        else if (_textEnd != _rawStart)
            _buffer.AsSpan(_rawStart, count).CopyTo(_buffer.AsSpan(_textEnd));
        var scanned = _textEnd;
        _textEnd += count;
        _rawStart += count;
        _frameLeft -= count;

        while (dialect.TryCut(_buffer.AsSpan(_textStart, _textEnd - _textStart), scanned - _textStart, _frameLeft == 0, out var message, out var end))
        {
            receiver.Receive(_buffer.AsSpan(_textStart, _textEnd - _textStart)[message], now);
            _textStart = scanned = _textStart + end;
        }
    }

    private bool TryEnterFrame()
    {
        var raw = _buffer.AsSpan(_rawStart, _rawEnd - _rawStart);
        var head = WebSocketFrame.TryReadHead(raw, out var opcode, out var length);
        if (head == 0)
            return false;
        if (opcode < WebSocketFrame.Close)
        {
            _rawStart += head;
            _frameLeft = length;
            return true;
        }

        if (raw.Length < head + length)
            return false;
        if (opcode == WebSocketFrame.Ping)
            Pinged = raw.Slice(head, (int)length).ToArray();
        Closed |= opcode == WebSocketFrame.Close;
        _rawStart += head + (int)length;
        return true;
    }

    private void MoveToFront()
    {
        var text = _textEnd - _textStart;
        var raw = _rawEnd - _rawStart;
        var target = text + raw > _buffer.Length / 2 ? new byte[_buffer.Length * 2] : _buffer;
        _buffer.AsSpan(_textStart, text).CopyTo(target);
        _buffer.AsSpan(_rawStart, raw).CopyTo(target.AsSpan(text));
        (_buffer, _textStart, _textEnd, _rawStart, _rawEnd) = (target, 0, text, text, text + raw);
    }
}
