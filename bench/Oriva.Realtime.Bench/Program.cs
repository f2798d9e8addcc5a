using System.Runtime.InteropServices;
using Oriva.Realtime.Bench.Bare;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Scenarios;
using Oriva.Realtime.Bench.Verify;
using Spectre.Console;

namespace Oriva.Realtime.Bench;

internal static class Program
{
    /// <summary>Lets sockets continue on the thread that polls them. Read once, by the first socket of the process.</summary>
    public const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>A file has no width of its own.</summary>
    private const int LogWidth = 320;

    public static async Task<int> Main(string[] args)
    {
        if (args is [] or ["help" or "--help" or "-h"])
        {
            await Console.Out.WriteLineAsync(BenchOptions.Usage);
            return args.Length == 0 ? 2 : 0;
        }

        if (args is ["bare", "--urls", var urls, .. var bareOptions])
        {
            await BareServer.RunAsync(urls, bareOptions);
            return 0;
        }

        // The load client must leave the cores to the servers: nothing of it waits, so nothing of it needs another thread. (The official client of verify does wait.)
        if (args[0] != VerifyCommand.Name)
            Environment.SetEnvironmentVariable(InlineCompletions, "1");
        using var stop = new CancellationTokenSource();
        using var interrupt = StopOn(PosixSignal.SIGINT, stop);
        using var terminate = StopOn(PosixSignal.SIGTERM, stop);
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = LogWidth;
        try
        {
            if (args[0] == VerifyCommand.Name)
                return await VerifyCommand.RunAsync(args[1..], stop.Token);
            await RunAsync(args, stop.Token);
            return 0;
        }
        catch (BenchException e)
        {
            AnsiConsole.MarkupLineInterpolated($"[red]{e.Message}[/]");
            return 1;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 130;
        }
    }

    private static async Task RunAsync(string[] args, CancellationToken cancellationToken)
    {
        var options = BenchOptions.Parse(args);
        var load = Machine.Load();
        AnsiConsole.MarkupLineInterpolated($"{Machine.Describe()}; load before the run {load}");
        var run = new Run(options, AnsiConsole.Console);
        await run.GoAsync(cancellationToken);
        FiguresTable.Show(AnsiConsole.Console, run.Results);
        if (!options.Write)
            return;
        var command = "dotnet run -c Release --project bench/Oriva.Realtime.Bench -- " + string.Join(' ', args.Select(arg => arg.Contains(' ', StringComparison.Ordinal) ? "\"…\"" : arg));
        var path = await ResultsFile.WriteAsync(run.Results, command, run.Stores, load, cancellationToken);
        AnsiConsole.MarkupLineInterpolated($"Wrote {path}");
    }

    private static PosixSignalRegistration StopOn(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        // The second time it ends at once.
        context.Cancel = !stop.IsCancellationRequested;
        stop.Cancel();
    });
}
