using Spectre.Console;

namespace Oriva.Realtime.Bench.Verify;

/// <summary><c>verify</c>: is what the service promises true of a deployment?</summary>
internal static class VerifyCommand
{
    public const string Name = "verify";

    private const int Broken = 1;
    private const int NotUnderstood = 2;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    /// <param name="stop">Ends the load early; what was published until then is judged.</param>
    public static async Task<int> RunAsync(string[] args, CancellationToken stop)
    {
        VerifyOptions options;
        try
        {
            options = VerifyOptions.Parse(args);
        }
        catch (BenchException e)
        {
            await Console.Error.WriteLineAsync(e.Message + Environment.NewLine + VerifyOptions.Usage);
            return NotUnderstood;
        }

        using var http = new HttpClient { Timeout = s_patience };
        VerifyReport report;
        try
        {
            report = await new Verification(options, AnsiConsole.Console, http).RunAsync(stop);
        }
        catch (HttpRequestException e)
        {
            throw new BenchException("The deployment cannot be reached: " + e.Message, e);
        }

        VerdictTable.Show(AnsiConsole.Console, report);
        if (options.Report is not null)
            await report.WriteAsync(options.Report);
        return report.Holds ? 0 : Broken;
    }
}
