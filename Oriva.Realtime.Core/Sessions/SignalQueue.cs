namespace Oriva.Realtime.Core.Sessions;

/// <summary>
/// What is waiting to be sent and need not be kept. Bounded: when it is full the oldest goes, because the newest cursor position or typing state is the one
/// that matters. Senders never wait for a reader.
/// </summary>
internal sealed class SignalQueue
{
    public const int Capacity = 64;

    private readonly Lock _lock = new();
    private Queue<object>? _frames;

    /// <returns>False: the oldest was dropped to make room.</returns>
    public bool Add(object frame)
    {
        lock (_lock)
        {
            _frames ??= new Queue<object>(4);
            var full = _frames.Count >= Capacity;
            if (full)
                _frames.Dequeue();
            _frames.Enqueue(frame);
            return !full;
        }
    }

    public bool TryTake(out object frame)
    {
        lock (_lock)
        {
            frame = _frames is { Count: > 0 } ? _frames.Dequeue() : this;
            return frame != this;
        }
    }
}
