using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

/// <summary>The first minute: what the README and the banner tell a newcomer to paste works.</summary>
public sealed partial class ReadmeTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    private const string Address = "http://localhost:5080";

    [Fact]
    public async Task TheReadmesThreeCommands_ShowAnEventArrive()
    {
        var commands = ShellBlocks().Matches(Repository.ReadText("README.md")).Select(match => match.Groups["command"].Value)
            .Where(command => command.Contains(Address, StringComparison.Ordinal))
            .Select(command => command.Replace(Address, Hub.Address.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal)).ToList();
        commands.Count.ShouldBe(3);
        await TryAsync(commands[0], commands[1], commands[2]);
    }

    [Fact]
    public async Task TheBannersThreeCommands_ShowAnEventArrive()
    {
        await using var store = SqliteStore.CreateEmpty();
        var hub = Keep(await HubProcess.StartAsync(store));
        await Waiting.Eventually("the banner is printed", () => hub.Output.Contains("3. Publish", StringComparison.Ordinal));
        var lines = hub.Output.Split('\n').Select(line => line.Trim()).ToList();
        await TryAsync(
            lines.Single(line => line.StartsWith("TOKEN=", StringComparison.Ordinal)),
            lines.Single(line => line.StartsWith("curl -N", StringComparison.Ordinal)),
            lines.Single(line => line.StartsWith("curl http", StringComparison.Ordinal)));
        hub.Output.ShouldContain($"{hub.Address.GetLeftPart(UriPartial.Authority)}/scalar");
        await hub.KillAsync();
    }

    private static async Task TryAsync(string token, string follow, string publish)
    {
        await using var follower = new Shell($"{token}\n{follow}");
        await Waiting.Eventually("the stream has begun", () => follower.Output.Contains("retry:", StringComparison.Ordinal));

        (await Shell.RunAsync($"{token}\n{publish}")).ShouldContain("\"seq\":1");
        await Waiting.Eventually("the event has arrived", () => follower.Output.Contains("Ship it", StringComparison.Ordinal));
        var lastEventId = follower.Output.Split('\n').Last(line => line.StartsWith("id: ", StringComparison.Ordinal))[4..].Trim();
        await follower.DisposeAsync();

        // "Stop following, publish more, and follow again with Last-Event-ID: what you missed comes first."
        (await Shell.RunAsync($"{token}\n{publish.Replace("Ship it", "Missed it", StringComparison.Ordinal)}")).ShouldContain("\"seq\":2");
        await using var again = new Shell($"{token}\n{follow.Trim()} -H \"Last-Event-ID: {lastEventId}\"");
        await Waiting.Eventually("what was missed has arrived", () => again.Output.Contains("Missed it", StringComparison.Ordinal));
        again.Output.ShouldNotContain("Ship it");
    }

    [GeneratedRegex(@"```sh\n(?<command>[^`]*)```", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex ShellBlocks();

    /// <summary>Bash, which runs a script as if it were pasted.</summary>
    private sealed class Shell : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly StringBuilder _output = new();
        private bool _disposed;

        public Shell(string script)
        {
            _process = new Process { StartInfo = new ProcessStartInfo("bash", ["-c", script]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true } };
            _process.OutputDataReceived += (_, line) => Add(line.Data);
            _process.ErrorDataReceived += (_, line) => Add(line.Data);
            _process.Start();
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
        }

        public string Output
        {
            get
            {
                lock (_output)
                    return _output.ToString();
            }
        }

        public static async Task<string> RunAsync(string script)
        {
            await using var shell = new Shell(script);
            await shell._process.WaitForExitAsync().Soon("the command ends");
            shell._process.ExitCode.ShouldBe(0, shell.Output);
            return shell.Output;
        }

        public async ValueTask DisposeAsync()
        {
            if (_disposed)
                return;
            _disposed = true;
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        private void Add(string? line)
        {
            lock (_output)
                _output.Append(line).Append('\n');
        }
    }
}
