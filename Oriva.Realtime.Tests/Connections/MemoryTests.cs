using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>For tests that measure the process: nothing else runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

/// <summary>What one client can make the server keep.</summary>
[Collection(Alone.Name)]
public sealed class MemoryTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    /// <summary>Each name that was ever asked for would otherwise be kept as long as the connection lives.</summary>
    [Fact]
    public async Task NamesOfAppsThatAreRefused_AreNotKept()
    {
        await using var hub = await RawClient.ConnectAsync(Hub.Address, Tokens.User(New("user"), WorkBuddy));
        var padding = new string('x', 150_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < 150; i++) // within the reserve of calls
            (await hub.InvokeAsync("Subscribe", new { app = padding + i })).Text("error").ShouldStartWith("invalid: ");
        (GC.GetTotalMemory(forceFullCollection: true) - before).ShouldBeLessThan(20_000_000);
    }
}
