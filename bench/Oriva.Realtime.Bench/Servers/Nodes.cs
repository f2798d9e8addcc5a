using System.Net;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>The processes of one server: one, or in a cluster several, over which users and publishers are spread evenly.</summary>
internal sealed class Nodes : IAsyncDisposable
{
    private readonly List<ServerProcess> _processes = [];
    private int _publishers = -1;

    public int Count => _processes.Count;

    public IEnumerable<IPEndPoint> Addresses => _processes.Select(process => process.Address);

    public IPEndPoint First => _processes[0].Address;

    /// <summary>Of all of them.</summary>
    public TimeSpan CpuTime => _processes.Aggregate(TimeSpan.Zero, (sum, process) => sum + process.CpuTime);

    /// <summary>One after the other, so that the first can prepare what all share.</summary>
    public static async Task<Nodes> StartAsync(int count, Func<string, Task<ServerProcess>> startAsync, string name)
    {
        var nodes = new Nodes();
        try
        {
            for (var node = 1; node <= count; node++)
                nodes._processes.Add(await startAsync(count == 1 ? name : $"{name}-{node}-of-{count}"));
            return nodes;
        }
        catch
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where a user connects, always to the same node.</summary>
    public IPEndPoint Of(int user) => _processes[user % Count].Address;

    /// <summary>Where the next publisher connects.</summary>
    public IPEndPoint Next() => _processes[(int)((uint)Interlocked.Increment(ref _publishers) % Count)].Address;

    /// <inheritdoc cref="ServerProcess.SettleMemoryAsync"/>
    public async Task<long> SettleMemoryAsync(CancellationToken cancellationToken)
    {
        var sum = 0L;
        foreach (var process in _processes)
            sum += await process.SettleMemoryAsync(cancellationToken);
        return sum;
    }

    /// <summary>The end of what each has printed.</summary>
    public string ReadLog() => string.Join(Environment.NewLine, _processes.Select(process => process.ReadLog()));

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
            await process.DisposeAsync();
    }
}
