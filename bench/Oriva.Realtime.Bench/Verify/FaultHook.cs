using System.Diagnostics;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>A command that was run.</summary>
internal sealed record FaultRun(TimeSpan At, string Kind, int ExitCode);

/// <summary>Harms the deployment every so often by a shell command, and heals it by another.</summary>
internal sealed class FaultHook(VerifyOptions options, Verdict verdict)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly List<FaultRun> _runs = [];
    private readonly long _started = Clock.Now;

    public IReadOnlyList<FaultRun> Runs => _runs;

    /// <summary>Runs until cancelled. However it ends, nothing stays harmed that can be healed.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (options.Fault is null)
            return;
        var half = options.FaultInterval / 2;
        await PauseAsync(half, cancellationToken);
        while (!cancellationToken.IsCancellationRequested)
        {
            await ExecuteAsync("fault", options.Fault);
            await PauseAsync(half, cancellationToken);
            if (options.Recover is not null)
                await ExecuteAsync("recover", options.Recover);
            await PauseAsync(half, cancellationToken);
        }
    }

    private static async Task PauseAsync(TimeSpan time, CancellationToken cancellationToken) =>
        await Clock.DelayAsync(time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task ExecuteAsync(string kind, string command)
    {
        var at = Clock.ToTimeSpan(Clock.Now - _started);
        // Its output is not redirected: a server that it starts may outlive it, and would hold the pipe open.
        var start = OperatingSystem.IsWindows() ? new ProcessStartInfo("cmd", ["/c", command]) : new ProcessStartInfo("/bin/sh", ["-c", command]);
        using var process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(s_patience);
        await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited)
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }

        _runs.Add(new FaultRun(at, kind, process.ExitCode));
        verdict.Faults.Expect(process.ExitCode == 0, () => $"the {kind} command ended with {process.ExitCode} at {at.TotalSeconds:F1} s");
    }
}
