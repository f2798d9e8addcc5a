using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

/// <summary>What the hub's process writes.</summary>
public sealed class ConsoleTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    [Theory]
    [InlineData("Development")]
    [InlineData("Production")]
    public async Task TheLog_HasNoPayloadsAndNoTokens(string environment)
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var hub = Keep(HubProcess.Launch(new Dictionary<string, string?>(store.Configuration) { ["Auth:SymmetricKey"] = Tokens.Key }, environment));
        await hub.ListensAsync();
        var (publisher, user) = (Tokens.Publisher(WorkBuddy), Tokens.User("ada", WorkBuddy));
        const string secret = "a-payload-that-is-nobodys-business";

        await using (var client = await HubClient.ConnectAsync(hub.Address, user))
        {
            await client.SubscribeAsync(new { app = WorkBuddy });
            await using var stream = await hub.As(null).OpenStreamAsync($"app={WorkBuddy}&access_token={user}");
            (await hub.As(publisher).PublishAsync(Draft("ada", task: secret))).ShouldBe(201);
            (await hub.As(publisher).PublishAsync(new { source = WorkBuddy, type = "task.created", data = new { title = secret } })).ShouldBeProblem(422, "schema_violation");
            (await hub.As(publisher).PublishAsync($$"""{ "source": "{{secret}} """)).ShouldBeProblem(400, "malformed");
            await client.RefusedAsync("schema_violation", "Publish", new { source = WorkBuddy, type = "task.completed", userId = "ada", data = new { title = secret } });
            await client.ReceiveAsync(1);
            await stream.ReadEventsAsync(1);
            (await hub.As(user + "x").GetAsync("/api/v1/apps")).ShouldBeProblem(401, "unauthenticated");
            (await hub.As(null).GetAsync($"{ApiCaller.Events}?app={WorkBuddy}&access_token={user}")).ShouldBeProblem(401, "unauthenticated");
        }

        hub.Terminate();
        (await hub.ExitAsync()).ShouldBe(0, hub.Output);
        hub.Output.ShouldNotBeEmpty();
        hub.Output.ShouldNotContain(secret);
        hub.Output.ShouldNotContain(Tokens.Key);
        foreach (var token in new[] { publisher, user })
            hub.Output.ShouldNotContain(token.Split('.')[2], customMessage: "the signature of a token");
        hub.Output.ShouldNotContain("access_token");
        if (environment == "Production")
        {
            foreach (var line in hub.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                System.Text.Json.JsonElement.Parse(line).Text("@t").ShouldNotBeEmpty("structured, one event a line");
        }
    }
}
