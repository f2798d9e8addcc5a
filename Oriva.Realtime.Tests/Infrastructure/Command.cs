using System.Diagnostics;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A program that runs to its end, and what it printed.</summary>
internal sealed record Command(int ExitCode, string Output)
{
    /// <param name="within">Then it is killed, and the test fails.</param>
    public static async Task<Command> RunAsync(string folder, TimeSpan within, string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().Soon($"{program} ends", within);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new Command(process.ExitCode, await output + await errors);
    }
}
