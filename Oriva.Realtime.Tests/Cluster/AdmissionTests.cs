using Microsoft.AspNetCore.Http.Connections;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub.Cluster;
using Oriva.Realtime.Hub.Connections;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary>How many new connections a node takes in a second.</summary>
public sealed class AdmissionTests(PostgresHub fixture) : ClusterTests(fixture), IClassFixture<PostgresHub>
{
    private readonly FakeTimeProvider _time = new();
    private readonly string _user = New("user");

    [Fact]
    public void ABurst_GetsWhatTheRateAllows_AndTheRestIsSpread()
    {
        var admission = AdmissionOf(10);
        for (var i = 0; i < 10; i++)
            admission.Refuse().ShouldBeNull();
        var waits = Enumerable.Range(0, 130).Select(_ => admission.Refuse().ShouldNotBeNull().RetryAfter!.Value.TotalSeconds).ToList();
        waits.GroupBy(wait => wait).ShouldAllBe(group => group.Count() == (group.Key < 10 ? 10 : 40));
        waits.ShouldBeInOrder();
        waits.Max().ShouldBe(10);

        // Whoever comes back when it was told to gets in.
        foreach (var second in Enumerable.Range(1, 9))
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            for (var i = 0; i < 10; i++)
                admission.Refuse().ShouldBeNull($"second {second}");
            admission.Refuse().ShouldNotBeNull();
        }
    }

    [Fact]
    public void WithoutALimit_AllGetIn()
    {
        var admission = AdmissionOf(0);
        Enumerable.Range(0, 10_000).Select(_ => admission.Refuse()).ShouldAllBe(refused => refused == null);
    }

    [Fact]
    public void AfterAQuietTime_NoMoreThanASecondsWorthGetsInAtOnce()
    {
        var admission = AdmissionOf(10);
        _time.Advance(TimeSpan.FromHours(1));
        Enumerable.Range(0, 30).Count(_ => admission.Refuse() is null).ShouldBe(10);
        _time.Advance(TimeSpan.FromMilliseconds(250));
        Enumerable.Range(0, 30).Count(_ => admission.Refuse() is null).ShouldBe(2);
    }

    [Fact]
    public async Task WhoWasNegotiatedHere_IsNotRefused_AndWhoWasNot_Is()
    {
        var (node, other) = (await StartNodeAsync(("Limits:ConnectsPerSecond", "1")), await StartNodeAsync());
        var caller = node.As(Tokens.User(_user, WorkBuddy));
        var elsewhere = await NegotiateAsync(other.As(Tokens.User(_user, WorkBuddy)));
        var id = await NegotiateAsync(caller);
        HttpAnswer refused;
        do
        {
            refused = await caller.PostAsync(Negotiate, "");
        }
        while (refused.Status == 200);
        refused.ShouldBeProblem(503, "unavailable");
        refused.RetryAfter.ShouldBeInRange(1, 10);
        (await caller.GetAsync(Poll(id))).Status.ShouldBe(200);
        // Of another node: passed on, and no new connection.
        (await caller.GetAsync(Poll(elsewhere))).Status.ShouldBe(200);
        (await caller.PostAsync(Poll(elsewhere), """{"protocol":"json","version":1}""" + (char)Connections.RawClient.Separator)).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task ABurstOfClients_GetsInBitByBit_AndNobodyIsLost(HttpTransportType transport)
    {
        const int count = 40, rate = 10;
        var node = await StartNodeAsync(("Limits:ConnectsPerSecond", rate.ToString()));
        var (began, admitted, refusals) = (TimeProvider.System.GetTimestamp(), 0, 0);
        var clients = await Task.WhenAll(Enumerable.Range(0, count).Select(async i =>
        {
            while (true)
            {
                try
                {
                    var client = await HubClient.ConnectAsync(node.Address, Tokens.User($"{_user}-{i}", WorkBuddy), transport);
                    var so = Interlocked.Increment(ref admitted);
                    so.ShouldBeLessThanOrEqualTo((int)Math.Ceiling(rate * (1 + TimeProvider.System.GetElapsedTime(began).TotalSeconds)));
                    return client;
                }
                catch (HttpRequestException e) when (e.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable)
                {
                    Interlocked.Increment(ref refusals);
                    await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, TestContext.Current.CancellationToken);
                }
            }
        })).Soon("all are in", TimeSpan.FromSeconds(60));

        refusals.ShouldBeGreaterThan(0);
        node.Get<ConnectionLifetimeManager>().Connections.Count.ShouldBe(count);
        foreach (var client in clients)
            await client.DisposeAsync();
    }

    private Admission AdmissionOf(int perSecond) => new(
        new NodeIdentity(Options.Create(new ClusterOptions()), _time), Options.Create(new SessionLimits { ConnectsPerSecond = perSecond }), _time);
}
