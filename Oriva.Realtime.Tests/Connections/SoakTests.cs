using System.Globalization;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Feed;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Connections;

public sealed class SqliteSoakTests(SqliteHub fixture) : SoakTests(fixture), IClassFixture<SqliteHub>;

public sealed class PostgresSoakTests(PostgresHub fixture) : SoakTests(fixture), IClassFixture<PostgresHub>;

/// <summary>
/// Visitors of every kind come and go while events are published, and get what they are entitled to. In between, when all have left, nothing of them is
/// left: no session, no subscription, no group, no timer, no memory. Half a minute; ORIVA_SOAK_MINUTES=30 for longer.
/// </summary>
[Collection(Alone.Name)]
public abstract class SoakTests(HubFixture fixture) : HubTests(fixture)
{
    private const int Visitors = 24;
    private const int Rooms = 10;
    private const int Users = 300;

    /// <summary>What the JIT, the pools of the runtime and of drivers, and the fragments between objects that live come to.</summary>
    private const long MostGrowth = 10_000_000;

    /// <summary>Sockets' and pools' own, which the runtime keeps for a while.</summary>
    private const int MostTimers = 20;

    private static readonly string[] s_types = ["task.created", "session.started"];

    private static readonly TimeSpan s_length = TimeSpan.FromMinutes(
        Environment.GetEnvironmentVariable("ORIVA_SOAK_MINUTES") is { } minutes ? double.Parse(minutes, CultureInfo.InvariantCulture) : 0.5);

    private static readonly TimeSpan s_round = s_length / Math.Clamp(s_length.TotalMinutes, 6, 30);

    /// <summary>Between a visitor's visits: what is looked for takes time, not load.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(500);

    private int _visits;
    private int _received;

    [Fact]
    [Trait("Category", "Long")]
    public async Task Visitors_LeaveNothingBehind()
    {
        var first = default(Remains);
        var last = default(Remains);
        var started = TimeProvider.System.GetTimestamp();
        for (var round = 1; TimeProvider.System.GetElapsedTime(started) < s_length; round++)
        {
            await VisitAsync();
            await Waiting.Eventually("everybody has left", () => CountLeft() == 0);
            last = Remains.Measure();
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:F0} s: {_visits} visits, {_received} events received, {last.Bytes / 1e6:F1} MB, {last.Timers} timers");
            // The first round warms up; what it leaves is there to stay.
            first ??= round == 2 ? last : null;
        }

        first.ShouldNotBeNull("too short: there was one round");
        (last!.Bytes - first.Bytes).ShouldBeLessThan(MostGrowth);
        (last.Timers - first.Timers).ShouldBeLessThan(MostTimers);
        _received.ShouldBeGreaterThan(_visits);
        Hub.Log.Lines.Where(line => line.Contains(" Error ", StringComparison.Ordinal) && !line.Contains("HubException", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private int CountLeft() => Hub.Get<SessionFactory>().Running.Count() + Hub.Get<StreamFeed>().Streams.Count + ((ConnectionLifetimeManager)Hub.Get<HubLifetimeManager<RealtimeHub>>()).Count;

    private async Task VisitAsync()
    {
        using var end = new CancellationTokenSource();
        var publishing = PublishAsync(end.Token);
        var started = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Visitors).Select(async _ =>
        {
            while (TimeProvider.System.GetElapsedTime(started) < s_round)
            {
                await VisitAsync(Interlocked.Increment(ref _visits));
                await Task.Delay(s_pause, TimeProvider.System);
            }
        }));
        await end.CancelAsync();
        await publishing;
    }

    private async Task PublishAsync(CancellationToken end)
    {
        var publisher = Hub.Get<EventPublisher>();
        for (var i = 0; !end.IsCancellationRequested; i++)
        {
            // To all, to a room and to one user, in turn.
            var draft = EventDraft.Of(WorkBuddy, s_types[i % 2], new { taskId = "t", title = "Soak", number = i }) with
            {
                Topic = i % 3 == 1 ? "room-" + (i % Rooms) : null,
                UserId = i % 3 == 2 ? "soak-" + (i % Users) : null,
            };
            (await publisher.PublishAsync(Caller.Service, draft, CancellationToken.None)).Fault.ShouldBeNull();
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task VisitAsync(int number)
    {
        var (user, room) = ("soak-" + (number % Users), "room-" + (number % Rooms));
        return (number % 8) switch
        {
            0 => ByHubAsync(user, room, HttpTransportType.WebSockets, Protocol.Json),
            1 => ByHubAsync(user, room, HttpTransportType.WebSockets, Protocol.MessagePack),
            2 => ByHubAsync(user, room, HttpTransportType.ServerSentEvents, Protocol.Json),
            3 => ByHubAsync(user, room, HttpTransportType.LongPolling, Protocol.MessagePack),
            4 => ByStreamAsync(user),
            5 => ByPollAsync(user),
            6 => CutAndBackAsync(user, room),
            _ => AnnoyAsync(user),
        };
    }

    /// <summary>Everything that a client does on a connection.</summary>
    private async Task ByHubAsync(string user, string room, HttpTransportType transport, Protocol protocol)
    {
        await using var client = await TransportClient.ConnectAsync(Hub.Address, Tokens.User(user, WorkBuddy, "room-*"), transport, protocol);
        await client.SubscribeAsync(new { app = WorkBuddy, topics = new[] { room } });
        await client.ReceiveAsync(3);
        await client.InvokeAsync("Ack", new { app = WorkBuddy, streams = client.Received.Positions });
        await client.InvokeAsync("Renew", Tokens.User(user, WorkBuddy, "room-*"));
        await client.InvokeAsync("Signal", new { app = WorkBuddy, topic = room, name = "typing", data = new { user } });
        Interlocked.Add(ref _received, client.Received.Events.Count);
        if (user.EndsWith('2'))
            await client.InvokeAsync("Unsubscribe", WorkBuddy);
    }

    private async Task ByStreamAsync(string user)
    {
        await using var stream = await AsUser(user).OpenStreamAsync($"app={WorkBuddy}");
        Interlocked.Add(ref _received, (await stream.ReadEventsAsync(3)).Count);
    }

    private async Task ByPollAsync(string user)
    {
        var answer = (await AsUser(user).PollAsync(new { app = WorkBuddy, waitSeconds = 0 })).ShouldBe(200);
        answer = (await AsUser(user).PollAsync(new { app = WorkBuddy, cursor = answer.At("cursor"), waitSeconds = 5 })).ShouldBe(200);
        answer.Items("events").Count.ShouldBePositive();
        Interlocked.Add(ref _received, answer.Items("events").Count);
    }

    /// <summary>Filters, and a connection that breaks: the next one goes on from its cursor.</summary>
    private async Task CutAndBackAsync(string user, string room)
    {
        object? cursor = null;
        for (var i = 0; i < 2; i++)
        {
            await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(user, WorkBuddy, "room-*"));
            var interests = new[] { new { types = new[] { "task.*" }, filters = new[] { new { path = "title", op = "contains", value = "oak" } } } };
            var answer = await client.CallAsync("Subscribe", new { app = WorkBuddy, topics = new[] { room }, interests, cursor });
            answer.Flag("reset").ShouldBeFalse();
            cursor = new { epoch = answer.Text("epoch"), streams = answer.At("streams") };
            var batch = (await client.NextAsync("events").Soon("an event")).ShouldNotBeNull("the connection stays");
            Interlocked.Add(ref _received, batch.Items("events").Count);
        }
    }

    /// <summary>Subscribes to everything and reads nothing, calls what there is not, and breaks off in the middle of a frame.</summary>
    private async Task AnnoyAsync(string user)
    {
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(user, WorkBuddy, "room-*"), receiveBuffer: 4_096);
        await client.SendJsonAsync("""{"type":1,"invocationId":"1","target":"Subscribe","arguments":[{"app":"work-buddy","from":"start","topics":["room-1","room-2"]}]}""");
        await client.SendJsonAsync("""{"type":1,"invocationId":"2","target":"NoSuchThing","arguments":[]}""");
        (await client.ReadByteAsync()).ShouldBeTrue();
        await client.SendFrameAsync(1, [1, 2, 3], declared: 1_000);
    }

    /// <summary>After a full collection, and what finalizers let go.</summary>
    private sealed record Remains(long Bytes, long Timers)
    {
        public static Remains Measure()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return new Remains(GC.GetTotalMemory(forceFullCollection: true), Timer.ActiveCount);
        }
    }
}
