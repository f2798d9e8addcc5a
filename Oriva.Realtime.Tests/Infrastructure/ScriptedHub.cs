namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The hub as shell commands start, kill and restart it, on one port and one store.</summary>
internal sealed class ScriptedHub : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-scripted-").FullName;

    private ScriptedHub()
    {
    }

    public Uri Address { get; } = new($"http://127.0.0.1:{Ports.FindFree()}");

    /// <summary>SIGKILL, and a new process on the same store.</summary>
    public string KillAndRestart => $"kill -9 $(cat '{PidFile}') && sh '{StartScript}'";

    public string Output => File.ReadAllText(Path.Combine(_folder, "log"));

    private string StartScript => Path.Combine(_folder, "start.sh");

    private string PidFile => Path.Combine(_folder, "pid");

    public static async Task<ScriptedHub> StartAsync(TestStore store)
    {
        var hub = new ScriptedHub();
        var settings = new Dictionary<string, string?>(store.Configuration)
        {
            ["Auth:SymmetricKey"] = Tokens.Key,
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["ASPNETCORE_URLS"] = hub.Address.ToString(),
            ["DOTNET_gcServer"] = "0",
        };
        await File.WriteAllLinesAsync(hub.StartScript,
        [
            $"cd '{hub._folder}'",
            .. settings.Select(setting => $"export {setting.Key.Replace(":", "__", StringComparison.Ordinal)}='{setting.Value}'"),
            $"nohup dotnet '{Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Hub.dll")}' >>log 2>&1 </dev/null &",
            "echo $! >pid",
        ]);
        (await Command.RunAsync(hub._folder, s_patience, "sh", hub.StartScript)).ExitCode.ShouldBe(0);
        using var http = new HttpClient();
        await Waiting.Eventually("the hub is ready", () => IsReadyAsync(http, hub.Address), s_patience);
        return hub;
    }

    public async ValueTask DisposeAsync()
    {
        // Not waited for: it is nobody's child here, and might stay a zombie.
        await Command.RunAsync(_folder, s_patience, "sh", "-c", "kill -9 $(cat pid)");
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<bool> IsReadyAsync(HttpClient http, Uri address)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(address, "health/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
