namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Waiting for conditions, in real time whatever clock the node has.</summary>
internal static class Waiting
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits until the condition holds, and fails with <paramref name="what"/> when it does not in time.</summary>
    public static Task Eventually(string what, Func<bool> condition, TimeSpan? within = null) => Eventually(what, () => Task.FromResult(condition()), within);

    public static async Task Eventually(string what, Func<Task<bool>> condition, TimeSpan? within = null)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > (within ?? s_deadline))
                throw new ShouldAssertException($"Not within {(within ?? s_deadline).TotalSeconds} s: {what}");
            await Task.Delay(s_interval, TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The task's result, or a failure with <paramref name="what"/>: for what must not hang.</summary>
    public static async Task<T> Soon<T>(this Task<T> task, string what, TimeSpan? within = null)
    {
        await ((Task)task).Soon(what, within);
        return await task;
    }

    public static async Task Soon(this Task task, string what, TimeSpan? within = null)
    {
        try
        {
            await task.WaitAsync(within ?? s_deadline, TimeProvider.System, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException e) when (!task.IsCompleted)
        {
            throw new ShouldAssertException($"Not within {(within ?? s_deadline).TotalSeconds} s: {what}", e);
        }
    }
}
