using System.Diagnostics;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A Redis of the test's own, which it may kill, halt and start again.</summary>
internal sealed class RedisInstance : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-redis-").FullName;
    private readonly int _port = Ports.FindFree();
    private Process? _process;

    public string ConnectionString => $"127.0.0.1:{_port},abortConnect=false";

    public static async Task<RedisInstance> StartNewAsync()
    {
        var instance = new RedisInstance();
        await instance.StartAsync();
        return instance;
    }

    public async Task StartAsync()
    {
        _process = Process.Start("redis-server",
            ["--port", _port.ToString(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder, "--logfile", Path.Combine(_folder, "log")]);
        await Waiting.Eventually("Redis answers", async () => !_process.HasExited && (await RunAsync("PING")).Output.Trim() == "PONG");
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync().Soon("Redis ends");
        _process.Dispose();
        _process = null;
    }

    /// <summary>It answers nothing from now on, and its connections stay: as a machine that hangs.</summary>
    public void Halt() => _process!.Send("STOP");

    public void Continue() => _process!.Send("CONT");

    public async Task ExecuteAsync(params string[] command)
    {
        var done = await RunAsync(command);
        done.ExitCode.ShouldBe(0, done.Output);
        done.Output.ShouldNotStartWith("ERR");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private Task<Command> RunAsync(params string[] command) => Command.RunAsync(_folder, s_patience, "redis-cli", ["-p", _port.ToString(), .. command]);
}
