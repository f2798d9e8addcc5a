using Oriva.Realtime.Tests.Connections;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>The bench keeps working. What it measures here says nothing, but that it verifies what was delivered says that all of it was.</summary>
[Collection(Alone.Name)]
public sealed class BenchTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    [Fact]
    [Trait("Category", "Long")]
    public async Task Smoke_RunsEveryScenario_OnBothStores_BesideSignalR()
    {
        var folder = Directory.CreateTempSubdirectory("oriva-bench-").FullName;
        try
        {
            string[] arguments =
            [
                Path.Combine(AppContext.BaseDirectory, "Oriva.Realtime.Bench.dll"), "smoke", "--stores", "sqlite,postgres",
                "--postgres", Environment.GetEnvironmentVariable("ORIVA_TEST_POSTGRES")!, "--servers", "ours,bare,bare-redis", "--redis", Environment.GetEnvironmentVariable("ORIVA_TEST_REDIS")!,
            ];
            var bench = await Command.RunAsync(folder, s_patience, "dotnet", arguments);
            bench.ExitCode.ShouldBe(0, bench.Output);
            foreach (var scenario in (string[])["publish", "append", "unicast", "fan-out", "idle", "reconnect storm", "a stalled reader", "routing", "routing to all members", "two nodes", "reconnect storm on two nodes"])
                bench.Output.ShouldContain(scenario);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
