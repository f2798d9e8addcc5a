using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The bench's <c>verify</c>, run as a process against a hub of the tests.</summary>
internal sealed record VerifyRun(int ExitCode, string Output, JsonElement Report)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>How often connections subscribed again after the first time.</summary>
    public long Reconnects => Report.Items("connections").Sum(connection => connection.Number("subscribed") - 1);

    /// <summary>The figures that it printed, which judge nothing.</summary>
    public string Figures => string.Join(Environment.NewLine, Output.Split('\n').Where(line => line.Contains(" ms", StringComparison.Ordinal) || line.Contains("acknowledged after", StringComparison.Ordinal)));

    /// <summary>The names of the checks that failed.</summary>
    public IEnumerable<string> Broken => Report.Items("checks").Where(check => !check.Flag("holds")).Select(check => check.Text("name"));

    /// <summary>Few users and little load: the machine runs other tests as well.</summary>
    public static Task<VerifyRun> RunAsync(Uri hub, params string[] more) => RunAsync(hub, s_patience, (_, _) => { }, more);

    /// <param name="harm">What is done to the deployment from the beginning of the load on, which ends with it.</param>
    public static async Task<VerifyRun> RunBesideAsync(Uri hub, TimeSpan atMost, Func<Task> harm, params string[] more)
    {
        var loading = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        var verify = RunAsync(hub, atMost + s_patience, (process, line) =>
        {
            if (line.Contains("publishes a second", StringComparison.Ordinal))
                loading.TrySetResult(process);
        }, ["--seconds", atMost.TotalSeconds.ToString(CultureInfo.InvariantCulture), .. more]);
        if (await Task.WhenAny(loading.Task, verify) == loading.Task)
        {
            try
            {
                await harm();
            }
            finally
            {
                (await loading.Task).Send("TERM");
            }
        }

        return await verify;
    }

    private static async Task<VerifyRun> RunAsync(Uri hub, TimeSpan within, Action<Process, string> line, string[] more)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-verify-").FullName;
        try
        {
            var report = Path.Combine(folder, "verify.json");
            string[] arguments =
            [
                Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Bench.dll"), "verify", "--url", hub.ToString(), "--key", Tokens.Key, "--users", "4", "--report", report, .. more,
            ];
            var command = await Command.RunAsync(folder, within, line, "dotnet", arguments);
            return new VerifyRun(command.ExitCode, command.Output, File.Exists(report) ? JsonElement.Parse(await File.ReadAllTextAsync(report)) : default);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
