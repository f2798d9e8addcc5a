using System.Diagnostics;
using System.Text;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A program that runs to its end, and what it printed.</summary>
internal sealed record Command(int ExitCode, string Output)
{
    /// <param name="within">Then it is killed, and the test fails.</param>
    public static Task<Command> RunAsync(string folder, TimeSpan within, string program, params IEnumerable<string> arguments) =>
        RunAsync(folder, within, (_, _) => { }, program, arguments);

    /// <inheritdoc cref="RunAsync(string, TimeSpan, string, IEnumerable{string})"/>
    /// <param name="line">Gets each line of its output when it comes.</param>
    public static async Task<Command> RunAsync(string folder, TimeSpan within, Action<Process, string> line, string program, params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        var output = ReadAsync(process.StandardOutput, text => line(process, text));
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

    private static async Task<string> ReadAsync(StreamReader reader, Action<string> each)
    {
        var all = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            each(line);
            all.AppendLine(line);
        }

        return all.ToString();
    }
}
