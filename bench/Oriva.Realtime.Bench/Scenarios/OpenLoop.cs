using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>A fixed rate, whatever the server does. A publish that finds no free connection waits, and its wait counts.</summary>
internal sealed record OpenLoop(Audience Audience, int PerSecond, int Connections)
{
    public async Task<Measurement> RunAsync(Stage stage, TimeSpan duration, CancellationToken cancellationToken)
    {
        var target = stage.Target;
        var publishers = await Publisher.ConnectAsync(target, Audience, events: 1, Connections, Route.Post, Target.Message, cancellationToken);
        var latency = new Histogram();
        (target.Arrivals.Latency, target.Arrivals.Slots) = (latency, null);

        var (serverCpu, clientCpu) = (target.Nodes.CpuTime, Environment.CpuUsage.TotalTime);
        var start = Clock.Now;
        var sends = new Sends(publishers);
        await Pacer.RunAsync(PerSecond, duration, sends.Send, cancellationToken);
        await sends.CompleteAsync().WaitAsync(Stage.Patience, cancellationToken);
        await stage.VerifyAsync(Stage.Patience, cancellationToken);
        var elapsed = Clock.ToTimeSpan(Clock.Now - start);
        (serverCpu, clientCpu) = (target.Nodes.CpuTime - serverCpu, Environment.CpuUsage.TotalTime - clientCpu);
        foreach (var publisher in publishers)
            publisher.Dispose();
        return Measurement.OfLoad(latency.CountRecorded(), elapsed, latency, serverCpu, clientCpu);
    }

    /// <summary>Publishers that are free, or else publishes that wait for one.</summary>
    private sealed class Sends(IEnumerable<Publisher> publishers)
    {
        private readonly Lock _lock = new();
        private readonly Stack<Publisher> _free = new(publishers);
        private readonly Queue<long> _waiting = new();
        private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _outstanding = 1;

        /// <summary>Writes to a free connection before it returns.</summary>
        public void Send(long due)
        {
            Publisher? publisher;
            lock (_lock)
            {
                _outstanding++;
                if (!_free.TryPop(out publisher))
                {
                    _waiting.Enqueue(due);
                    return;
                }
            }

            _ = PublishAsync(publisher, due);
        }

        /// <summary>No more are sent; waits for the answers.</summary>
        public Task CompleteAsync()
        {
            Done();
            return _completed.Task;
        }

        private async Task PublishAsync(Publisher publisher, long due)
        {
            try
            {
                do
                {
                    await publisher.PublishAsync(due, Mark.NoSlot);
                    Done();
                }
                while (TryTakeNext(publisher, out due));
            }
            catch (Exception e)
            {
                _completed.TrySetException(e);
            }
        }

        private bool TryTakeNext(Publisher publisher, out long due)
        {
            lock (_lock)
            {
                if (_waiting.TryDequeue(out due))
                    return true;
                _free.Push(publisher);
                return false;
            }
        }

        private void Done()
        {
            lock (_lock)
            {
                if (--_outstanding > 0)
                    return;
            }

            _completed.TrySetResult();
        }
    }
}
