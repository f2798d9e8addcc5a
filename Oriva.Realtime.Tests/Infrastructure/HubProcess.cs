using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The hub as a process of its own, which a test may kill.</summary>
internal sealed partial class HubProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly string _folder;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HttpClient? _http;
    private bool _disposed;

    private HubProcess(Process process, string folder)
    {
        _process = process;
        _folder = folder;
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address => _listens.Task.IsCompletedSuccessfully ? _listens.Task.Result : throw new InvalidOperationException("The hub does not listen (yet).");

    /// <summary>Standard output and error so far.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public ApiCaller As(string? token) => new(_http ??= new HttpClient { BaseAddress = Address }, token);

    /// <summary>Starts it with these settings; it may stop again by itself.</summary>
    public static HubProcess Launch(IReadOnlyDictionary<string, string?> settings, string environment = "Development", params string[] arguments) =>
        Launch(Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Hub.dll"), settings, environment, arguments);

    private static HubProcess Launch(string program, IReadOnlyDictionary<string, string?> settings, string environment, params string[] arguments)
    {
        // In a folder of its own, so that nothing it finds or leaves there is another's.
        var folder = Directory.CreateTempSubdirectory("oriva-hub-").FullName;
        var start = new ProcessStartInfo("dotnet", [program, .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = environment;
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["DOTNET_gcServer"] = "0"; // many of them on a small machine
        start.Environment["Apps__ManifestFolder"] = Path.Combine(Repository.Folder, "Oriva.Realtime.Hub", "manifests");
        foreach (var (key, value) in settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        return new HubProcess(new Process { StartInfo = start }, folder);
    }

    /// <summary>Starts it on a store and waits until it listens.</summary>
    public static async Task<HubProcess> StartAsync(TestStore store, params (string Key, string Value)[] settings)
    {
        var all = SettingsFor(store);
        foreach (var (key, value) in settings)
            all[key] = value;
        var hub = Launch(all);
        await hub.ListensAsync();
        return hub;
    }

    /// <summary>Starts another build of it on a store and waits until it listens.</summary>
    public static async Task<HubProcess> StartAsync(TestStore store, PatchedHub build)
    {
        var hub = Launch(build.Program, SettingsFor(store), "Development");
        await hub.ListensAsync();
        return hub;
    }

    public async Task ListensAsync()
    {
        var exit = _process.WaitForExitAsync();
        await Task.WhenAny(_listens.Task, exit).Soon("the hub listens: " + Output, s_patience);
        if (!_listens.Task.IsCompleted)
            throw new ShouldAssertException($"The hub exited with {_process.ExitCode} instead of listening:{Environment.NewLine}{Output}");
    }

    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().Soon("the hub exits: " + Output, s_patience);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL: it gets no chance to finish anything.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await ExitAsync();
    }

    /// <summary>SIGTERM, as an orchestrator stops it.</summary>
    public void Terminate() => _process.Send("TERM");

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (!_process.HasExited)
            await KillAsync();
        _process.Dispose();
        _http?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static Dictionary<string, string?> SettingsFor(TestStore store) => new(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key };

    private void Add(string? line)
    {
        if (line is null)
            return;
        lock (_output)
            _output.AppendLine(line);
        if (ListensOn().Match(line) is { Success: true } match)
            _listens.TrySetResult(new Uri(match.Value));
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+", RegexOptions.NonBacktracking)]
    private static partial Regex ListensOn();
}

/// <summary>The working copy that the tests were built in.</summary>
internal static class Repository
{
    public static string Folder { get; } = Find();

    public static string ReadText(string path) => File.ReadAllText(Path.Combine(Folder, path));

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Oriva.Realtime.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests are not run from within a working copy.");
        return folder;
    }
}
