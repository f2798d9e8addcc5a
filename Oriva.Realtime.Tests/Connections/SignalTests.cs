using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Hub;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>Signals and <c>IHubContext</c> sends: nobody waits for a reader, and a reader that does not keep up loses the oldest.</summary>
public sealed class SignalTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    /// <summary>Far below the ten seconds for which a write to a stuck reader is pending.</summary>
    private static readonly TimeSpan s_atOnce = TimeSpan.FromSeconds(4);

    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    [Fact]
    public async Task AStuckMember_DelaysNoSignal()
    {
        await using var stuck = await StuckReader.StartAsync(Hub, New("stuck"), _topic);
        await using var sender = await FollowAsync(_user);
        await using var other = await FollowAsync(New("user"));
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 100; i++)
            await sender.CallAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "typing", data = new { i } });
        for (var i = 0; i < 100; i++)
        {
            var signal = (await other.NextAsync("signal").Soon("a signal comes"))!.Value;
            signal.Names().ShouldBe(["app", "topic", "from", "name", "data", "at"], ignoreOrder: true);
            signal.Text("from").ShouldBe(_user);
            signal.Number("data", "i").ShouldBe(i);
        }

        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(s_atOnce);
        stuck.IsStuck.ShouldBeTrue();
    }

    [Fact]
    public async Task AStuckMember_DelaysNoHubContextSend_AndLosesTheOldest()
    {
        using var drops = new DropCounter(Hub);
        await using var stuck = await StuckReader.StartAsync(Hub, New("stuck"), _topic);
        await using var other = await FollowAsync(_user);
        var group = Hub.Get<IHubContext<RealtimeHub>>().Clients.Group($"app:{WorkBuddy}:topic:{_topic}");
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 500; i++)
        {
            await group.SendAsync("note", new { i }, TestContext.Current.CancellationToken);
            // So that the one who reads is not too slow by chance.
            (await other.NextAsync("note").Soon("a note comes"))!.Value.Number("i").ShouldBe(i);
        }

        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(s_atOnce);
        stuck.IsStuck.ShouldBeTrue();
        drops.Count.ShouldBe(500 - 64, "the stuck one holds 64");

        // It reads again within the ten seconds that a write may take: the newest are there, in order.
        var got = new List<long>();
        while (got.Count < 64)
            got.Add((await stuck.Client.NextAsync("note").Soon("a kept note comes")).ShouldNotBeNull("the connection was kept").Number("i"));
        got.ShouldBe(Enumerable.Range(500 - 64, 64).Select(i => (long)i));
    }

    [Fact]
    public async Task HubContextSends_ReachGroupsUsersAndConnections()
    {
        await using var mine = await FollowAsync(_user);
        await using var other = await FollowAsync(New("user"));
        var clients = Hub.Get<IHubContext<RealtimeHub>>().Clients;
        await clients.User(_user).SendAsync("note", "user", TestContext.Current.CancellationToken);
        await clients.Group($"app:{WorkBuddy}:user:{_user}").SendAsync("note", "own", TestContext.Current.CancellationToken);
        await clients.Group($"app:{WorkBuddy}:topic:{_topic}").SendAsync("note", "topic", TestContext.Current.CancellationToken);
        foreach (var expected in new[] { "user", "own", "topic" })
            (await mine.NextAsync("note").Soon("a note comes"))!.Value.GetString().ShouldBe(expected);
        (await other.NextAsync("note").Soon("a note comes"))!.Value.GetString().ShouldBe("topic");

        await mine.CallAsync("Unsubscribe", WorkBuddy);
        await clients.Group($"app:{WorkBuddy}:topic:{_topic}").SendAsync("note", "later", TestContext.Current.CancellationToken);
        await clients.User(_user).SendAsync("note", "last", TestContext.Current.CancellationToken);
        (await mine.NextAsync("note").Soon("a note comes"))!.Value.GetString().ShouldBe("last", "who has unsubscribed is in no group");
    }

    [Fact]
    public async Task AUser_SignalsToItsOwnDevices_AndTopicsThatItMayFollow()
    {
        await using var device = await FollowAsync(_user);
        await using var other = await FollowAsync(New("user"));
        await using var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await hub.InvokeAsync("Signal", new { app = WorkBuddy, name = "own", data = 1 });
        await hub.InvokeAsync("Signal", new { app = WorkBuddy, userId = _user, name = "own", data = 2 });
        await hub.InvokeAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "all" });
        (await SignalAsync(device)).Number("data").ShouldBe(1);
        var second = await SignalAsync(device);
        second.Number("data").ShouldBe(2);
        second.Text("userId").ShouldBe(_user);
        (await SignalAsync(device)).At("data").ValueKind.ShouldBe(JsonValueKind.Null);
        (await SignalAsync(other)).Text("name").ShouldBe("all");

        await hub.RefusedAsync("user_forbidden", "Signal", new { app = WorkBuddy, userId = New("user"), name = "n" });
        await hub.RefusedAsync("topic_forbidden", "Signal", new { app = WorkBuddy, topic = "team-1", name = "n" });
        await hub.RefusedAsync("topic_forbidden", "Signal", new { app = WorkBuddy, topic = "no such topic", name = "n" });
        await hub.RefusedAsync("app_forbidden", "Signal", new { app = HugoLove, name = "n" });
        await hub.RefusedAsync("invalid", "Signal", new { app = WorkBuddy, topic = _topic, userId = _user, name = "n" });
        await hub.RefusedAsync("invalid", "Signal", new { app = WorkBuddy });
        await hub.RefusedAsync("invalid", "Signal", new { app = WorkBuddy, name = new string('n', 129) });
        await hub.RefusedAsync("invalid", "Signal", new object?[] { null });
        await hub.RefusedAsync("too_large", "Signal", new { app = WorkBuddy, name = "n", data = new string('x', 8_192) });
    }

    [Fact]
    public async Task APublisher_SignalsToAnyUserOfItsApps()
    {
        await using var device = await FollowAsync(_user);
        await using var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.Publisher(WorkBuddy));
        await hub.InvokeAsync("Signal", new { app = WorkBuddy, userId = _user, name = "n", data = new { a = new[] { 1 } } });
        var signal = await SignalAsync(device);
        signal.Text("from").ShouldBe("back-end");
        signal.At("data", "a").GetArrayLength().ShouldBe(1);
        await hub.RefusedAsync("app_forbidden", "Signal", new { app = HugoLove, userId = _user, name = "n" });
    }

    private static async Task<JsonElement> SignalAsync(RawClient client) => (await client.NextAsync("signal").Soon("a signal comes")).ShouldNotBeNull();

    private async Task<RawClient> FollowAsync(string user)
    {
        var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(user, WorkBuddy));
        await client.CallAsync("Subscribe", new { app = WorkBuddy, topics = new[] { _topic } });
        return client;
    }

    private sealed class DropCounter : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _count;

        public DropCounter(HubHost hub)
        {
            var meter = hub.Get<IMeterFactory>().Create(RealtimeMetrics.MeterName);
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == meter && instrument.Name == "oriva.signals.dropped")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, by, _, _) => Interlocked.Add(ref _count, by));
            _listener.Start();
        }

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }
}
