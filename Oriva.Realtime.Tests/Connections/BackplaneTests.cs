using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>Signals and <c>IHubContext</c> sends between nodes and from other processes, over a Redis that is there, away, or hanging.</summary>
public sealed class BackplaneTests(PostgresHub fixture) : HubTests(fixture), IClassFixture<PostgresHub>
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    [Fact]
    public async Task ASignal_ReachesTheFollowersOnEveryNode_Once()
    {
        var (here, there) = await StartTwoAsync(RedisServer.NewConnectionString());
        await using var sender = await FollowAsync(here, _user);
        await using var near = await FollowAsync(here, New("user"));
        await using var far = await FollowAsync(there, New("user"));
        await SignalUntilAsync(sender, far, "entered");

        for (var i = 0; i < 20; i++)
            await sender.CallAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "count", data = i });
        foreach (var client in new[] { near, far })
            (await CountsAsync(client)).ShouldBe(Enumerable.Range(0, 20).Select(i => (long)i), "each once, in order");
    }

    [Fact]
    public async Task HubContextSends_ReachGroupsUsersAndConnectionsOfTheOtherNode()
    {
        var (here, there) = await StartTwoAsync(RedisServer.NewConnectionString());
        await using var sender = await FollowAsync(here, New("user"));
        await using var far = await FollowAsync(there, _user);
        await SignalUntilAsync(sender, far, "entered");
        var clients = here.Get<IHubContext<RealtimeHub>>().Clients;

        await clients.User(_user).SendAsync("note", "user", TestContext.Current.CancellationToken);
        await clients.Users([_user, "nobody"]).SendAsync("note", "users", TestContext.Current.CancellationToken);
        await clients.Group($"app:{WorkBuddy}:topic:{_topic}").SendAsync("note", "topic", TestContext.Current.CancellationToken);
        await clients.Groups([$"app:{WorkBuddy}:user:{_user}", "app:none"]).SendAsync("note", "groups", TestContext.Current.CancellationToken);
        await clients.All.SendAsync("note", "all", TestContext.Current.CancellationToken);

        var notes = new List<string?>();
        for (var i = 0; i < 5; i++)
            notes.Add((await far.NextAsync("note").Soon("a note comes"))!.Value.GetString());
        // Different channels of Redis may overtake each other.
        notes.ShouldBe(["user", "users", "topic", "groups", "all"], ignoreOrder: true);
    }

    [Fact]
    public async Task AnotherProcess_ReachesClientsOfBothProtocols_WithJsonAlone()
    {
        var redis = RedisServer.NewConnectionString();
        var hub = await StartAsync(redis);
        await using var json = await FollowAsync(hub, _user);
        await using var messagePack = await TransportClient.ConnectAsync(hub.Address, Tokens.User(_user, WorkBuddy), HttpTransportType.WebSockets, Protocol.MessagePack);
        await messagePack.SubscribeAsync(new { app = WorkBuddy });
        await using var process = new ServiceCollection().AddLogging().AddSignalR().AddStackExchangeRedis(redis).Services.BuildServiceProvider();
        var backEnd = process.GetRequiredService<IHubContext<RealtimeHub, IRealtimeClient>>();
        var signal = new SignalMessage(WorkBuddy, null, _user, "a back end", "note", JsonElement.Parse("""{"at":{"n":1}}"""), TimeProvider.System.GetUtcNow());

        await Waiting.Eventually("a client of each protocol has it", async () =>
        {
            await backEnd.Clients.Group($"app:{WorkBuddy}:user:{_user}").signal(signal);
            return messagePack.Signals.Count > 0;
        });
        (await json.NextAsync("signal").Soon("a signal comes"))!.Value.Number("data", "at", "n").ShouldBe(1);
        messagePack.Signals[0].Text("from").ShouldBe("a back end");
        messagePack.Signals[0].Number("data", "at", "n").ShouldBe(1);
    }

    [Fact]
    public async Task WithoutRedis_ClientsAreServedAtOnce_SignalsStayOnTheirNode_AndTheOthersFollowWhenItIsBack()
    {
        await using var proxy = RedisServer.StartProxy();
        var (here, there) = await StartTwoAsync(RedisServer.NewConnectionString(proxy.Port));
        await using var before = await FollowAsync(there, New("user"));
        proxy.Refuse();
        await Waiting.Eventually("both are degraded", async () => await StatusAsync(here) == "degraded" && await StatusAsync(there) == "degraded");

        await using var sender = await FollowAsync(here, _user);
        await using var near = await FollowAsync(here, New("user"));
        await using var far = await FollowAsync(there, New("user"));
        await sender.CallAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "alone" });
        (await near.NextAsync("signal").Soon("a signal comes"))!.Value.Text("name").ShouldBe("alone");

        proxy.Restore();
        await Waiting.Eventually("both are healthy", async () => await StatusAsync(here) == "healthy" && await StatusAsync(there) == "healthy");
        await SignalUntilAsync(sender, far, "back");
        await SignalUntilAsync(sender, before, "back");
    }

    [Fact]
    public async Task WhileRedisHangs_NobodyWaits()
    {
        await using var proxy = RedisServer.StartProxy();
        var (here, there) = await StartTwoAsync(RedisServer.NewConnectionString(proxy.Port));
        proxy.HoldAnswers();
        await using var sender = await FollowAsync(here, _user);
        await using var near = await FollowAsync(here, New("user"));
        await using var far = await FollowAsync(there, New("user"));
        for (var i = 0; i < 20; i++)
            await sender.CallAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "count", data = i });
        (await CountsAsync(near)).ShouldBe(Enumerable.Range(0, 20).Select(i => (long)i));
        await Waiting.Eventually("it is degraded", async () => await StatusAsync(here) == "degraded");

        proxy.PassAnswers();
        await Waiting.Eventually("it is healthy", async () => await StatusAsync(here) == "healthy");
        await SignalUntilAsync(sender, far, "back");
    }

    [Fact]
    public async Task WhoHasGone_IsForgotten_HoweverItWent()
    {
        await using var proxy = RedisServer.StartProxy();
        var hub = await StartAsync(RedisServer.NewConnectionString(proxy.Port));
        foreach (var away in new[] { false, true })
        {
            if (away)
                proxy.Refuse();
            for (var round = 0; round < 10; round++)
            {
                var clients = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => FollowAsync(hub, _user)));
                // Some go in the middle of a call that changes their groups.
                await Task.WhenAll(clients.Select(async client =>
                {
                    await client.SendJsonAsync($$"""{"type":1,"invocationId":"s","target":"Subscribe","arguments":[{"app":"{{WorkBuddy}}"}]}""");
                    await client.DisposeAsync();
                }));
            }

            await Waiting.Eventually("nothing is left of them", () => hub.Get<ConnectionLifetimeManager>().Count == 0);
        }
    }

    private async Task<(HubHost Here, HubHost There)> StartTwoAsync(string redis) => (await StartAsync(redis), await StartAsync(redis));

    private async Task<HubHost> StartAsync(string redis)
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["ConnectionStrings:Redis"] = redis }, on: Fixture.Store);
        await Waiting.Eventually("the hub has Redis", () => hub.Get<RedisConnection>().IsUp);
        return hub;
    }

    private static async Task<string> StatusAsync(HubHost hub) => (await hub.As(null).GetAsync("/health/ready")).ShouldBe(200).Text("status");

    private async Task<RawClient> FollowAsync(HubHost hub, string user)
    {
        var client = await RawClient.ConnectAsync(hub.Address, Tokens.User(user, WorkBuddy));
        await client.CallAsync("Subscribe", new { app = WorkBuddy, topics = new[] { _topic } });
        return client;
    }

    /// <summary>Connections are entered at Redis in the background: the first signals may come too early.</summary>
    private async Task SignalUntilAsync(RawClient sender, RawClient receiver, string name)
    {
        var got = receiver.NextAsync("signal");
        await Waiting.Eventually("a signal arrives on the other node", async () =>
        {
            await sender.CallAsync("Signal", new { app = WorkBuddy, topic = _topic, name });
            return got.IsCompleted;
        });
        (await got)!.Value.Text("name").ShouldBe(name);
    }

    private static async Task<List<long>> CountsAsync(RawClient client)
    {
        var counts = new List<long>();
        while (counts.Count < 20)
        {
            var signal = (await client.NextAsync("signal").Soon("a signal comes"))!.Value;
            if (signal.Text("name") == "count")
                counts.Add(signal.Number("data"));
        }

        return counts;
    }
}
