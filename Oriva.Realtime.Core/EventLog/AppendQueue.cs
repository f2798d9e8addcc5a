namespace Oriva.Realtime.Core.EventLog;

/// <summary>What waits for the writer: one bounded queue an app, taken round-robin, so that a flood from one app costs another at most one turn.</summary>
/// <param name="mostGroups">Groups that may be under way at once.</param>
internal sealed class AppendQueue(EventLogOptions options, int mostGroups)
{
    /// <summary>Events that are worth a commit of their own beside one that is under way. Fewer are better off in the next: commits cost more than they wait.</summary>
    private const int WorthACommit = 100;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, AppQueue> _byApp = new(StringComparer.Ordinal);

    // Apps with waiting requests, in turn. An app is in it exactly when its queue is not empty.
    private readonly Queue<AppQueue> _turns = new();
    private TaskCompletionSource _arrival = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;
    private int _underWay;
    private bool _closed;

    /// <returns>False: the app's queue is full, or the node is stopping.</returns>
    public bool TryEnqueue(AppendRequest request)
    {
        lock (_lock)
        {
            if (_closed)
                return false;
            if (!_byApp.TryGetValue(request.App, out var queue))
                _byApp[request.App] = queue = new AppQueue();
            // A request larger than the bound still enters an empty queue.
            if (queue.Events > 0 && queue.Events + request.Events.Count > options.QueuedEventsPerApp)
                return false;
            queue.Requests.Enqueue(request);
            queue.Events += request.Events.Count;
            _waiting += request.Events.Count;
            if (queue.Requests.Count == 1)
                _turns.Enqueue(queue);
            _arrival.TrySetResult();
            return true;
        }
    }

    /// <summary>
    /// Waits for requests and takes as many as one commit should carry: one from each app in turn. They are under way until <see cref="Done"/> is called.
    /// </summary>
    /// <returns>Empty: closed, drained, and nothing is under way.</returns>
    public async ValueTask<List<AppendRequest>> TakeAsync()
    {
        while (true)
        {
            Task arrival;
            lock (_lock)
            {
                if (_underWay == 0 || (_underWay < mostGroups && _waiting >= WorthACommit))
                {
                    var taken = TakeWaiting();
                    if (taken.Count > 0)
                        _underWay++;
                    if (taken.Count > 0 || _closed)
                        return taken;
                }

                if (_arrival.Task.IsCompleted)
                    _arrival = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                arrival = _arrival.Task;
            }

            await arrival;
        }
    }

    /// <summary>A group that was taken has been answered.</summary>
    public void Done()
    {
        lock (_lock)
        {
            _underWay--;
            _arrival.TrySetResult();
        }
    }

    /// <summary>No more requests enter; what waits is still taken.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _arrival.TrySetResult();
        }
    }

    public int CountWaiting()
    {
        lock (_lock)
            return _waiting;
    }

    private List<AppendRequest> TakeWaiting()
    {
        var taken = new List<AppendRequest>();
        var (events, bytes) = (0, 0);
        while (_turns.TryPeek(out var queue))
        {
            var next = queue.Requests.Peek();
            if (taken.Count > 0 && (events + next.Events.Count > options.MaxGroupEvents || bytes + next.Bytes > options.MaxGroupBytes))
                break;
            _turns.Dequeue();
            queue.Requests.Dequeue();
            queue.Events -= next.Events.Count;
            _waiting -= next.Events.Count;
            if (queue.Requests.Count > 0)
                _turns.Enqueue(queue);
            taken.Add(next);
            events += next.Events.Count;
            bytes += next.Bytes;
        }

        return taken;
    }

    private sealed class AppQueue
    {
        public Queue<AppendRequest> Requests { get; } = new();

        public int Events { get; set; }
    }
}
