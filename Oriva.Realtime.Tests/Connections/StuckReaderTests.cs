using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>
/// Readers that have stopped among many that read: the others get everything, and so do the stuck ones when they come back. How long the others wait is
/// printed, not asserted: this machine is not alone. It is counted from when an event was due, so that a sender that is held up shows.
/// </summary>
[Collection(Alone.Name)]
public sealed class StuckReaderTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    /// <summary>A stuck reader holds what is being written, in the frame and in the connection's pipe, and here its own stream's tail, for ten seconds.</summary>
    private const long MostGrowthAReader = 2_000_000;

    /// <summary>What else the process does.</summary>
    private const long MostGrowth = 15_000_000;

    [Fact]
    public async Task OneStuckOfFifty_HarmsItselfOnly() => await CompareAsync(readers: 50, stuck: 1, events: 60, TimeSpan.FromMilliseconds(10));

    [Fact]
    public async Task OneThatReadsAByteASecond_HarmsItselfOnly() =>
        await CompareAsync(readers: 20, stuck: 1, events: 60, TimeSpan.FromMilliseconds(50), oneByte: true);

    [Fact]
    [Trait("Category", "Long")]
    public async Task OneStuckOfFiveHundred_IsCutOff_AndABareGroupWaitsForIt()
    {
        await CompareAsync(readers: 500, stuck: 1, events: 60, TimeSpan.FromMilliseconds(50), untilCut: true);
        await using var bare = await BareHub.StartAsync();
        var readers = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => bare.JoinAsync()));
        try
        {
            Print("a bare SignalR group, 500 readers", await MeasureAsync(readers, 60, TimeSpan.FromMilliseconds(50), bare.SendAsync));
            await using var stuck = await bare.JoinStuckAsync();
            Print("a bare SignalR group, 500 readers and 1 stuck", await MeasureAsync(readers, 60, TimeSpan.FromMilliseconds(50), bare.SendAsync));
        }
        finally
        {
            await DisposeAsync(readers);
        }
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task FiftyStuckOfFiveHundred_HarmThemselvesOnly() => await CompareAsync(readers: 450, stuck: 50, events: 60, TimeSpan.FromMilliseconds(50));

    private async Task CompareAsync(int readers, int stuck, int events, TimeSpan pace, bool oneByte = false, bool untilCut = false)
    {
        var all = new List<RawClient>();
        for (var i = 0; i < readers; i++)
        {
            all.Add(await RawClient.ConnectAsync(Hub.Address, Tokens.User(New("reader"), WorkBuddy)));
            await all[^1].CallAsync("Subscribe", new { app = WorkBuddy });
        }

        var stuckOnes = new List<StuckReader>();
        try
        {
            var name = $"{readers} readers";
            Print(name, await MeasureAsync(all, events, pace, PublishAsync));
            var memory = GC.GetTotalMemory(forceFullCollection: true);
            for (var i = 0; i < stuck; i++)
                stuckOnes.Add(await StuckReader.StartAsync(Hub, New("stuck")));
            using var end = new CancellationTokenSource();
            var crawling = oneByte ? ReadAByteASecondAsync(stuckOnes[0].Client, end.Token) : Task.CompletedTask;
            Print($"{name} and {stuck} {(oneByte ? "reading a byte a second" : "stuck")}", await MeasureAsync(all, events, pace, PublishAsync));
            await end.CancelAsync();
            await crawling;
            stuckOnes.ShouldAllBe(one => one.IsStuck);
            var growth = GC.GetTotalMemory(forceFullCollection: true) - memory;
            WriteLine($"memory grew by {growth / 1_000_000.0:F1} MB, {(double)growth / stuck / 1_000_000:F2} MB a stuck reader");
            growth.ShouldBeLessThan(MostGrowth + (stuck * MostGrowthAReader));

            if (untilCut)
            {
                var started = TimeProvider.System.GetTimestamp();
                await Waiting.Eventually("the stuck one is cut off", () => stuckOnes[0].Session is null);
                WriteLine($"cut off {TimeProvider.System.GetElapsedTime(started).TotalSeconds:F1} s after the last event");
            }

            foreach (var one in stuckOnes)
                await ComesBackAsync(one, events);
        }
        finally
        {
            await DisposeAsync(all);
            foreach (var one in stuckOnes)
                await one.DisposeAsync();
        }
    }

    /// <summary>With the cursor that it had when it stopped.</summary>
    private async Task ComesBackAsync(StuckReader stuck, int events)
    {
        await stuck.DisposeAsync();
        var ledger = new BatchLedger();
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(stuck.User, WorkBuddy));
        var request = new { app = WorkBuddy, cursor = new { epoch = stuck.Answer.Text("epoch"), streams = stuck.Answer.At("streams") } };
        var answer = await client.CallAsync("Subscribe", request, message => ledger.Add(message.At("arguments")[0]));
        answer.Flag("reset").ShouldBeFalse();
        ledger.AddAnswer(answer);
        var (own, app) = (new List<long>(), new List<long>());
        Take(ledger.Batches);
        while (own.Count < StuckReader.Fill || app.Count < events)
        {
            var batch = (await client.NextAsync("events").Soon("what it missed comes")).ShouldNotBeNull("the connection stays");
            ledger.Add(batch);
            Take([batch]);
        }

        ledger.Check();
        own.ShouldBe(Enumerable.Range(1, StuckReader.Fill).Select(i => (long)i));
        app.ShouldBe(Enumerable.Range(0, events).Select(i => (long)i));

        void Take(IEnumerable<JsonElement> batches)
        {
            foreach (var e in batches.SelectMany(batch => batch.Items("events")))
            {
                if (e.Text("stream") == stuck.OwnStream)
                    own.Add(e.Number("seq"));
                else
                    app.Add(e.Number("data", "number"));
            }
        }
    }

    private async Task PublishAsync(int number) =>
        (await Hub.Get<EventPublisher>().PublishAsync(Caller.Service, EventDraft.Of(WorkBuddy, "session.started", new { number }), CancellationToken.None)).Fault.ShouldBeNull();

    /// <summary>Sends one after the other, each when it is due or as soon as the one before has been sent; every reader must get every one, in order.</summary>
    /// <returns>How long each took from when it was due, over all readers, in order.</returns>
    private static async Task<List<double>> MeasureAsync(IReadOnlyList<RawClient> readers, int count, TimeSpan pace, Func<int, Task> send)
    {
        var waits = new ConcurrentBag<double>();
        var started = TimeProvider.System.GetTimestamp();
        var reading = readers.Select(ReadAsync).ToList();
        for (var i = 0; i < count; i++)
        {
            if ((i * pace) - TimeProvider.System.GetElapsedTime(started) is { } early && early > TimeSpan.Zero)
                await Task.Delay(early, TimeProvider.System);
            await send(i);
        }

        await Task.WhenAll(reading).Soon("every reader gets everything", TimeSpan.FromSeconds(60));
        return [.. waits.Order()];

        async Task ReadAsync(RawClient reader)
        {
            for (var expected = 0; expected < count;)
            {
                var message = (await reader.NextAsync("events")).ShouldNotBeNull("the reader's connection stays");
                var waited = TimeProvider.System.GetElapsedTime(started);
                foreach (var e in message.Items("events"))
                {
                    e.Number("data", "number").ShouldBe(expected);
                    waits.Add((waited - (expected * pace)).TotalMilliseconds);
                    expected++;
                }
            }
        }
    }

    private static async Task ReadAByteASecondAsync(RawClient client, CancellationToken end)
    {
        using var second = new PeriodicTimer(TimeSpan.FromSeconds(1), TimeProvider.System);
        while (!end.IsCancellationRequested)
        {
            (await client.ReadByteAsync()).ShouldBeTrue("there is more to read");
            try
            {
                await second.WaitForNextTickAsync(end);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static void Print(string what, List<double> waits)
    {
        WriteLine($"{what}: p50 {At(0.5):F1} ms, p99 {At(0.99):F1} ms, most {waits[^1]:F1} ms of {waits.Count} deliveries");

        double At(double part) => waits[(int)(part * (waits.Count - 1))];
    }

    private static void WriteLine(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    private static async Task DisposeAsync(IEnumerable<RawClient> clients)
    {
        foreach (var client in clients)
            await client.DisposeAsync();
    }

    /// <summary>What everybody gets who uses SignalR's groups as they are.</summary>
    private sealed class BareHub(WebApplication app) : IAsyncDisposable
    {
        private static readonly string s_filler = new('x', 60_000);

        private Uri Address => new(app.Urls.Single());

        private IHubContext<GroupHub> Clients => app.Services.GetRequiredService<IHubContext<GroupHub>>();

        public static async Task<BareHub> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Services.AddSignalR();
            var app = builder.Build();
            app.MapHub<GroupHub>("/bare");
            await app.StartAsync();
            return new BareHub(app);
        }

        public async Task<RawClient> JoinAsync()
        {
            var client = await RawClient.ConnectAsync(Address, "", path: "/bare");
            await client.CallAsync("Join", "all");
            return client;
        }

        public async Task<RawClient> JoinStuckAsync()
        {
            var client = await RawClient.ConnectAsync(Address, "", receiveBuffer: 4_096, path: "/bare");
            var id = (await client.CallAsync("Join", "all")).GetString()!;
            for (var i = 0; i < 100; i++)
                _ = Clients.Clients.Client(id).SendAsync("filler", s_filler);
            return client;
        }

        public Task SendAsync(int number) =>
            Clients.Clients.Group("all").SendAsync("events", new { events = new[] { new { data = new { number } } } });

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }

    private sealed class GroupHub : Microsoft.AspNetCore.SignalR.Hub
    {
        public async Task<string> Join(string group)
        {
            await Groups.AddToGroupAsync(Context.ConnectionId, group);
            return Context.ConnectionId;
        }
    }
}
