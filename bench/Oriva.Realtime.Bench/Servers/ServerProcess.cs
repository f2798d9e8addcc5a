using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>A server as a process of its own, on a free port of 127.0.0.1, with its output in a log. Ended by its id, at the latest when the bench exits.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan s_settleInterval = TimeSpan.FromMilliseconds(500);

    private readonly Process _process;
    private readonly string _log;
    private readonly EventHandler _onExit;

    private ServerProcess(Process process, IPEndPoint address, string log)
    {
        (_process, Address, _log) = (process, address, log);
        _onExit = (_, _) => Kill();
        AppDomain.CurrentDomain.ProcessExit += _onExit;
    }

    public IPEndPoint Address { get; }

    /// <summary>User and system, of all threads.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Waits until its resident memory no longer moves by a percent within half a second.</summary>
    /// <returns>Bytes.</returns>
    public async Task<long> SettleMemoryAsync(CancellationToken cancellationToken)
    {
        var deadline = Clock.Now + Clock.ToTicks(s_patience);
        var (before, memory) = (0L, ReadMemory());
        while (Math.Abs(memory - before) > memory / 100 && Clock.Now < deadline)
        {
            await Clock.DelayAsync(s_settleInterval, cancellationToken);
            (before, memory) = (memory, ReadMemory());
        }

        return memory;
    }

    /// <param name="arguments">Of <paramref name="program"/>; <c>{urls}</c> and <c>{port}</c> are replaced.</param>
    /// <param name="isReady">Null: it is when its <c>/health/ready</c> says so.</param>
    public static async Task<ServerProcess> StartAsync(
        string name, string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment, string folder, CancellationToken cancellationToken,
        Func<IPEndPoint, CancellationToken, Task<bool>>? isReady = null)
    {
        var address = new IPEndPoint(IPAddress.Loopback, FindPort());
        var log = Path.Combine(folder, name + ".log");
        // A folder of its own and empty: ASP.NET Core watches its working directory for changed settings, and pays for each write to any file below it.
        var home = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        var start = new ProcessStartInfo(program) { WorkingDirectory = home, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument.Replace("{urls}", "http://" + address, StringComparison.Ordinal).Replace("{port}", $"{address.Port}", StringComparison.Ordinal));
        foreach (var (key, value) in environment)
            start.Environment[key] = value;
        // That is for the load client only; servers run as they do everywhere.
        start.Environment.Remove(Program.InlineCompletions);

        var process = new Process { StartInfo = start };
        var writer = new StreamWriter(log) { AutoFlush = true };
        process.OutputDataReceived += (_, line) => Write(writer, line.Data);
        process.ErrorDataReceived += (_, line) => Write(writer, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var server = new ServerProcess(process, address, log);
        try
        {
            await server.WaitUntilReadyAsync(isReady ?? IsReadyAsync, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= _onExit;
        Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>The end of what it has printed.</summary>
    public string ReadLog() => string.Join(Environment.NewLine, File.ReadLines(_log).TakeLast(40));

    private async Task WaitUntilReadyAsync(Func<IPEndPoint, CancellationToken, Task<bool>> isReady, CancellationToken cancellationToken)
    {
        for (var deadline = Clock.Now + Clock.ToTicks(s_patience); !await isReady(Address, cancellationToken); await Clock.DelayAsync(s_pollInterval, cancellationToken))
        {
            if (_process.HasExited || Clock.Now > deadline)
                throw new BenchException($"{Path.GetFileNameWithoutExtension(_log)} did not become ready.{Environment.NewLine}{ReadLog()}");
        }
    }

    private static async Task<bool> IsReadyAsync(IPEndPoint address, CancellationToken cancellationToken)
    {
        try
        {
            using var http = new HttpClient();
            using var answer = await http.GetAsync($"http://{address}/health/ready", cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            // It does not listen yet.
            return false;
        }
    }

    private long ReadMemory()
    {
        _process.Refresh();
        return _process.WorkingSet64;
    }

    private void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }
    }

    private static void Write(StreamWriter writer, string? line)
    {
        lock (writer)
        {
            if (line is not null)
                writer.WriteLine(line);
        }
    }

    /// <summary>Below the ports that the kernel gives to outgoing connections, of which the bench makes thousands.</summary>
    private static int FindPort()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(16_000, 32_000);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
    }
}
