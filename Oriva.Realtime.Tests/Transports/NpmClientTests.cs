using System.Text.Json;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>The official npm clients, in Node, over every transport.</summary>
public sealed class NpmClientTests(SqliteHub fixture, NpmClients npm) : HubTests(fixture), IClassFixture<SqliteHub>, IClassFixture<NpmClients>
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    public static readonly TheoryData<int, string> Ways = new(
        from version in new[] { 8, 9, 10 }
        from transport in new[] { "WebSockets", "ServerSentEvents", "LongPolling" }
        select (version, transport));

    private string Own => $"{WorkBuddy}/users/{_user}";

    private string Room => $"{WorkBuddy}/topics/{_topic}";

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task TheNpmClient_SeesAndDoesEverything(int version, string transport)
    {
        await using var client = Run(Hub.Address, version, transport, "scenario");

        var subscribed = await client.StepAsync("subscribed");
        subscribed.Text("version").ShouldStartWith(version + ".");
        subscribed.Number("answer", "subscription").ShouldBe(1);
        subscribed.At("answer", "streams").Names().ShouldBe([WorkBuddy, Own, Room], ignoreOrder: true);

        var live = (await client.StepAsync("live")).Items("events");
        live.Ids().ShouldBe(Ids(1, 2), ignoreOrder: true);
        var first = live.Single(e => e.Text("id") == _user + "-1");
        first.Names().ShouldBe(["id", "source", "type", "data", "userId", "time", "actor", "app", "stream", "seq", "recordedAt"]);
        JsonElement.DeepEquals(first.At("data"), JsonElement.Parse("""{ "n": 1, "text": "Grüße 🎵", "list": [null, true, 1.5, {}], "deep": { "a": [[]] } }""")).ShouldBeTrue(first.ToString());

        await client.StepAsync("acked");
        var signals = (await client.StepAsync("signalled")).Items("signals");
        signals.Select(signal => signal.Text("name")).ShouldBe(["typing", "cleared"]);
        signals[0].Text("topic").ShouldBe(_topic);
        JsonElement.DeepEquals(signals[0].At("data"), first.At("data")).ShouldBeTrue(signals[0].ToString());
        signals[1].Text("userId").ShouldBe(_user);

        var replayed = (await client.StepAsync("replayed")).Items("events");
        replayed.Where(e => e.Text("stream") == Own).Ids().ShouldBe(Ids([.. Enumerable.Range(0, 200).Where(i => i % 4 != 3).Select(i => i + 4)]));
        replayed.Where(e => e.Text("stream") == Room).Ids().ShouldBe(Ids([.. Enumerable.Range(0, 200).Where(i => i % 4 == 3).Select(i => i + 4)]));
        (await client.StepAsync("filtered")).Items("events").Ids().ShouldBe(Ids(205, 206), ignoreOrder: true);

        var published = await client.StepAsync("published");
        published.Text("receipt", "stream").ShouldBe(Own);
        published.Items("events").Ids().ShouldBe(Ids(208));
        var refusals = (await client.StepAsync("refused")).Items("refusals").Select(refusal => refusal.GetString()!.Split(':')[0]);
        refusals.ShouldBe(["app_forbidden", "topic_forbidden", "type_forbidden", "not_found", "malformed"]);

        var done = await client.StepAsync("done");
        done.Items("faults").ShouldBeEmpty();
        done.Items("rest").ShouldBeEmpty();
        await client.EndAsync();

        await Hub.Get<EvidenceLog>().SaveAsync(TestContext.Current.CancellationToken);
        (await Fixture.Store.SingleAsync<long>(
            $"SELECT acked_position FROM connection_evidence WHERE user_id = '{_user}' AND stream = '{Own}' AND from_position = 0")).ShouldBe(1);
    }

    /// <summary>1,000 for every run; 10,000 for the long one.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public Task ABurst_ThroughCutsAndARestart_IsWholeAndInOrder(int version, string transport) => BurstAsync(version, transport, 1_000, 100);

    [Theory]
    [MemberData(nameof(Ways))]
    [Trait("Category", "Long")]
    public Task ABurstOf10000_ThroughCutsAndARestart_IsWholeAndInOrder(int version, string transport) => BurstAsync(version, transport, 10_000, 500);

    private async Task BurstAsync(int version, string transport, int events, int atOnce)
    {
        await using var server = new RestartableHub(await Fixture.NewStoreAsync());
        await using var client = Run(server.Address, version, transport, "follow", events);
        await client.StepAsync("subscribed");
        await Burst.PublishAsync(server, _user, events, atOnce, () => client.Count);
        var done = await client.StepAsync("done", TimeSpan.FromSeconds(100));
        done.Items("faults").ShouldBeEmpty();
        done.Items("seqs").Select(seq => seq.GetInt64()).ShouldBe(Enumerable.Range(1, events).Select(n => (long)n));
        if (transport != "LongPolling")
            done.Number("gaps").ShouldBe(0);
        // A cut may pass unnoticed by long polling, which asks again.
        done.Number("reconnections").ShouldBeGreaterThanOrEqualTo(transport == "LongPolling" ? 1 : 3);
        await client.EndAsync();
    }

    private NpmClient Run(Uri address, int version, string transport, string mode, int count = 0) => npm.Run(new
    {
        version, transport, mode, count, topic = _topic, app = WorkBuddy, user = _user,
        url = address.ToString().TrimEnd('/'), token = Tokens.User(_user, WorkBuddy), publisher = Tokens.Publisher(WorkBuddy),
    });

    private string[] Ids(params int[] numbers) => [.. numbers.Select(n => $"{_user}-{n}")];
}
