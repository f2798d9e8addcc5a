using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>Several nodes on one PostgreSQL: each knows all connections, and does to them what an operator asks of any.</summary>
public sealed class ManyNodesTests(PostgresHub fixture) : HubTests(fixture), IClassFixture<PostgresHub>
{
    private const string Connections = "/api/v1/admin/connections";

    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    [Fact]
    public async Task AThousandConnectionsOnTwoNodes_AreAllListed_AndAllGone()
    {
        const int count = 1_000;
        var other = await StartHubAsync(on: Fixture.Store);
        HubHost[] nodes = [Hub, other];
        var clients = new List<RawClient>();
        foreach (var chunk in Enumerable.Range(0, count).Chunk(50))
            clients.AddRange(await Task.WhenAll(chunk.Select(i => RawClient.ConnectAsync(nodes[i % 2].Address, Tokens.User($"{_user}-{i / 2}", WorkBuddy)))));

        await AgreeAsync(count);
        // Each is written again, some while they are being written.
        await Task.WhenAll(clients.Select(client => client.CallAsync("Subscribe", new { app = WorkBuddy })));
        await Eventually("all are present", async () => (await PresentCountAsync()) == count / 2, TimeSpan.FromSeconds(20));
        nodes.SelectMany(node => node.Log.Lines).ShouldNotContain(line => line.Contains("could not be written", StringComparison.Ordinal));
        (await CountAsync(other, $"node={other.Get<NodeIdentity>().Id}")).ShouldBe(count / 2);
        other.Get<ConnectionRegistry>().Count.ShouldBe(count / 2);

        foreach (var client in clients.Take(count / 2))
            await client.DisposeAsync();
        await AgreeAsync(count / 2);
        foreach (var client in clients.Skip(count / 2))
            await client.DisposeAsync();
        await AgreeAsync(0);

        async Task AgreeAsync(int expected)
        {
            var started = TimeProvider.System.GetTimestamp();
            await Eventually($"{expected} connections are open", async () => await OpenAsync() == expected, TimeSpan.FromSeconds(20));
            TestContext.Current.TestOutputHelper?.WriteLine($"{expected} open: agreed after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        }

        async Task<int> PresentCountAsync()
        {
            await using var context = Hub.Get<RealtimeDatabase>().ForService();
            return await context.WebsocketConnections.Where(row => row.ClosedAt == null && row.UserId.StartsWith(_user) && row.Scopes.Contains(WorkBuddy)).Select(row => row.UserId).Distinct()
                .CountAsync(TestContext.Current.CancellationToken);
        }

        async Task<int> OpenAsync()
        {
            await using var context = Hub.Get<RealtimeDatabase>().ForService();
            return await context.WebsocketConnections.CountAsync(row => row.ClosedAt == null && row.UserId.StartsWith(_user), TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task EachNode_DisconnectsTheOthersConnectionsAndUsers()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        foreach (var (asked, on) in new[] { (Hub, other), (other, Hub) })
        {
            var admin = asked.As(Tokens.Admin());
            await using var one = await ConnectAsync(on, _user);
            await using var two = await ConnectAsync(on, _user);
            await using var here = await ConnectAsync(asked, _user);
            await Eventually("all are listed", async () => await CountAsync(asked, $"userId={_user}") == 3);
            (await admin.DeleteAsync($"{Connections}/{one.Id}")).ShouldBe(200).Number("disconnected").ShouldBe(1);
            await one.Closed.Soon("it is closed");
            (await admin.PostAsync($"/api/v1/admin/users/{_user}/disconnect", new { })).ShouldBe(200).Number("disconnected").ShouldBe(2);
            await two.Closed.Soon("it is closed");
            await here.Closed.Soon("it is closed");
            await Eventually("none is listed", async () => await CountAsync(asked, $"userId={_user}") == 0);
        }
    }

    [Fact]
    public async Task ABlock_HoldsOnBothNodes_AndIsLiftedOnBoth()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        await using var hub = await ConnectAsync(other, _user);
        await Eventually("it is listed", async () => await CountAsync(Hub, $"userId={_user}") == 1);
        (await Admin.PostAsync($"/api/v1/admin/users/{_user}/disconnect", new { blockSeconds = 600 })).ShouldBe(200);
        (await hub.Closed.Soon("it is closed")).ShouldNotBeNull().Message.ShouldContain("user_blocked: ");
        foreach (var node in new[] { Hub, other })
        {
            (await node.As(Tokens.User(_user, WorkBuddy)).GetAsync("/api/v1/apps")).ShouldBeProblem(403, "user_blocked");
            await Should.ThrowAsync<Exception>(ConnectAsync(node, _user));
        }

        (await other.As(Tokens.Admin()).DeleteAsync($"/api/v1/admin/users/{_user}/block")).ShouldBe(204);
        foreach (var node in new[] { Hub, other })
            await Eventually("the user is let in", async () => (await node.As(Tokens.User(_user, WorkBuddy)).GetAsync("/api/v1/apps")).Status == 200);
    }

    [Fact]
    public async Task AKilledNode_ItsConnectionsAreClosed_AndItsUsersAreGone()
    {
        var process = Keep(await HubProcess.StartAsync(Fixture.Store));
        await using var watching = await FollowAsync(Hub.Address, New("user"));
        await using var lost = await FollowAsync(process.Address, _user);
        await Eventually("the lost one is present", async () => (await PresentAsync(watching)).Contains(_user));

        await process.KillAsync();
        var started = TimeProvider.System.GetTimestamp();
        await Eventually("who was on it has left", () => watching.Signals.Any(signal => signal.Items("data", "left").Any(user => user.GetString() == _user)));
        TestContext.Current.TestOutputHelper?.WriteLine($"left after {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        (await PresentAsync(watching)).ShouldNotContain(_user);
        (await Admin.GetAsync($"{Connections}?userId={_user}&state=closed")).ShouldBe(200).Items("items").ShouldHaveSingleItem().Text("closeReason").ShouldBe("node_lost");

        // The user comes back on another node.
        await using var back = await FollowAsync(Hub.Address, _user);
        await Eventually("the user is back", () => watching.Signals.Any(signal => signal.Items("data", "joined").Any(user => user.Text("userId") == _user)));
    }

    [Fact]
    public async Task ANodeThatWasGivenUp_EntersItsConnectionsAnew()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        await using var hub = await ConnectAsync(other, _user);
        await Eventually("it is listed", async () => await CountAsync(Hub, $"userId={_user}") == 1);

        // As another node does it with one that does not beat.
        await Fixture.Store.ExecuteAsync($"""
            UPDATE nodes SET lost_at = now() WHERE id = '{other.Get<NodeIdentity>().Id}';
            UPDATE websocket_connections SET closed_at = now(), close_reason = 'node_lost' WHERE user_id = '{_user}'
            """);

        await Eventually("it is open again", async () =>
            (await Admin.GetAsync($"{Connections}/{hub.Id}")).ShouldBe(200) is var row && !row.TryGetProperty("closedAt", out _)
            && (await Admin.GetAsync("/api/v1/admin/nodes")).Json.Items("items").Single(node => node.Text("id") == row.Text("node")).Flag("alive"));
        hub.Closed.IsCompleted.ShouldBeFalse();
        (await Admin.DeleteAsync($"{Connections}/{hub.Id}")).ShouldBe(200);
    }

    [Fact]
    public async Task AfterAnOutageOfTheStore_NobodyIsGivenUp_WhoMayComeBackToo()
    {
        var (store, time, node) = (await Fixture.NewStoreAsync(), new FakeTimeProvider(TimeProvider.System.GetUtcNow()), New("away"));
        await using var host = await LogHost.StartAsync(store, new LogHostSettings { Time = time });
        await store.ExecuteAsync($"""
            INSERT INTO nodes (id, instance, version, started_at, heartbeat_at, figures) VALUES ('{node}', gen_random_uuid(), '0', now(), now() - interval '1 minute', '{"{}"}');
            """);

        await host.Get<NodeRegistry>().RunOnceAsync();
        (await LostAsync()).ShouldBe(0, "this node has beaten once only");

        time.Advance(TimeSpan.FromSeconds(9));
        await host.Get<NodeRegistry>().RunOnceAsync();
        time.Advance(TimeSpan.FromSeconds(9));
        await host.Get<NodeRegistry>().RunOnceAsync();
        (await LostAsync()).ShouldBe(1, "this node has beaten for a whole lease, and the other has not");

        Task<long> LostAsync() => store.SingleAsync<long>($"SELECT count(*) FROM nodes WHERE id = '{node}' AND lost_at IS NOT NULL");
    }

    [Fact]
    public async Task WhatALostNodeWritesLate_IsClosedAllTheSame()
    {
        var node = New("zombie");
        await Fixture.Store.ExecuteAsync($"""
            INSERT INTO nodes (id, instance, version, started_at, heartbeat_at, figures, lost_at) VALUES ('{node}', gen_random_uuid(), '0', now(), now() - interval '1 minute', '{"{}"}', now());
            INSERT INTO websocket_connections (id, node_id, user_id, apps, transport, protocol, connected_at, last_seen_at, behind, events_sent, stalls, subscriptions, scopes)
            VALUES ('{node}', '{node}', '{_user}', '{"{}"}', 'webSockets', 'json', now(), now(), 0, 0, 0, '[]', '{"{}"}')
            """);
        await Eventually("it is closed", async () => (await Admin.GetAsync($"{Connections}/{node}")).Json.TryGetProperty("closeReason", out var reason) && reason.GetString() == "node_lost");
    }

    [Fact]
    public async Task ANodeThatDoesNotAnswer_Is503_AndTheCommandLapses()
    {
        var node = New("silent");
        await Fixture.Store.ExecuteAsync($"INSERT INTO nodes (id, instance, version, started_at, heartbeat_at, figures) VALUES ('{node}', gen_random_uuid(), '0', now(), now() + interval '5 seconds', '{"{}"}')");
        var answer = await Admin.PostAsync($"/api/v1/admin/nodes/{node}/drain", "");
        answer.ShouldBeProblem(503, "unavailable");
        answer.RetryAfter.ShouldBeGreaterThan(0);
        var store = Hub.Get<ClusterStore>();
        (await store.ReadCommandsAsync(node, TimeSpan.FromSeconds(60))).ShouldHaveSingleItem().Kind.ShouldBe("drain");
        await Fixture.Store.ExecuteAsync($"UPDATE node_commands SET created_at = now() - interval '2 minutes' WHERE node_id = '{node}'");
        (await store.ReadCommandsAsync(node, TimeSpan.FromSeconds(60))).ShouldBeEmpty();
        await Fixture.Store.ExecuteAsync($"UPDATE nodes SET stopped_at = now() WHERE id = '{node}'");
    }

    [Fact]
    public async Task ANodeThatStops_ClosesItsConnections()
    {
        var other = await StartHubAsync(on: Fixture.Store);
        await using var hub = await ConnectAsync(other, _user);
        await Eventually("it is listed", async () => await CountAsync(Hub, $"userId={_user}") == 1);
        await other.StopAsync();
        (await Admin.GetAsync($"{Connections}/{hub.Id}")).ShouldBe(200).Text("closeReason").ShouldBe("node_stopped");
    }

    [Fact]
    public async Task AnOutageOfTheStore_LosesNoConnection()
    {
        await using var postgres = await PostgresInstance.StartNewAsync();
        await using (await LogHost.StartAsync(postgres.Store, new LogHostSettings { Storage = storage => storage.MigrateAtStart = true }))
        {
        }

        var own = await StartHubAsync(on: postgres.Store);
        await using var before = await FollowAsync(own.Address, _user);
        await Eventually("it is present", async () => (await PresentAsync(before)).Contains(_user));
        var goes = await ConnectAsync(own, New("user"));
        await Eventually("both are listed", async () => await CountAsync(own, "") == 2);

        await postgres.StopAsync();
        await before.RefusedUntilAsync("unavailable", "Presence", new { app = WorkBuddy, topic = _topic });
        await goes.StopAsync();
        var during = await ConnectAsync(own, New("user"));
        await postgres.StartAsync();

        await Eventually("those that are open are listed", async () =>
            (await own.As(Tokens.Admin()).GetAsync(Connections)) is { Status: 200 } answer && answer.Json.Items("items").Ids().ToHashSet(StringComparer.Ordinal).SetEquals([before.Id, during.Id]), TimeSpan.FromSeconds(40));
        (await own.As(Tokens.Admin()).GetAsync($"{Connections}/{goes.Id}")).ShouldBe(200).Text("closeReason").ShouldBe("client");
        await during.InvokeAsync("Ping", new { });
        await during.DisposeAsync();
        await goes.DisposeAsync();
    }

    private static Task<HubClient> ConnectAsync(HubHost node, string user) => HubClient.ConnectAsync(node.Address, Tokens.User(user, WorkBuddy));

    private async Task<HubClient> FollowAsync(Uri address, string user)
    {
        var hub = await HubClient.ConnectAsync(address, Tokens.User(user, WorkBuddy));
        await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        return hub;
    }

    private async Task<IReadOnlyList<string>> PresentAsync(HubClient hub) =>
        [.. (await hub.InvokeAsync("Presence", new { app = WorkBuddy, topic = _topic })).Items("users").Select(user => user.Text("userId"))];

    private static async Task<long> CountAsync(HubHost asked, string query) => (await asked.As(Tokens.Admin()).GetAsync($"{Connections}?limit=1&{query}")).ShouldBe(200).Number("total");
}
