using System.Diagnostics;

namespace Oriva.Realtime.Tests.Infrastructure;

internal static class Signals
{
    /// <param name="signal">Without SIG.</param>
    public static void Send(this Process process, string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, process.Id.ToString()]);
        kill.WaitForExit();
    }
}
