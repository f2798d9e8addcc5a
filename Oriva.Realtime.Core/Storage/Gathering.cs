namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// Many ask for one thing each, and one read at a time answers all who have come since the one before began: ten thousand who connect at once cost a few
/// reads. An answer is never older than its question. (The batching of Facebook's DataLoader, without its cache.)
/// </summary>
/// <param name="read">Answers for all keys that have one.</param>
internal sealed class Gathering<TKey, TValue>(Func<IReadOnlyCollection<TKey>, Task<IReadOnlyDictionary<TKey, TValue>>> read)
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private Round? _next;
    private bool _reading;

    /// <returns>The answers to these keys, among others.</returns>
    public Task<IReadOnlyDictionary<TKey, TValue>> AskAsync(IEnumerable<TKey> keys, CancellationToken cancellationToken)
    {
        Round round;
        lock (_lock)
        {
            round = _next ??= new Round();
            round.Keys.UnionWith(keys);
            if (_reading)
                return round.Answer.Task.WaitAsync(cancellationToken);
            _reading = true;
        }

        _ = ReadAsync();
        return round.Answer.Task.WaitAsync(cancellationToken);
    }

    private async Task ReadAsync()
    {
        while (true)
        {
            Round round;
            lock (_lock)
            {
                if (_next is null)
                {
                    _reading = false;
                    return;
                }

                (round, _next) = (_next, null);
            }

            try
            {
                round.Answer.SetResult(await read(round.Keys));
            }
            catch (Exception e)
            {
                round.Answer.SetException(e);
            }
        }
    }

    private sealed class Round
    {
        public HashSet<TKey> Keys { get; } = [];

        public TaskCompletionSource<IReadOnlyDictionary<TKey, TValue>> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
