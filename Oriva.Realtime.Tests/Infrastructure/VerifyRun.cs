using System.Text.Json;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The bench's <c>verify</c>, run as a process against a hub of the tests.</summary>
internal sealed record VerifyRun(int ExitCode, string Output, JsonElement Report)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    /// <summary>The names of the checks that failed.</summary>
    public IEnumerable<string> Broken => Report.Items("checks").Where(check => !check.Flag("holds")).Select(check => check.Text("name"));

    /// <summary>Few users and little load: the machine runs other tests as well.</summary>
    public static async Task<VerifyRun> RunAsync(Uri hub, params string[] more)
    {
        var folder = Directory.CreateTempSubdirectory("oriva-verify-").FullName;
        try
        {
            var report = Path.Combine(folder, "verify.json");
            string[] arguments =
            [
                Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Bench.dll"), "verify", "--url", hub.ToString(), "--key", Tokens.Key, "--users", "4", "--report", report, .. more,
            ];
            var command = await Command.RunAsync(folder, s_patience, "dotnet", arguments);
            return new VerifyRun(command.ExitCode, command.Output, File.Exists(report) ? JsonElement.Parse(await File.ReadAllTextAsync(report)) : default);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
