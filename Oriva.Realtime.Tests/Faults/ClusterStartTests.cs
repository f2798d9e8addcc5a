using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>Nodes do not mind in which order things start.</summary>
[Trait("Category", "Long")]
public sealed class ClusterStartTests : ProcessTests
{
    [Fact]
    public async Task AHubBeforeItsPostgresAndItsRedis_BecomesReadyByItselfWhenTheyCome()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        await using var redis = await RedisInstance.StartNewAsync();
        await redis.KillAsync();
        await postgres.StopAsync();
        var hub = await StartAsync(postgres.Store, ("ConnectionStrings:Redis", redis.ConnectionString), ("Cluster:Secret", "a-secret-of-tests-which-all-nodes-know"));
        (await hub.As(null).GetAsync("/health/live")).ShouldBe(200);
        (await hub.As(null).GetAsync("/health/ready")).ShouldBe(503).Text("status").ShouldBe("unhealthy");
        (await hub.As(Publisher).PublishAsync(Draft("one"))).ShouldBeProblem(503, "unavailable");

        await postgres.StartAsync();
        await Waiting.Eventually("the node stores events without Redis", async () => (await hub.As(Publisher).PublishAsync(Draft("one"))).Status is 200 or 201);
        await redis.StartAsync();
        await Waiting.Eventually("the node is healthy", async () => await hub.As(null).GetAsync("/health/ready") is { Status: 200 } ready && ready.Json.Text("status") == "healthy");
        await using var client = await HubClient.ConnectAsync(hub.Address, Tokens.User(User, App));
        await client.SubscribeAsync(new { app = App, from = "start" });
        (await hub.As(Publisher).PublishAsync(Draft("two"))).ShouldBe(201);
        await client.ReceiveAsync(2);
        client.Received.Ids.ShouldBe(["one", "two"]);
    }
}
