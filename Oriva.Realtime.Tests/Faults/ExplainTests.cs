using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary><c>--explain</c>, beside a node that runs.</summary>
public sealed class ExplainTests : ProcessTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnEvent_IsExplained_WhileTheNodeRuns(bool onPostgres)
    {
        await using TestStore store = onPostgres ? await PostgresServer.CreateMigratedAsync() : await SqliteStore.CreateMigratedAsync();
        var hub = await StartAsync(store);
        (await hub.As(Tokens.User("bob", App)).GetAsync($"/api/v1/notifications?app={App}")).ShouldBe(200);
        (await hub.As(Publisher).PublishAsync(Draft("e-1"))).ShouldBe(201);

        var told = await ExplainAsync(store, 0, "work-buddy/e-1", "--user", "bob");
        told[0].ShouldBe("The event was published to another user than 'bob'.");
        told[1].ShouldBe("Verdict: not_entitled (other_user)");
        told.ShouldContain(line => line.StartsWith("  For another outcome: ", StringComparison.Ordinal));
        told.ShouldContain(line => line.StartsWith("Event work-buddy/e-1: task.created, to 'ada', recorded ", StringComparison.Ordinal));
        (await ExplainAsync(store, 0, "work-buddy/e-1"))[0].ShouldBe("The event stands in work-buddy; notifications: none.");

        (await ExplainAsync(store, 1, "work-buddy/e-2")).ShouldHaveSingleItem().ShouldBe("'work-buddy' has published no event 'e-2', or it is no longer known.");
        (await ExplainAsync(store, 1, "e-1")).ShouldHaveSingleItem().ShouldStartWith("--explain SOURCE/ID");
        (await hub.As(Publisher).PublishAsync(Draft("e-2"))).ShouldBe(201);
    }

    [Fact]
    public async Task WithoutAStore_ItSaysSo_AndMakesNone()
    {
        await using var store = SqliteStore.CreateEmpty();
        (await ExplainAsync(store, 1, "work-buddy/e-1")).ShouldHaveSingleItem().ShouldContain("There is no SQLite store");
        File.Exists(store.Path).ShouldBeFalse();
    }

    private async Task<string[]> ExplainAsync(TestStore store, int exitCode, params string[] what)
    {
        var settings = new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key };
        var command = Launch(settings, "Production", ["--explain", .. what]);
        (await command.ExitAsync()).ShouldBe(exitCode, command.Output);
        return command.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
