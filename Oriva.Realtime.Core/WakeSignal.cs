namespace Oriva.Realtime.Core;

/// <summary>Tells one waiting worker that there may be something to do. It carries no truth: the worker looks, and also looks now and then by itself.</summary>
internal sealed class WakeSignal
{
    private readonly SemaphoreSlim _set = new(0, 1);

    public void Set()
    {
        if (_set.CurrentCount > 0)
            return;
        try
        {
            _set.Release();
        }
        catch (SemaphoreFullException)
        {
            // Set by somebody else meanwhile, which is as good.
        }
    }

    /// <summary>Until it is set, or so much time has passed, or it is cancelled; never throws.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await _set.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
