using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>Installs the npm clients once, in a folder that is gone afterwards. Node and npm must be there.</summary>
public sealed class NpmClients : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-npm-").FullName;

    public async ValueTask InitializeAsync()
    {
        var source = Path.Combine(Repository.Folder, "Oriva.Realtime.Tests", "Transports", "npm");
        foreach (var name in new[] { "package.json", "package-lock.json", "client.mjs" })
            File.Copy(Path.Combine(source, name), Path.Combine(_folder, name));
        using var npm = Start("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts");
        var output = npm.StandardOutput.ReadToEndAsync();
        var errors = npm.StandardError.ReadToEndAsync();
        try
        {
            await npm.WaitForExitAsync().Soon("npm ci ends", TimeSpan.FromMinutes(3));
        }
        catch
        {
            npm.Kill(entireProcessTree: true);
            throw;
        }

        npm.ExitCode.ShouldBe(0, $"npm ci: {await output}{await errors}");
    }

    internal NpmClient Run(object settings) => new(Start("node", "client.mjs", JsonSerializer.Serialize(settings, JsonSerializerOptions.Web)));

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    private Process Start(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments)
            {
                WorkingDirectory = _folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            })!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new ShouldAssertException($"{program} cannot be started: these tests need Node and npm.", e);
        }
    }
}

/// <summary>A running <c>client.mjs</c> and the lines that it has printed.</summary>
internal sealed class NpmClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly List<JsonElement> _lines = [];
    private readonly StringBuilder _errors = new();

    public NpmClient(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                return;
            lock (_lock)
                _lines.Add(JsonElement.Parse(line.Data));
        };
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_lock)
                _errors.AppendLine(line.Data);
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>How many events it says to have.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
                return (int)_lines.Where(line => line.Text("step") == "progress").Select(line => line.Number("count")).LastOrDefault();
        }
    }

    public async Task<JsonElement> StepAsync(string step, TimeSpan? within = null)
    {
        await Waiting.Eventually($"{step}: {this}", () => Find(step) is not null || _process.HasExited, within);
        if (Find(step) is null)
            await _process.WaitForExitAsync(); // and with it for its last lines
        return Find(step) ?? throw new ShouldAssertException($"The client ended without '{step}': {this}");
    }

    /// <summary>It must have ended by itself, and well.</summary>
    public async Task EndAsync()
    {
        await _process.WaitForExitAsync().Soon("the client ends");
        _process.ExitCode.ShouldBe(0, ToString());
    }

    public override string ToString()
    {
        lock (_lock)
            return string.Join(Environment.NewLine, _lines.TakeLast(3).Select(line => line.GetRawText()).Append(_errors.ToString()));
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private JsonElement? Find(string step)
    {
        lock (_lock)
            return _lines.Where(line => line.Text("step") == step).Select(line => (JsonElement?)line).FirstOrDefault();
    }
}
