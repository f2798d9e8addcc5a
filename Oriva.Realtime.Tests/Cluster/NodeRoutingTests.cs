using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http.Connections;
using Oriva.Realtime.Hub.Cluster;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>Balancers need no sticky sessions.</summary>
public sealed class NodeRoutingTests(PostgresHub fixture) : ClusterTests(fixture), IClassFixture<PostgresHub>
{
    public static readonly TheoryData<HttpTransportType, Protocol> Ways = TransportTests.Ways;

    private readonly string _user = New("user");

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task BehindRoundRobin_EveryTransportWorks(HttpTransportType transport, Protocol protocol)
    {
        var nodes = await StartNodesAsync(3);
        await using var balancer = await RoundRobin.StartAsync([.. nodes.Select(node => node.Address)]);
        var topic = New("room");
        var clients = new List<TransportClient>();
        for (var i = 0; i < 4; i++)
        {
            clients.Add(await TransportClient.ConnectAsync(balancer.Address, Tokens.User(_user, WorkBuddy), transport, protocol));
            await clients[i].SubscribeAsync(new { app = WorkBuddy, topics = new[] { topic } });
        }

        const int count = 24;
        using var http = new HttpClient { BaseAddress = balancer.Address };
        var publisher = new ApiCaller(http, Tokens.Publisher(WorkBuddy));
        for (var i = 0; i < count; i++)
            (await publisher.PublishAsync(Draft(_user, id: $"{_user}-{i}"))).ShouldBe(201);
        foreach (var client in clients)
        {
            await client.ReceiveAsync(count);
            client.Received.Ids.ShouldBe(Enumerable.Range(0, count).Select(i => $"{_user}-{i}"));
            for (var i = 0; i < 6; i++)
                await client.InvokeAsync("Signal", new { app = WorkBuddy, name = "ping" });
            await client.DisposeAsync();
        }

        // It did go round: no client had a node of its own.
        balancer.Seen.Where(seen => seen.Request.Contains("/hubs/", StringComparison.Ordinal)).Select(seen => seen.Node).Distinct().Count().ShouldBe(3);
        foreach (var node in nodes)
            await Waiting.Eventually("the node has no connections left", () => node.Get<ConnectionLifetimeManager>().Connections.Count == 0);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task BehindRoundRobin_ConnectionsComeAndGo_AndNobodyIsTurnedAway(HttpTransportType transport, Protocol protocol)
    {
        var nodes = await StartNodesAsync(2);
        await using var balancer = await RoundRobin.StartAsync([.. nodes.Select(node => node.Address)]);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async worker =>
        {
            for (var round = 0; round < 5; round++)
            {
                await using var client = await TransportClient.ConnectAsync(balancer.Address, Tokens.User($"{_user}-{worker}", WorkBuddy), transport, protocol);
                await client.SubscribeAsync(new { app = WorkBuddy });
            }
        }));
    }

    [Fact]
    public async Task AWebSocketWithAnotherNodesId_IsServedWhereItArrives()
    {
        var (here, there) = (await StartNodeAsync(), await StartNodeAsync());
        var token = Tokens.User(_user, WorkBuddy);
        var id = await NegotiateAsync(there.As(token));
        await using var client = await Connections.RawClient.UpgradeAsync(here.Address, $"{token}&id={id}");
        await client.SendTextAsync("""{"protocol":"json","version":1}""" + (char)Connections.RawClient.Separator);
        await Waiting.Eventually("the connection is there", () => here.Get<ConnectionLifetimeManager>().Connections.Count == 1);
        there.Get<ConnectionLifetimeManager>().Connections.ShouldBeEmpty();
    }

    [Fact]
    public async Task ANodeThatHasJustCome_IsKnownToTheOthers()
    {
        var here = await StartNodeAsync();
        for (var round = 0; round < 5; round++)
        {
            var there = await StartNodeAsync();
            var id = await NegotiateAsync(there.As(Tokens.User(_user, WorkBuddy)));
            (await here.As(Tokens.User(_user, WorkBuddy)).GetAsync(Poll(id))).Status.ShouldBe(200);
        }
    }

    [Fact]
    public async Task APassedOnConnection_HasItsClientsAddress()
    {
        var (here, there) = (await StartNodeAsync(), await StartNodeAsync());
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.77"), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        }) { BaseAddress = here.Address };
        var client = new ApiCaller(http, Tokens.User(_user, WorkBuddy));
        var id = await NegotiateAsync(there.As(Tokens.User(_user, WorkBuddy)));

        // What the client claims itself is not believed.
        (await client.GetAsync(Poll(id), ("X-Forwarded-For", "192.0.2.1"))).Status.ShouldBe(200);
        (await client.PostAsync(Poll(id), """{"protocol":"json","version":1}""" + (char)Connections.RawClient.Separator)).Status.ShouldBe(200);
        await Waiting.Eventually("the connection is there", () => there.Get<ConnectionLifetimeManager>().Connections.Count == 1);
        there.Get<ConnectionLifetimeManager>().Connections.Single().Registered.Origin.RemoteAddress.ShouldBe("127.0.0.77");
    }

    [Fact]
    public async Task WhoShowsAnotherSecret_IsRefused()
    {
        var node = await StartNodeAsync();
        var caller = node.As(Tokens.User(_user, WorkBuddy));
        foreach (var wrong in new[] { "", "x", Secret[..^1], Secret + "x", Secret.ToUpperInvariant() })
        {
            foreach (var path in new[] { Poll(IdOf(node) + ".x"), Poll("other.x"), "/hubs/realtime" })
                (await caller.GetAsync(path, (PeerForwarder.SecretHeader, wrong))).ShouldBeProblem(403, "forbidden");
        }
    }

    [Fact]
    public async Task ARequestThatWasPassedOn_IsNotPassedOnAgain()
    {
        var node = await StartNodeAsync();
        var caller = node.As(Tokens.User(_user, WorkBuddy));
        ShouldBeUnknown(await caller.GetAsync(Poll(IdOf(Hub) + ".x"), (PeerForwarder.SecretHeader, Secret)));

        // A node that is said to be where this one is: each request would go round and round.
        await EnterNodeAsync("mirror", node.Address.ToString(), "now()");
        for (var i = 0; i < 20; i++)
        {
            ShouldBeUnknown(await caller.GetAsync(Poll("mirror.x")));
            ShouldBeUnknown(await caller.PostAsync(Poll("mirror.x"), "{}"));
        }
    }

    [Fact]
    public async Task AConnectionOfANodeThatHasGone_IsUnknown()
    {
        var (node, left) = (await StartNodeAsync(), await StartNodeAsync());
        var caller = node.As(Tokens.User(_user, WorkBuddy));
        var id = await NegotiateAsync(left.As(Tokens.User(_user, WorkBuddy)));
        await left.DisposeAsync();
        await EnterNodeAsync("dead", $"http://127.0.0.1:{FreePort()}", "now()"); // it has not been given up yet
        await EnterNodeAsync("lost", node.Address.ToString(), "now() - interval '1 minute'");
        await EnterNodeAsync("silent", null, "now()");
        foreach (var gone in new[] { id, "dead.x", "lost.x", "silent.x", "never.x" })
        {
            ShouldBeUnknown(await caller.GetAsync(Poll(gone)));
            ShouldBeUnknown(await caller.PostAsync(Poll(gone), "{}"));
            ShouldBeUnknown(await caller.DeleteAsync(Poll(gone)));
        }
    }

    [Theory]
    [InlineData(".")]
    [InlineData("x")]
    [InlineData("x.")]
    [InlineData(".x")]
    [InlineData("x.y.z")]
    [InlineData("%00.%00")]
    [InlineData("node%2F..x")]
    [InlineData("https://example.com/.x")]
    [InlineData("ü.x")]
    [InlineData("a.x&id=b.y")]
    [InlineData("a.x&ID=b.y")]
    public async Task AnIdThatNobodyGaveOut_IsUnknown(string id)
    {
        var node = await StartNodeAsync();
        var caller = node.As(Tokens.User(_user, WorkBuddy));
        foreach (var prefix in new[] { "", IdOf(node) + "." })
        {
            ShouldBeUnknown(await caller.GetAsync("/hubs/realtime?id=" + prefix + id));
            ShouldBeUnknown(await caller.PostAsync("/hubs/realtime?id=" + prefix + id, "{}"));
            ShouldBeUnknown(await caller.DeleteAsync("/hubs/realtime?id=" + prefix + id));
        }

        ShouldBeUnknown(await caller.GetAsync(Poll(new string('x', 4_000) + "." + id)));
    }

    [Fact]
    public async Task WhoHasNoToken_IsNotPassedOn()
    {
        var (here, there) = (await StartNodeAsync(), await StartNodeAsync());
        var id = await NegotiateAsync(there.As(Tokens.User(_user, WorkBuddy)));
        (await here.As(null).GetAsync(Poll(id))).ShouldBeProblem(401, "unauthenticated");
    }

    [Theory]
    [InlineData("""{"negotiateVersion":1,"connectionId":"c","connectionToken":"t","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}""",
        """{"negotiateVersion":1,"connectionId":"c","connectionToken":"node-1.t","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}""")]
    [InlineData("""{"negotiateVersion":0,"connectionId":"c","availableTransports":[]}""", """{"negotiateVersion":0,"connectionId":"node-1.c","availableTransports":[]}""")]
    [InlineData("""{"error":"The client requested version '-1', but the server does not support this version."}""",
        """{"error":"The client requested version '-1', but the server does not support this version."}""")]
    public void TheAnswerOfANegotiation_IsOtherwiseAsItWas(string answer, string expected) =>
        System.Text.Json.JsonElement.DeepEquals(
            System.Text.Json.JsonElement.Parse(Encoding.UTF8.GetString(Negotiation.NameNode(Encoding.UTF8.GetBytes(answer), "node-1"))), System.Text.Json.JsonElement.Parse(expected)).ShouldBeTrue();

    [Theory]
    [InlineData("")]
    [InlineData("?negotiateVersion=0")]
    [InlineData("?negotiateVersion=1")]
    public async Task EveryVersionOfNegotiation_GivesAnIdThatAnyNodeUnderstands(string version)
    {
        var (here, there) = (await StartNodeAsync(), await StartNodeAsync());
        var answer = (await there.As(Tokens.User(_user, WorkBuddy)).PostAsync("/hubs/realtime/negotiate" + version, "")).ShouldBe(200);
        var id = answer.Text(version.EndsWith('1') ? "connectionToken" : "connectionId");
        id.ShouldStartWith(IdOf(there) + ".");
        answer.Items("availableTransports").Count.ShouldBe(3);
        (await here.As(Tokens.User(_user, WorkBuddy)).GetAsync(Poll(id))).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData("http://127.0.0.1:5080", "http://127.0.0.1:5080")]
    [InlineData("http://localhost:5080", "http://localhost:5080")]
    [InlineData("http://10.0.0.5:80", "http://10.0.0.5:80")]
    [InlineData("http://[::1]:5080", "http://[::1]:5080")]
    [InlineData("http://[::]:8080", "http://machine:8080")]
    [InlineData("http://0.0.0.0:8080", "http://machine:8080")]
    [InlineData("http://+:8080", "http://machine:8080")]
    [InlineData("https://*:8443", "https://machine:8443")]
    [InlineData("http://[::]:8080 http://[::]:9090", "http://machine:8080")]
    [InlineData("http://unix:/run/oriva.sock http://[::]:8080", "http://machine:8080")]
    [InlineData("http://unix:/run/oriva.sock", null)]
    public void WhereANodeIs_FollowsFromWhereItListens(string listens, string? advertised) => AdvertisedAddress.Choose(listens.Split(' '), "machine").ShouldBe(advertised);

    private Task<int> EnterNodeAsync(string id, string? url, string heartbeat) => Fixture.Store.ExecuteAsync(
        $"INSERT INTO nodes (id, instance, advertised_url, version, started_at, heartbeat_at, figures) VALUES ('{id}', gen_random_uuid(), {(url is null ? "NULL" : $"'{url}'")}, '1', now(), {heartbeat}, '{{}}')");

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
