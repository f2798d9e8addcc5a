using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Hub.Cluster;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Tests.Connections;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>A node sends its clients elsewhere before it goes.</summary>
public sealed class DrainTests(PostgresHub fixture) : ClusterTests(fixture), IClassFixture<PostgresHub>
{
    private readonly string _user = New("user");

    [Theory]
    [InlineData(0, 15, 0)]
    [InlineData(1, 15, 2)]
    [InlineData(500, 15, 1_000)]
    [InlineData(2_000, 15, 4_000)]
    [InlineData(5_000, 15, 10_000)]
    [InlineData(10_000, 15, 10_000)]
    [InlineData(10_000, 60, 20_000)]
    [InlineData(10_000, 3, 2_000)]
    public void GoodbyesAreSpread_ByHowManyThereAre(int connections, int timeoutSeconds, int milliseconds) =>
        Drain.SpanOf(connections, TimeSpan.FromSeconds(timeoutSeconds)).ShouldBe(TimeSpan.FromMilliseconds(milliseconds));

    [Fact]
    public async Task EachClient_IsToldATimeOfItsOwn_AndIsClosedAfterIt()
    {
        const int count = 20;
        var (node, time) = (await StartNodeAsync(), new FakeTimeProvider());
        var clients = new List<Leaver>();
        for (var i = 0; i < count; i++)
            clients.Add(await Leaver.ConnectAsync(node.Address, Tokens.User($"{_user}-{i}", WorkBuddy)));

        // The drain's clock stands still: nobody is closed before its time.
        var drain = DrainOf(node, time);
        var draining = drain.StartAsync();
        await Waiting.Eventually("all are told", () => clients.All(client => client.Goodbyes.Count > 0));
        var times = clients.Select(client => client.Goodbyes.ShouldHaveSingleItem().Number("retryAfterMs")).Order().ToList();
        times.ShouldBe(Enumerable.Range(0, count).Select(i => 2L * i), "1 s for 500 connections");
        clients.ShouldAllBe(client => client.Goodbyes[0].Text("reason") == "draining");
        clients.ShouldAllBe(client => !client.Closed.IsCompleted);

        var elapsed = 0;
        await Waiting.Eventually("the drain ends", () =>
        {
            clients.Where(client => client.Closed.IsCompleted).ShouldAllBe(client => client.Goodbyes[0].Number("retryAfterMs") + 250 <= elapsed);
            elapsed += 10;
            time.Advance(TimeSpan.FromMilliseconds(10));
            return draining.IsCompleted;
        });
        foreach (var client in clients)
            await client.Closed.Soon("the client is closed");
        foreach (var client in clients)
            await client.DisposeAsync();
    }

    [Fact]
    public async Task WhileItDrains_ANodeIsNotReady_TakesNoConnections_AndServesAllElse()
    {
        var node = await StartNodeAsync();
        var (user, drain, id) = (node.As(Tokens.User(_user, WorkBuddy)), node.Get<Drain>(), IdOf(node));
        await using var stream = await user.OpenStreamAsync($"app={WorkBuddy}");
        var cursor = (await user.PollAsync(new { app = WorkBuddy })).ShouldBe(200).At("cursor");
        var held = user.PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 });
        await using var client = await HubClient.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        (await node.As(null).GetAsync("/health/ready")).ShouldBe(200).Text("status").ShouldBe("healthy");

        await drain.StartAsync().Soon("the drain ends");

        await client.Closed.Soon("the client is closed");
        (await held.Soon("the held poll is answered")).ShouldBe(200).Items("events").ShouldBeEmpty();
        while (await stream.ReadAnyAsync().Soon("the stream ends") is not null)
        {
        }

        (await node.As(null).GetAsync("/health/ready")).ShouldBe(503).Text("status").ShouldBe("draining");
        (await node.As(null).GetAsync("/health/live")).ShouldBe(200);
        foreach (var refused in new[] { await user.PostAsync(Negotiate, ""), await user.GetAsync("/hubs/realtime") })
        {
            refused.ShouldBeProblem(503, "unavailable");
            refused.RetryAfter.ShouldBe(1);
        }

        (await node.As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft(_user, id: _user))).ShouldBe(201);
        (await user.PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 })).ShouldBe(200).Items("events").Ids().ShouldContain(_user);
        await Waiting.Eventually("the others know", () => Hub.Get<NodeRegistry>().Find(id) is { DrainingSince: not null, IsAlive: true });

        drain.Resume();
        (await node.As(null).GetAsync("/health/ready")).ShouldBe(200).Text("status").ShouldBe("healthy");
        await using var again = await HubClient.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        await Waiting.Eventually("the others know", () => Hub.Get<NodeRegistry>().Find(id) is { DrainingSince: null });
        await drain.StartAsync().Soon("it can be drained again");
        await again.Closed.Soon("the client is closed");
    }

    [Fact]
    public async Task AResumedNode_ClosesNobodyMore()
    {
        var (node, time) = (await StartNodeAsync(), new FakeTimeProvider());
        await using var client = await Leaver.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        var drain = DrainOf(node, time);
        var draining = drain.StartAsync();
        await Waiting.Eventually("it is told", () => client.Goodbyes.Count > 0);
        drain.Resume();
        await draining.Soon("the drain ends");
        time.Advance(TimeSpan.FromMinutes(1));
        (await client.InvokeAsync("Subscribe", new { app = WorkBuddy })).Text("app").ShouldBe(WorkBuddy);
    }

    [Fact]
    public async Task WhoWasNegotiatedBefore_AndComesLate_IsSentElsewhereToo()
    {
        var (node, time) = (await StartNodeAsync(), new FakeTimeProvider());
        var user = node.As(Tokens.User(_user, WorkBuddy));
        var id = await NegotiateAsync(user);
        await using var early = await Leaver.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        var draining = DrainOf(node, time).StartAsync();
        await Waiting.Eventually("the drain has begun", () => early.Goodbyes.Count > 0);

        (await user.GetAsync(Poll(id))).Status.ShouldBe(200);
        (await user.PostAsync(Poll(id), """{"protocol":"json","version":1}""" + (char)RawClient.Separator)).Status.ShouldBe(200);
        await Waiting.Eventually("it is there", () => node.Get<ConnectionLifetimeManager>().Connections.Count == 2);
        await Waiting.Eventually("all are gone, and the drain ends", () =>
        {
            time.Advance(TimeSpan.FromMilliseconds(50));
            return draining.IsCompleted;
        });
        node.Get<ConnectionLifetimeManager>().Connections.ShouldBeEmpty();
    }

    [Fact]
    public async Task WhoWasNegotiatedBefore_AndComesWhenTheDrainIsOver_IsSentElsewhereToo()
    {
        var node = await StartNodeAsync();
        var user = node.As(Tokens.User(_user, WorkBuddy));
        var id = await NegotiateAsync(user);
        await node.Get<Drain>().StartAsync().Soon("a node without connections is drained");

        (await user.GetAsync(Poll(id))).Status.ShouldBe(200);
        (await user.PostAsync(Poll(id), """{"protocol":"json","version":1}""" + (char)RawClient.Separator)).Status.ShouldBe(200);

        await Waiting.Eventually("it is sent away", async () => (await user.GetAsync(Poll(id))).Status == 404);
        node.Get<ConnectionLifetimeManager>().Connections.ShouldBeEmpty();
        node.Get<Drain>().Resume().ShouldBeTrue();
    }

    [Fact]
    public async Task AnOperator_DrainsANodeFromAnother_ButResumesNoneThatStops()
    {
        var node = await StartNodeAsync();
        await using var client = await HubClient.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        var path = $"/api/v1/admin/nodes/{IdOf(node)}/drain";
        await Waiting.Eventually("the node is known", () => Hub.Get<NodeRegistry>().Find(IdOf(node)) is { IsAlive: true });

        (await Admin.PostAsync(path, "")).ShouldBe(200).Number("connections").ShouldBe(1);
        await client.Closed.Soon("the client is closed");
        (await node.As(null).GetAsync("/health/ready")).ShouldBe(503);
        (await Admin.DeleteAsync(path)).ShouldBe(200);
        (await node.As(null).GetAsync("/health/ready")).ShouldBe(200);

        await node.Get<Drain>().FinishAsync().Soon("the last drain ends");
        (await Admin.DeleteAsync(path)).ShouldBeProblem(409, "conflict");
        (await node.As(null).GetAsync("/health/ready")).ShouldBe(503);
    }

    [Fact]
    public async Task AStuckReader_DoesNotHoldUpTheDrain()
    {
        var node = await StartNodeAsync();
        await using var stuck = await StuckReader.StartAsync(node, _user);
        await using var client = await HubClient.ConnectAsync(node.Address, Tokens.User(New("user"), WorkBuddy));
        await node.Get<Drain>().StartAsync().Soon("the drain ends");
        await client.Closed.Soon("the other is closed");
        node.Get<ConnectionLifetimeManager>().Connections.ShouldBeEmpty();
    }

    [Fact]
    public async Task TheTimeout_EndsADrain_WhoeverIsStillThere()
    {
        var (node, time) = (await StartNodeAsync(), new FakeTimeProvider());
        await using var client = await Leaver.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        // It says goodbye and does not come to closing: its clock goes past the timeout at once.
        var draining = DrainOf(node, time, TimeSpan.FromMilliseconds(100)).StartAsync();
        await Waiting.Eventually("it is told", () => client.Goodbyes.Count > 0);
        time.Advance(TimeSpan.FromMilliseconds(100));
        await draining.Soon("the drain ends");
        client.Closed.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task OfficialClients_MoveToTheOtherNode_AndMissNothing()
    {
        const int count = 300;
        var (leaving, staying) = (await StartNodeAsync(), await StartNodeAsync());
        await using var balancer = await RoundRobin.StartAsync(leaving.Address, staying.Address);
        var ways = TransportTests.Ways.Select(way => way.Data).ToList();
        var followers = new List<BurstFollower>();
        foreach (var (transport, protocol) in ways)
            followers.Add(await BurstFollower.StartAsync(balancer.Address, Tokens.User(_user, WorkBuddy), transport, protocol));

        var publishing = Task.Run(async () =>
        {
            using var http = new HttpClient { BaseAddress = balancer.Address };
            for (var n = 1; n <= count; n++)
                (await new ApiCaller(http, Tokens.Publisher(WorkBuddy)).PublishAsync(new { source = WorkBuddy, type = "session.started", userId = _user, id = $"{_user}-{n}" })).ShouldBe(201);
        }, TestContext.Current.CancellationToken);
        await Waiting.Eventually("some have come", () => followers.All(follower => follower.Seqs.Count > count / 10));
        await leaving.Get<Drain>().StartAsync().Soon("the drain ends");
        leaving.Get<ConnectionLifetimeManager>().Connections.ShouldBeEmpty();
        await publishing;

        foreach (var follower in followers)
        {
            await follower.ReceiveAsync(count);
            follower.Seqs.ShouldBe(Enumerable.Range(1, count).Select(n => (long)n));
            follower.Faults.ShouldBeEmpty();
            await follower.DisposeAsync();
        }
    }

    [Fact]
    public async Task ASecondSigterm_OrCtrlC_StopsAtOnce()
    {
        var (node, time) = (await StartNodeAsync(), new FakeTimeProvider());
        await using var client = await Leaver.ConnectAsync(node.Address, Tokens.User(_user, WorkBuddy));
        var (drain, host) = (DrainOf(node, time), new StoppedHost());
        using var lifetime = new DrainingLifetime(drain, host);

        var first = new PosixSignalContext(PosixSignal.SIGTERM);
        lifetime.Handle(first);
        first.Cancel.ShouldBeTrue("the runtime would end the process");
        await Waiting.Eventually("it drains", () => client.Goodbyes.Count > 0);
        host.Stops.ShouldBe(0);
        lifetime.Handle(new PosixSignalContext(PosixSignal.SIGTERM));
        host.Stops.ShouldBe(1);

        var other = new StoppedHost();
        using var interrupted = new DrainingLifetime(drain, other);
        interrupted.Handle(new PosixSignalContext(PosixSignal.SIGINT));
        other.Stops.ShouldBe(1);
    }

    private static Drain DrainOf(HubHost node, TimeProvider time, TimeSpan? timeout = null) => new(
        node.Get<ConnectionLifetimeManager>(), node.Get<NodeIdentity>(), node.Get<NodeRegistry>(),
        Options.Create(new ClusterOptions { DrainTimeout = timeout ?? TimeSpan.FromSeconds(15) }), node.Get<IHostApplicationLifetime>(), time, node.Get<ILogger<Drain>>());

    private sealed class StoppedHost : IHostApplicationLifetime
    {
        public int Stops { get; private set; }

        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => default;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication() => Stops++;
    }

    /// <summary>A client that hears goodbyes, and waits to be closed.</summary>
    private sealed class Leaver : IAsyncDisposable
    {
        private readonly HubConnection _connection;
        private readonly List<JsonElement> _goodbyes = [];
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private Leaver(Uri address, string token)
        {
            _connection = new HubConnectionBuilder().WithUrl(new Uri(address, "/hubs/realtime"), options =>
            {
                options.Transports = HttpTransportType.WebSockets;
                options.AccessTokenProvider = () => Task.FromResult<string?>(token);
            }).Build();
            _connection.On<JsonElement>("goodbye", goodbye =>
            {
                lock (_goodbyes)
                    _goodbyes.Add(goodbye);
            });
            _connection.Closed += _ =>
            {
                _closed.TrySetResult();
                return Task.CompletedTask;
            };
        }

        public IReadOnlyList<JsonElement> Goodbyes
        {
            get
            {
                lock (_goodbyes)
                    return [.. _goodbyes];
            }
        }

        public Task Closed => _closed.Task;

        public static async Task<Leaver> ConnectAsync(Uri address, string token)
        {
            var leaver = new Leaver(address, token);
            await leaver._connection.StartAsync().Soon("the client connects");
            return leaver;
        }

        public Task<JsonElement> InvokeAsync(string method, object argument) => _connection.InvokeAsync<JsonElement>(method, argument).Soon($"{method} is answered");

        public ValueTask DisposeAsync() => _connection.DisposeAsync();
    }
}
