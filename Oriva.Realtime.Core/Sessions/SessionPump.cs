namespace Oriva.Realtime.Core.Sessions;

/// <summary>
/// Runs a session's steps: one at a time, on whatever thread wakes it, and again when it was woken meanwhile. A wake-up costs no thread, timer or queue
/// entry of its own, so that ten thousand idle sessions cost nothing and a busy stream's sessions are stepped in line by who woke them.
/// </summary>
/// <param name="step">One step; true: there is more to do at once.</param>
internal sealed class SessionPump(Func<CancellationToken, ValueTask<bool>> step)
{
    private const int Waiting = 0; // not running by itself; wake-ups are kept for WaitAsync
    private const int Idle = 1;
    private const int Stepping = 2;
    private const int SteppingAndWoken = 3;
    private const int Stopped = 4;

    /// <summary>A step that others wait behind goes on elsewhere, so that one session far behind does not hold up who woke it.</summary>
    private const int StepsInLine = 2;

    private readonly SemaphoreSlim _woken = new(0, 1);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationToken _stopping;
    private int _state = Waiting;

    public void Wake()
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            switch (state)
            {
                case Waiting:
                    ReleaseWaiter();
                    // It may have begun to run since: then it must not miss this.
                    if (Volatile.Read(ref _state) == Waiting)
                        return;
                    break;
                case Idle when Interlocked.CompareExchange(ref _state, Stepping, Idle) == Idle:
                    _ = StepAsync();
                    return;
                case Stepping when Interlocked.CompareExchange(ref _state, SteppingAndWoken, Stepping) == Stepping:
                case SteppingAndWoken:
                case Stopped:
                    return;
            }
        }
    }

    /// <summary>Steps whenever woken, until cancelled; ends only when no step is under way.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _stopping = cancellationToken;
        Volatile.Write(ref _state, Idle);
        Wake();
        await using var stopping = cancellationToken.Register(Wake);
        await _stopped.Task;
    }

    /// <summary>Waits for the next wake-up, for who steps by itself. Returns silently when cancelled.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) =>
        _woken.WaitAsync(cancellationToken).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private async Task StepAsync()
    {
        try
        {
            for (var steps = 1; !_stopping.IsCancellationRequested; steps++)
            {
                var more = await step(_stopping);
                if (!more && Interlocked.CompareExchange(ref _state, Idle, Stepping) == Stepping)
                {
                    // Cancelled just now: the wake-up of that may have come before the state was Idle.
                    if (_stopping.IsCancellationRequested)
                        Wake();
                    return;
                }

                Volatile.Write(ref _state, Stepping);
                if (steps % StepsInLine == 0)
                    await Task.Yield();
            }

            Stop(null);
        }
        catch (Exception e)
        {
            Stop(e is OperationCanceledException && _stopping.IsCancellationRequested ? null : e);
        }
    }

    private void Stop(Exception? failure)
    {
        Volatile.Write(ref _state, Stopped);
        if (failure is null)
            _stopped.TrySetResult();
        else
            _stopped.TrySetException(failure);
    }

    private void ReleaseWaiter()
    {
        if (_woken.CurrentCount > 0)
            return;
        try
        {
            _woken.Release();
        }
        catch (SemaphoreFullException)
        {
            // Woken by somebody else at the same moment, which is as good.
        }
    }
}
