using System.Diagnostics;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>bench/peers/socketio.mjs.</summary>
internal sealed class SocketIoTarget : BareTarget
{
    private SocketIoTarget(Nodes nodes, string name, int users)
        : base(nodes, name, Dialect.SocketIo, users)
    {
    }

    public override bool HasHubPublish => false;

    protected override string Path => "/socket.io/?EIO=4&transport=websocket";

    /// <param name="redis">HOST:PORT; null: without the adapter.</param>
    public static async Task<SocketIoTarget> StartAsync(string folder, string? redis, int users, CancellationToken cancellationToken)
    {
        var peers = System.IO.Path.Combine(RepositoryFolder.OfBench(), "peers");
        if (!Directory.Exists(System.IO.Path.Combine(peers, "node_modules")))
            await InstallAsync(peers, cancellationToken);
        string[] arguments = [System.IO.Path.Combine(peers, "socketio.mjs"), "{urls}", .. redis is null ? [] : new[] { redis }];
        var nodes = await Nodes.StartAsync(
            1, name => ServerProcess.StartAsync(name, "node", arguments, new Dictionary<string, string>(), folder, cancellationToken), redis is null ? ServerKeys.SocketIo : ServerKeys.SocketIoRedis);
        return new SocketIoTarget(nodes, redis is null ? "socket.io" : "socket.io, Redis", users);
    }

    private static async Task InstallAsync(string folder, CancellationToken cancellationToken)
    {
        using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = folder })!;
        await npm.WaitForExitAsync(cancellationToken);
        if (npm.ExitCode != 0)
            throw new BenchException("npm ci failed in bench/peers.");
    }
}
