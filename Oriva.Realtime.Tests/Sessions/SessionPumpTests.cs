using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Tests.Sessions;

public sealed class SessionPumpTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task RunningPump_StepsAtOnce_AndWheneverWoken()
    {
        var steps = 0;
        var pump = new SessionPump(_ =>
        {
            steps++;
            return ValueTask.FromResult(false);
        });
        using var stop = new CancellationTokenSource();

        var running = pump.RunAsync(stop.Token);
        steps.ShouldBe(1);
        pump.Wake();
        pump.Wake();
        steps.ShouldBe(3);

        await stop.CancelAsync();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task StepThatSaysThereIsMore_IsFollowedByAnother()
    {
        var steps = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var pump = new SessionPump(_ =>
        {
            if (++steps == 10)
                done.SetResult();
            return ValueTask.FromResult(steps < 10);
        });
        using var stop = new CancellationTokenSource();

        var running = pump.RunAsync(stop.Token);
        await done.Task.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);

        steps.ShouldBe(10);
    }

    [Fact]
    public async Task WakeUpsDuringAStep_AreOneMoreStep()
    {
        var (steps, under) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var pump = new SessionPump(async _ =>
        {
            if (++steps == 1)
                await under.Task;
            else
                second.TrySetResult();
            return false;
        });
        using var stop = new CancellationTokenSource();
        var running = pump.RunAsync(stop.Token);

        for (var i = 0; i < 5; i++)
            pump.Wake();
        steps.ShouldBe(1);
        under.SetResult();

        await second.Task.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        steps.ShouldBe(2);
    }

    [Fact]
    public async Task StepFarBehind_DoesNotHoldUpWhoWokeIt()
    {
        const int TooMany = 10_000_000;
        var (steps, cameBack) = (0, false);
        var pump = new SessionPump(_ => ValueTask.FromResult(Interlocked.Increment(ref steps) < TooMany && !Volatile.Read(ref cameBack)));
        using var stop = new CancellationTokenSource();

        var running = pump.RunAsync(stop.Token);
        Volatile.Write(ref cameBack, true);
        await stop.CancelAsync();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);

        Volatile.Read(ref steps).ShouldBeLessThan(TooMany, "the caller came back only when all was done");
    }

    [Fact]
    public async Task CancelledPump_EndsOnlyWhenNoStepIsUnderWay()
    {
        var under = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var pump = new SessionPump(async _ =>
        {
            await under.Task;
            return false;
        });
        using var stop = new CancellationTokenSource();
        var running = pump.RunAsync(stop.Token);

        await stop.CancelAsync();
        running.IsCompleted.ShouldBeFalse();

        under.SetResult();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task PumpThatIsCancelledBeforeItRuns_TakesNoStep()
    {
        var steps = 0;
        var pump = new SessionPump(_ => ValueTask.FromResult(++steps < 0));

        await pump.RunAsync(new CancellationToken(canceled: true)).WaitAsync(s_patience, TestContext.Current.CancellationToken);
        pump.Wake();

        steps.ShouldBe(0);
    }

    [Fact]
    public async Task StepThatIsCancelled_EndsThePumpInSilence()
    {
        var pump = new SessionPump(async cancellationToken =>
        {
            var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = cancellationToken.Register(() => cancelled.SetCanceled(cancellationToken));
            await cancelled.Task;
            return false;
        });
        using var stop = new CancellationTokenSource();
        var running = pump.RunAsync(stop.Token);

        await stop.CancelAsync();

        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task StepThatThrows_EndsThePumpWithItsException(bool later)
    {
        var steps = 0;
        var pump = new SessionPump(async _ =>
        {
            steps++;
            if (later)
                await Task.Yield();
            throw new InvalidOperationException("The output is broken.");
        });

        var failure = await Should.ThrowAsync<InvalidOperationException>(() => pump.RunAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience));
        pump.Wake();

        failure.Message.ShouldBe("The output is broken.");
        steps.ShouldBe(1);
    }

    [Fact]
    public async Task CancellationThatIsNotThePumps_IsAFailure()
    {
        var pump = new SessionPump(_ => throw new OperationCanceledException("Somebody else's."));

        await Should.ThrowAsync<OperationCanceledException>(() => pump.RunAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience));
    }

    [Fact]
    public async Task PumpThatDoesNotRun_KeepsOneWakeUpForWhoWaits()
    {
        var pump = new SessionPump(_ => throw new InvalidOperationException("Nobody runs it."));
        pump.Wake();
        pump.Wake();

        await pump.WaitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience, TestContext.Current.CancellationToken);
        var waiting = pump.WaitAsync(TestContext.Current.CancellationToken);
        waiting.IsCompleted.ShouldBeFalse();

        pump.Wake();
        await waiting.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task WaitThatIsCancelled_EndsInSilence()
    {
        var pump = new SessionPump(_ => ValueTask.FromResult(false));
        using var stop = new CancellationTokenSource();
        var waiting = pump.WaitAsync(stop.Token);

        await stop.CancelAsync();

        await waiting.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task ManyWhoWakeAtOnce_LoseNoWakeUp_AndStepsNeverOverlap()
    {
        // As a session does: what there is to do is seen by the step, and the wake-up carries nothing.
        const int Wakers = 4, Each = 20_000;
        var (wanted, done, under, overlaps) = (0, 0, 0, 0);
        var allDone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var pump = new SessionPump(async _ =>
        {
            if (Interlocked.Increment(ref under) > 1)
                Interlocked.Increment(ref overlaps);
            var seen = Volatile.Read(ref wanted);
            if (seen % 7 == 0)
                await Task.Yield();
            Volatile.Write(ref done, seen);
            Interlocked.Decrement(ref under);
            if (seen == Wakers * Each)
                allDone.TrySetResult();
            return false;
        });
        using var stop = new CancellationTokenSource();
        var running = pump.RunAsync(stop.Token);

        await Task.WhenAll(Enumerable.Range(0, Wakers).Select(_ => Task.Run(
            () =>
            {
                for (var i = 0; i < Each; i++)
                {
                    Interlocked.Increment(ref wanted);
                    pump.Wake();
                }
            },
            TestContext.Current.CancellationToken)));

        await allDone.Task.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        await stop.CancelAsync();
        await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
        (Volatile.Read(ref done), overlaps).ShouldBe((Wakers * Each, 0));
    }

    [Fact]
    public async Task PumpsThatAreStoppedWhileWoken_AllEnd()
    {
        for (var i = 0; i < 2_000; i++)
        {
            var pump = new SessionPump(_ => ValueTask.FromResult(false));
            using var stop = new CancellationTokenSource();
            var running = pump.RunAsync(stop.Token);
            var waking = Task.Run(
                () =>
                {
                    for (var j = 0; j < 20; j++)
                        pump.Wake();
                },
                TestContext.Current.CancellationToken);

            await stop.CancelAsync();

            await running.WaitAsync(s_patience, TestContext.Current.CancellationToken);
            await waking;
        }
    }
}
