using System.Diagnostics;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A PostgreSQL of the test's own, which it may stop and start. The others share one, see <see cref="PostgresServer"/>.</summary>
internal sealed class PostgresInstance : IAsyncDisposable
{
    private readonly string _folder = Path.Combine("/tmp", "oriva-pg-" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[^12..]);
    private int _port;

    private PostgresInstance()
    {
    }

    private string Data => Path.Combine(_folder, "data");

    public PostgresStore Store => new("", $"Host=127.0.0.1;Port={_port};Username=postgres;Database=postgres");

    public static async Task<PostgresInstance> StartNewAsync()
    {
        var instance = new PostgresInstance();
        Directory.CreateDirectory(instance._folder);
        if (Environment.UserName == "root")
            await RunAsync("chown", ["postgres", instance._folder], asPostgres: false);
        await RunAsync(Tool("initdb"), ["-D", instance.Data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        // Somebody may take the port between the look and the start.
        for (var attempt = 1; ; attempt++)
        {
            instance._port = Ports.FindFree();
            try
            {
                await instance.StartAsync();
                return instance;
            }
            catch (ShouldAssertException) when (attempt < 5)
            {
            }
        }
    }

    public Task StartAsync() => RunAsync(Tool("pg_ctl"),
        ["-D", Data, "-l", Path.Combine(_folder, "log"), "-o", $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={_folder} -c fsync=on", "-w", "start"]);

    /// <summary>Cuts every session off, as a restart does that does not wait for clients.</summary>
    /// <param name="mode">Of pg_ctl: fast, or immediate, after which it has to recover.</param>
    public Task StopAsync(string mode = "fast") => RunAsync(Tool("pg_ctl"), ["-D", Data, "-m", mode, "-w", "stop"]);

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            await StopAsync("immediate");
        Directory.Delete(_folder, recursive: true);
    }

    private static string Tool(string name) =>
        Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Select(version => Path.Combine(version, "bin", name)).First(File.Exists);

    /// <summary>PostgreSQL refuses to run as root.</summary>
    private static async Task RunAsync(string tool, string[] arguments, bool asPostgres = true)
    {
        var switching = asPostgres && Environment.UserName == "root";
        // The server that pg_ctl leaves behind must not hold a pipe of ours open, so its output goes nowhere.
        string[] command = switching ? ["runuser", "-u", "postgres", "--", tool, .. arguments] : [tool, .. arguments];
        var start = new ProcessStartInfo("sh", ["-c", "cd /tmp && exec \"$@\" >/dev/null 2>&1 </dev/null", "sh", .. command]);
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync().Soon(tool + " ends", TimeSpan.FromSeconds(60));
        process.ExitCode.ShouldBe(0, $"{tool} {string.Join(' ', arguments)}");
    }
}
