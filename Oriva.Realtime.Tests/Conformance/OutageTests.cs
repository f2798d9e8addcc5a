using Npgsql;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Conformance;

/// <summary>A node whose way to PostgreSQL breaks: at the worst moment, for a while, or from the start.</summary>
public sealed class OutageTests(PostgresFixture fixture) : StoreTests(fixture), IClassFixture<PostgresFixture>
{
    private readonly List<TcpProxy> _proxies = [];

    public static TheoryData<string> Publishes => new("id given", "id made", "array", "shared");

    [Theory]
    [MemberData(nameof(Publishes))]
    public async Task AnswerLost_AfterTheCommit_PublishGetsItsReceipt(string what)
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var (source, consumer) = await Node.AddSharingAppsAsync();
        await node.Registry.RefreshAsync(Cancel);
        await node.PublishAsync(Drafts.Shared(source));
        await using var session = RunningSession.Open(node, Callers.User("ada", source));
        await session.SubscribeAsync(new SubscribeRequest(source));

        Task<Outcome<IReadOnlyList<Receipt>>> publish;
        await using (await Store.HoldAppendsAsync(source))
        {
            publish = node.Publisher.PublishAsync(DraftsOf(what, source), Cancel);
            await Eventually("the append waits in PostgreSQL", async () => await CountWaitingAsync() == 1);
            proxy.HoldAnswers();
        }

        var count = DraftsOf(what, source).Length;
        await Eventually("the append is committed", async () => (await Node.ReadStreamAsync(source)).Count == 1 + count);
        publish.IsCompleted.ShouldBeFalse();
        proxy.Cut();

        await ShouldHaveAppendedOnceAsync(await publish.Soon("the publish is answered"), source, consumer, count);
        await session.ReachAsync(source, 1 + count);
        session.Output.PositionsIn(source).ShouldBe(Enumerable.Range(2, count).Select(n => (long)n));
    }

    [Theory]
    [MemberData(nameof(Publishes))]
    public async Task ConnectionLost_BeforeTheCommit_PublishGetsItsReceipt(string what)
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var (source, consumer) = await Node.AddSharingAppsAsync();
        await node.Registry.RefreshAsync(Cancel);
        await node.PublishAsync(Drafts.Shared(source));
        await using var session = RunningSession.Open(node, Callers.User("ada", source));
        await session.SubscribeAsync(new SubscribeRequest(source));

        Task<Outcome<IReadOnlyList<Receipt>>> publish;
        await using (await Store.HoldAppendsAsync(source))
        {
            publish = node.Publisher.PublishAsync(DraftsOf(what, source), Cancel);
            await Eventually("the append waits in PostgreSQL", async () => await CountWaitingAsync() == 1);
            proxy.Cut();
            // PostgreSQL does not see that its client has gone before it answers. The node finds no receipt, and appends again.
            await Eventually("the second append waits behind the first", async () => await CountWaitingAsync() == 2);
            publish.IsCompleted.ShouldBeFalse();
        }

        var count = DraftsOf(what, source).Length;
        await ShouldHaveAppendedOnceAsync(await publish.Soon("the publish is answered"), source, consumer, count);
        await session.ReachAsync(source, 1 + count);
    }

    [Fact]
    public async Task AnswerLost_AfterALongWait_IsLookedUpAllTheSame()
    {
        // The time for looking up begins when the answer is lost, however long the append had taken by then.
        var (node, proxy) = await StartBehindProxyAsync(options => options.ResolveTimeout = TimeSpan.FromMilliseconds(1));
        var app = await Node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app));

        proxy.HoldAnswers();
        var publish = node.PublishAsync(Drafts.ToAll(app));
        await Eventually("the append is committed", async () => (await Node.ReadStreamAsync(app)).Count == 2);
        proxy.Cut();

        var receipt = await publish.Soon("the publish is answered");
        (receipt.Position, receipt.Duplicate).ShouldBe((2, false));
    }

    [Fact]
    public async Task AnswerLost_AndPostgresGone_PublishIsUnavailable_AndItsRepeatADuplicate()
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var app = await Node.AddAppAsync();
        await node.Registry.RefreshAsync(Cancel);
        await node.PublishAsync(Drafts.ToAll(app));

        Task<Outcome<Receipt>> publish;
        await using (await Store.HoldAppendsAsync(app))
        {
            publish = node.Publisher.PublishAsync(Drafts.ToAll(app), Cancel);
            await Eventually("the append waits in PostgreSQL", async () => await CountWaitingAsync() == 1);
            proxy.Refuse();
        }

        var refused = (await publish.Soon("the publish is answered")).Refused(FaultCodes.Unavailable);
        var id = refused.EventIds.ShouldHaveSingleItem();
        await Eventually("PostgreSQL has committed it meanwhile", async () => (await Node.ReadStreamAsync(app)).Count == 2);
        proxy.Restore();

        // What the answer said: safe to repeat with the same id.
        var repeat = await node.PublishAsync(Drafts.ToAll(app) with { Id = id });
        (repeat.Position, repeat.Duplicate).ShouldBe((2, true));
        (await Node.ReadStreamAsync(app)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task PostgresUnreachable_PublishesAreRefusedAtOnce_AndGoOnAfterwards()
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var app = await Node.AddAppAsync();
        await node.Registry.RefreshAsync(Cancel);
        await node.PublishAsync(Drafts.ToAll(app));
        await using var session = RunningSession.Open(node, Callers.User("ada", app));
        await session.SubscribeAsync(new SubscribeRequest(app));

        proxy.Refuse();
        // The first finds that its connection is gone, and may not know whether it was heard.
        (await node.Publisher.PublishAsync(Drafts.ToAll(app), Cancel)).Refused(FaultCodes.Unavailable);
        var started = TimeProvider.System.GetTimestamp();
        var refused = await Task.WhenAll(Enumerable.Range(0, 200).Select(n => node.Publisher.PublishAsync(Drafts.ToAll(app) with { Id = n % 2 == 0 ? null : $"e-{n}" }, Cancel)))
            .Soon("the queue drains");
        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(TimeSpan.FromSeconds(3));
        foreach (var outcome in refused)
        {
            outcome.Refused(FaultCodes.Unavailable).ShouldSatisfyAllConditions(
                fault => fault.RetryAfter.ShouldNotBeNull(), fault => fault.EventIds.ShouldNotBeNull().Count.ShouldBe(1));
        }

        (await session.TrySubscribeAsync(new SubscribeRequest(app))).Refused(FaultCodes.Unavailable);

        proxy.Restore();
        (await node.PublishAsync(Drafts.ToAll(app) with { Id = "e-1" })).ShouldSatisfyAllConditions(
            receipt => receipt.Position.ShouldBe(2), receipt => receipt.Duplicate.ShouldBeFalse());
        await session.ReachAsync(app, 2);
        (await Node.ReadStreamAsync(app)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task ConnectionsKilledWhilePublishing_EveryIdIsStoredOnce_AndSessionsMissNothing()
    {
        const int publishers = 6, each = 60;
        var (node, proxy) = await StartBehindProxyAsync();
        var app = await Node.AddAppAsync();
        await node.Registry.RefreshAsync(Cancel);
        await using var session = RunningSession.Open(node, Callers.User("ada", app));
        await session.SubscribeAsync(new SubscribeRequest(app));

        var publishing = Task.WhenAll(Enumerable.Range(0, publishers).Select(publisher => Task.Run(async () =>
        {
            var receipts = new List<Receipt>();
            for (var n = 0; n < each; n++)
                receipts.Add(await PublishUntilStoredAsync(node, Drafts.ToAll(app, new { n }) with { Id = $"{publisher}-{n}" }));
            return receipts;
        })));
        for (var cut = 0; !publishing.IsCompleted; cut++)
        {
            async Task<long> HeadAsync() => (await Node.Store.ReadHeadsAsync([app], Cancel)).GetValueOrDefault(app)?.Position ?? 0;
            var stored = await HeadAsync();
            await Eventually("some more are stored", async () => publishing.IsCompleted || await HeadAsync() > stored + 20);
            if (cut % 2 == 0)
                proxy.Cut();
            else
                await Store.ExecuteAsync($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{BehindProxy}'");
        }

        var receipts = (await publishing).SelectMany(answered => answered).ToList();
        var events = await Node.ReadStreamAsync(app);
        events.Select(e => e.Position).ShouldBe(Enumerable.Range(1, publishers * each).Select(n => (long)n));
        events.Select(e => e.Id).ShouldBe(receipts.OrderBy(receipt => receipt.Position).Select(receipt => receipt.Id));
        await session.ReachAsync(app, publishers * each);
        session.Output.PositionsIn(app).Count.ShouldBe(publishers * each);
        session.Output.Resets.ShouldBeEmpty();
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task AnswerHeldForLongerThanAnAppendMayTake_PublishGetsItsReceipt()
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var app = await Node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app));

        proxy.HoldAnswers();
        var started = TimeProvider.System.GetTimestamp();
        var publish = node.PublishAsync(Drafts.ToAll(app));
        await Eventually("the append is committed", async () => (await Node.ReadStreamAsync(app)).Count == 2);
        // Real time, because the driver has no other: PostgresEventStore gives an append 15 seconds.
        await Eventually("its time is over", () => TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(16));
        publish.IsCompleted.ShouldBeFalse();
        proxy.PassAnswers();

        var receipt = await publish.Soon("the publish is answered", TimeSpan.FromSeconds(60));
        (receipt.Position, receipt.Duplicate).ShouldBe((2, false));
        (await Node.ReadStreamAsync(app)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task NodeThatStops_WhilePostgresIsGone_AnswersAndEnds()
    {
        var (node, proxy) = await StartBehindProxyAsync();
        var app = await Node.AddAppAsync();
        await node.PublishAsync(Drafts.ToAll(app));
        List<Task<Outcome<Receipt>>> publishes;
        await using (await Store.HoldAppendsAsync(app))
        {
            publishes = [.. Enumerable.Range(0, 20).Select(n => node.Publisher.PublishAsync(Drafts.ToAll(app) with { Id = $"e-{n}" }, Cancel))];
            await Eventually("an append waits in PostgreSQL", async () => await CountWaitingAsync() == 1);
            proxy.Refuse();

            await node.StopAsync().Soon("the node stops");
        }

        foreach (var outcome in await Task.WhenAll(publishes).Soon("every publish is answered"))
            outcome.Refused(FaultCodes.Unavailable).EventIds.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task NodeThatStartsBeforePostgres_WaitsForIt()
    {
        var app = await Node.AddAppAsync();
        var proxy = NewProxy();
        proxy.Refuse();

        var node = await StartNodeAsync(Through(proxy), Store);
        node.Startup.WaitingFor.ShouldNotBeNull();
        (await node.Publisher.PublishAsync(Drafts.ToAll(app), Cancel)).Refused(FaultCodes.Unavailable);
        await using var session = RunningSession.Open(node, Callers.User("ada", app));
        (await session.TrySubscribeAsync(new SubscribeRequest(app))).Refused(FaultCodes.Unavailable);

        proxy.Restore();
        await Eventually("the node is ready", () => node.Startup.WaitingFor is null);
        await session.SubscribeAsync(new SubscribeRequest(app));
        await node.PublishAsync(Drafts.ToAll(app));
        await session.ReachAsync(app, 1);
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var proxy in _proxies)
            proxy.Restore();
        await base.DisposeAsync();
        foreach (var proxy in _proxies)
            await proxy.DisposeAsync();
    }

    private const string BehindProxy = "behind-proxy";

    private static EventDraft[] DraftsOf(string what, string app) => what switch
    {
        "id given" => [Drafts.ToAll(app) with { Id = "e-1" }],
        "id made" => [Drafts.ToAll(app)],
        "array" => [Drafts.ToAll(app) with { Id = "e-1" }, Drafts.ToAll(app), Drafts.Shared(app) with { Id = "e-3" }],
        _ => [Drafts.Shared(app)],
    };

    private async Task ShouldHaveAppendedOnceAsync(Outcome<IReadOnlyList<Receipt>> outcome, string source, string consumer, int count)
    {
        var receipts = outcome.Required();
        receipts.Select(receipt => receipt.Position).ShouldBe(Enumerable.Range(2, count).Select(n => (long)n));
        receipts.ShouldAllBe(receipt => !receipt.Duplicate);
        var stored = await Node.ReadStreamAsync(source);
        stored.Select(e => e.Position).ShouldBe(Enumerable.Range(1, 1 + count).Select(n => (long)n));
        stored.Skip(1).Select(e => (e.Id, e.RecordedAt)).ShouldBe(receipts.Select(receipt => (receipt.Id, receipt.RecordedAt)));
        (await Node.ReadStreamAsync(consumer)).Select(e => e.Id).ShouldBe(stored.Where(e => e.Type == TestManifest.SharedType).Select(e => e.Id));
    }

    /// <summary>What a publisher does that believes the contract.</summary>
    private static async Task<Receipt> PublishUntilStoredAsync(LogHost node, EventDraft draft)
    {
        while (true)
        {
            var outcome = await node.Publisher.PublishAsync(draft, Cancel);
            if (outcome.Fault is not { Code: FaultCodes.Unavailable })
                return outcome.Required();
            outcome.Fault.EventIds.ShouldBe([draft.Id!]);
        }
    }

    private async Task<(LogHost Node, TcpProxy Proxy)> StartBehindProxyAsync(Action<EventLogOptions>? options = null)
    {
        var proxy = NewProxy();
        return (await StartNodeAsync(Through(proxy) with { EventLog = options }, Store), proxy);
    }

    private TcpProxy NewProxy()
    {
        var direct = new NpgsqlConnectionStringBuilder(((PostgresStore)Store).ConnectionString);
        var proxy = new TcpProxy(direct.Host!, direct.Port);
        _proxies.Add(proxy);
        return proxy;
    }

    private LogHostSettings Through(TcpProxy proxy) => new()
    {
        Storage = storage => storage.PostgresConnectionString = new NpgsqlConnectionStringBuilder(((PostgresStore)Store).ConnectionString)
        {
            Host = "127.0.0.1",
            Port = proxy.Port,
            ApplicationName = BehindProxy,
        }.ToString(),
    };

    /// <summary>Statements of the node behind the proxy that wait for a lock.</summary>
    private Task<long> CountWaitingAsync() => Store.SingleAsync<long>(
        $"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{BehindProxy}' AND wait_event_type = 'Lock'");
}
