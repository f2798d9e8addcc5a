namespace Oriva.Realtime.Bench.Load;

/// <summary>Publishes in flight: a slot is taken until its publish has arrived at everyone.</summary>
internal sealed class Slots(int count, int receivers)
{
    private readonly Slot[] _slots = [.. Enumerable.Range(0, count).Select(_ => new Slot())];

    /// <summary>Before the publish is sent: it may arrive before its answer does.</summary>
    public Task Take(int slot)
    {
        var taken = _slots[slot];
        // Continues on the thread that read the last arrival: the next publish leaves at once.
        taken.Done = new TaskCompletionSource();
        Volatile.Write(ref taken.Missing, receivers);
        return taken.Done.Task;
    }

    /// <summary>Who has not got what was published last.</summary>
    public int MissingOf(int slot) => Volatile.Read(ref _slots[slot].Missing);

    public void Arrived(int slot)
    {
        var taken = _slots[slot];
        if (Interlocked.Decrement(ref taken.Missing) == 0)
            taken.Done.TrySetResult();
    }

    private sealed class Slot
    {
        public int Missing;
        public TaskCompletionSource Done = new();
    }
}
