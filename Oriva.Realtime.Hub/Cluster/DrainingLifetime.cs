using System.Runtime.InteropServices;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>
/// When the process ends. SIGTERM, by which orchestrators stop it, drains the node first; a second one stops it at once, and so does Ctrl-C, because whoever
/// sits before it wants it gone. In place of the host's own lifetime, under which every connection is closed within milliseconds of SIGTERM.
/// </summary>
internal sealed class DrainingLifetime(Drain drain, IHostApplicationLifetime host) : IHostLifetime, IDisposable
{
    private static readonly PosixSignal[] s_signals = [PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT];

    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _terminations;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        foreach (var signal in s_signals)
            _registrations.Add(PosixSignalRegistration.Create(signal, Handle));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _registrations.ForEach(registration => registration.Dispose());

    internal void Handle(PosixSignalContext signal)
    {
        signal.Cancel = true; // or the runtime ends the process now
        if (signal.Signal == PosixSignal.SIGTERM && Interlocked.Increment(ref _terminations) == 1)
            _ = DrainAndStopAsync();
        else
            host.StopApplication();
    }

    private async Task DrainAndStopAsync()
    {
        await drain.FinishAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        host.StopApplication();
    }
}
