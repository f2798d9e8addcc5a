using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>The bench's <c>verify</c> finds nothing wrong with the hub as it is, and what is wrong with each hub that has a fault built in.</summary>
public sealed class VerifyTests(PatchedHub patched) : ProcessTests, IClassFixture<PatchedHub>
{
    [Fact]
    public async Task TheHubAsItIs_KeepsItsPromise_OverEveryTransport()
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var hub = await StartAsync(store);
        var verify = await VerifyRun.RunAsync(hub.Address, "--seconds", "3", "--transports", "websockets,sse,longpolling");
        verify.ExitCode.ShouldBe(0, verify.Output);
        verify.Report.Number("acknowledged").ShouldBe(150);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task TheHubKilledAndRestartedAgainAndAgain_KeepsItsPromise()
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        await using var hub = await ScriptedHub.StartAsync(store);
        var verify = await VerifyRun.RunAsync(hub.Address, "--seconds", "18", "--fault", hub.KillAndRestart, "--fault-every", "6");
        verify.ExitCode.ShouldBe(0, verify.Output + hub.Output);
        verify.Report.Items("faults").Count.ShouldBeGreaterThan(1);
        verify.Report.Number("retries").ShouldBeGreaterThan(0, "a kill that nobody noticed shows nothing");
    }

    [Theory]
    [InlineData("skipped-push", "gapless")]
    [InlineData("app-missing-in-group", "no-signal-leak")]
    [InlineData("app-missing-in-stream", "no-leak")]
    [InlineData("acknowledged-before-stored", "nothing-lost")]
    [Trait("Category", "Long")]
    public async Task AHubWithAFaultBuiltIn_IsFoundOut(string patch, string check)
    {
        await patched.BuildAsync(patch);
        await using var store = await SqliteStore.CreateMigratedAsync();
        var hub = await StartAsync(store, patched);
        var verify = await VerifyRun.RunAsync(hub.Address, "--seconds", "3", "--patience", "5");
        verify.ExitCode.ShouldBe(1, verify.Output);
        verify.Broken.ShouldContain(check, verify.Output);
    }
}
