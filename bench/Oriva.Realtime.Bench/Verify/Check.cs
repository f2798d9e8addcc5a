namespace Oriva.Realtime.Bench.Verify;

/// <summary>One promise: how often it was checked, how often it was broken, and the first examples. Any thread may check.</summary>
internal sealed class Check(string name, string promise)
{
    private const int MostExamples = 5;

    private readonly Lock _lock = new();
    private readonly List<string> _examples = [];
    private long _checked;
    private long _wrong;

    /// <summary>Does not change between versions: scripts look for it.</summary>
    public string Name { get; } = name;

    public string Promise { get; } = promise;

    public long Checked => Interlocked.Read(ref _checked);

    public long Wrong => Interlocked.Read(ref _wrong);

    /// <summary>What was never checked has not been shown to hold.</summary>
    public bool Holds => Checked > 0 && Wrong == 0;

    public IReadOnlyList<string> Examples
    {
        get
        {
            lock (_lock)
                return [.. _examples];
        }
    }

    public bool Expect(bool holds, Func<string> otherwise)
    {
        Interlocked.Increment(ref _checked);
        if (holds)
            return true;
        Interlocked.Increment(ref _wrong);
        lock (_lock)
        {
            if (_examples.Count < MostExamples)
                _examples.Add(otherwise());
        }

        return false;
    }
}
