using System.Text.Json;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Transports;

/// <summary>
/// The same over every transport and protocol, seen by the official .NET client on real Kestrel. Five ways: server-sent events carry text only, so that
/// SignalR has no MessagePack there.
/// </summary>
public sealed class TransportTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    private readonly string _user = New("user");
    private readonly string _topic = New("room");

    public static readonly TheoryData<HttpTransportType, Protocol> Ways = new(
        from transport in new[] { HttpTransportType.WebSockets, HttpTransportType.ServerSentEvents, HttpTransportType.LongPolling }
        from protocol in Enum.GetValues<Protocol>()
        where (transport, protocol) is not (HttpTransportType.ServerSentEvents, Protocol.MessagePack)
        select (transport, protocol));

    private string Own => $"{WorkBuddy}/users/{_user}";

    private string Room => $"{WorkBuddy}/topics/{_topic}";

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task WhatIsPublished_IsSeenLive_ToTheUserAndOnItsTopics(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        var answer = await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        answer.Names().ShouldBe(["app", "subscription", "epoch", "streams", "reset"], ignoreOrder: true);
        answer.Number("subscription").ShouldBe(1);
        answer.Flag("reset").ShouldBeFalse();
        answer.At("streams").Names().ShouldBe([WorkBuddy, Own, Room], ignoreOrder: true);

        await PublishAsync(Mine(1), InRoom(2), Draft(New("other")), Draft(topic: New("room")));
        await hub.ReceiveAsync(2);
        await PublishAsync(Mine(3));
        await hub.ReceiveAsync(3);
        hub.Received.Ids.ShouldBe(Ids(1, 2, 3), ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task ACursor_BringsWhatWasMissed_InOrderAndOnce(HttpTransportType transport, Protocol protocol)
    {
        var streams = new Dictionary<string, long>();
        string epoch;
        await using (var before = await ConnectAsync(transport, protocol))
        {
            var answer = await before.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
            epoch = answer.Text("epoch");
            foreach (var stream in answer.At("streams").EnumerateObject())
                streams[stream.Name] = stream.Value.GetInt64();
            await PublishAsync(Mine(1), InRoom(2));
            await before.ReceiveAsync(2);
            foreach (var (stream, through) in before.Received.Positions)
                streams[stream] = through;
        }

        await PublishAsync([.. Enumerable.Range(3, 300).Select(n => n % 2 == 0 ? InRoom(n) : Mine(n))]);
        await using var after = await ConnectAsync(transport, protocol);
        var resumed = await after.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic }, cursor = new { epoch, streams } });
        resumed.Flag("reset").ShouldBeFalse();
        resumed.Number("streams", Own).ShouldBe(1);
        await after.ReceiveAsync(300);
        await PublishAsync(Mine(303));
        await after.ReceiveAsync(301);
        after.Received.Events.Where(e => e.Text("stream") == Own).Ids().ShouldBe(Ids([.. Enumerable.Range(3, 301).Where(n => n % 2 == 1)]));
        after.Received.Events.Where(e => e.Text("stream") == Room).Ids().ShouldBe(Ids([.. Enumerable.Range(3, 300).Where(n => n % 2 == 0)]));

        (await after.SubscribeAsync(new { app = WorkBuddy, cursor = new { epoch = "another", streams } })).Flag("reset").ShouldBeTrue();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Interests_SelectByTypeTopicAndData(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        await hub.SubscribeAsync(new
        {
            app = WorkBuddy,
            interests = new object[]
            {
                new { types = new[] { "session.*" }, topic = _topic },
                new
                {
                    types = new[] { "session.ended" },
                    filters = new object[]
                    {
                        new { path = "minutes", op = "gte", value = 2.5 }, new { path = "tags.0", op = "in", value = new[] { "å", "b" } },
                        new { path = "done", op = "eq", value = true }, new { path = "left", op = "exists", value = false },
                    },
                },
            },
        });
        await PublishAsync(
            Session(1, "session.started", new { }, _topic), Session(2, "session.started", new { }), InRoom(3),
            Session(4, "session.ended", new { minutes = 3, tags = new[] { "å" }, done = true }),
            Session(5, "session.ended", new { minutes = 2.4, tags = new[] { "å" }, done = true }),
            Session(6, "session.ended", new { minutes = 3, tags = new[] { "c" }, done = true }),
            Session(7, "session.ended", new { minutes = 3, tags = new[] { "b" }, done = false }),
            Session(8, "session.ended", new { minutes = 3, tags = new[] { "b" }, done = true, left = 1 }),
            Session(9, "session.ended", new { minutes = 2.5, tags = new[] { "b" }, done = true }));
        await hub.ReceiveAsync(3);
        hub.Received.Ids.ShouldBe(Ids(1, 4, 9), ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task AnAck_IsKeptAsEvidence(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await PublishAsync(Mine(1), Mine(2), Mine(3));
        await hub.ReceiveAsync(3);
        await hub.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [Own] = 2 } });
        await Hub.Get<EvidenceLog>().SaveAsync(TestContext.Current.CancellationToken);
        (await EvidenceAsync()).ShouldBe("0..3, acked 2");

        // Cumulative, and never beyond what was pushed.
        await hub.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [Own] = 1 } });
        await hub.InvokeAsync("Ack", new { app = WorkBuddy, streams = new Dictionary<string, long> { [Own] = 99 } });
        await Hub.Get<EvidenceLog>().SaveAsync(TestContext.Current.CancellationToken);
        (await EvidenceAsync()).ShouldBe("0..3, acked 3");

        Task<string> EvidenceAsync() => Fixture.Store.SingleAsync<string>(
            $"SELECT from_position || '..' || pushed_position || ', acked ' || acked_position FROM connection_evidence WHERE user_id = '{_user}' AND stream = '{Own}'");
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Signals_ReachATopicsFollowers_AndTheUsersOwnDevices(HttpTransportType transport, Protocol protocol)
    {
        var (other, data) = (New("user"), new { x = 1.5, text = "Grüße 🎵", list = new object?[] { 1, null, true } });
        await using var hub = await ConnectAsync(transport, protocol);
        await using var second = await ConnectAsync(transport, protocol);
        await using var follower = await ConnectAsync(transport, protocol, other);
        await hub.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });
        await second.SubscribeAsync(new { app = WorkBuddy });
        await follower.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } });

        await hub.InvokeAsync("Signal", new { app = WorkBuddy, topic = _topic, name = "typing", data });
        await hub.SignalledAsync(1);
        await follower.SignalledAsync(1);
        var signal = follower.Signals[0];
        signal.Names().ShouldBe(["app", "topic", "from", "name", "data", "at"], ignoreOrder: true);
        (signal.Text("topic"), signal.Text("from"), signal.Text("name")).ShouldBe((_topic, _user, "typing"));
        signal.Text("at").ShouldEndWith("Z");
        JsonElement.DeepEquals(signal.At("data"), JsonSerializer.SerializeToElement(data)).ShouldBeTrue(signal.ToString());

        await hub.InvokeAsync("Signal", new { app = WorkBuddy, name = "cleared", data = new { } });
        await hub.SignalledAsync(2);
        await second.SignalledAsync(1);
        second.Signals[0].Text("userId").ShouldBe(_user);

        // What code in the same process sends, in a form of its own.
        await Hub.Get<IHubContext<RealtimeHub>>().Clients.Group($"app:{WorkBuddy}:topic:{_topic}").SendAsync(
            "signal", new { name = "from-within", data, at = DateTimeOffset.UnixEpoch }, TestContext.Current.CancellationToken);
        await follower.SignalledAsync(2);
        await hub.SignalledAsync(3);
        follower.Signals[1].Text("name").ShouldBe("from-within");
        follower.Signals[1].Text("at").ShouldStartWith("1970-01-01T00:00:00");
        JsonElement.DeepEquals(follower.Signals[1].At("data"), JsonSerializer.SerializeToElement(data)).ShouldBeTrue(follower.Signals[1].ToString());
        second.Signals.Count.ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Unsubscribing_EndsOneAppsEventsAndSignals(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        await hub.SubscribeAsync(new { app = LiveMixers });
        await hub.InvokeAsync("Unsubscribe", WorkBuddy);
        await PublishAsync(Mine(1), new { source = LiveMixers, type = "session.started", userId = _user, id = _user + "-2" });
        await hub.InvokeAsync("Signal", new { app = WorkBuddy, name = "n", data = 1 });
        await hub.InvokeAsync("Signal", new { app = LiveMixers, name = "n", data = 1 });
        await hub.ReceiveAsync(1);
        await hub.SignalledAsync(1);
        hub.Received.Ids.ShouldBe(Ids(2));
        hub.Signals.ShouldHaveSingleItem().Text("app").ShouldBe(LiveMixers);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task AnError_BeginsWithItsCode_AndTheConnectionStays(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        await hub.RefusedAsync("invalid", "Subscribe", new { });
        await hub.RefusedAsync("app_forbidden", "Subscribe", new { app = HugoLove });
        await hub.RefusedAsync("topic_forbidden", "Subscribe", new { app = WorkBuddy, topics = new[] { "team-1" } });
        await hub.RefusedAsync("type_forbidden", "Publish", Mine(1));
        await hub.RefusedAsync("schema_violation", "Publish", Completed(1, ""));
        await hub.RefusedAsync("topic_forbidden", "Signal", new { app = WorkBuddy, topic = "team-1", name = "n", data = 1 });
        await hub.RefusedAsync("user_forbidden", "Signal", new { app = WorkBuddy, userId = "bob", name = "n", data = 1 });
        await hub.RefusedAsync("malformed", "Subscribe", "work-buddy");
        await hub.RefusedAsync("malformed", "Subscribe", new { app = 1 });
        await hub.RefusedAsync("malformed", "Subscribe");
        await hub.RefusedAsync("not_found", "NoSuchMethod");
        await hub.SubscribeAsync(new { app = WorkBuddy });
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task PublishingOnTheHub_AnswersTheReceipt(HttpTransportType transport, Protocol protocol)
    {
        await using var hub = await ConnectAsync(transport, protocol);
        await hub.SubscribeAsync(new { app = WorkBuddy });
        var receipt = await hub.InvokeAsync("Publish", Completed(1, "t"));
        receipt.Names().ShouldBe(["id", "stream", "seq", "recordedAt", "duplicate"], ignoreOrder: true);
        (receipt.Text("id"), receipt.Text("stream"), receipt.Number("seq"), receipt.Flag("duplicate")).ShouldBe((_user + "-1", Own, 1, false));
        receipt.Text("recordedAt").ShouldEndWith("Z");
        (await hub.InvokeAsync("Publish", Completed(1, "t"))).Flag("duplicate").ShouldBeTrue();
        await hub.RefusedAsync("id_reused", "Publish", Completed(1, "other"));
        await hub.ReceiveAsync(1);
        hub.Received.Events.ShouldHaveSingleItem().Text("actor").ShouldBe(_user);
    }

    [Fact]
    public async Task MessagePackOverServerSentEvents_IsNotOffered_AsSignalRHasIt()
    {
        var offered = (await AsUser(_user).PostAsync("/hubs/realtime/negotiate?negotiateVersion=1", "")).ShouldBe(200).Items("availableTransports");
        offered.ToDictionary(way => way.Text("transport"), way => string.Join(' ', way.Items("transferFormats"))).ShouldBe(
            new Dictionary<string, string> { ["WebSockets"] = "Text Binary", ["ServerSentEvents"] = "Text", ["LongPolling"] = "Text Binary" }, ignoreOrder: true);
        var refused = await Should.ThrowAsync<AggregateException>(async () => await ConnectAsync(HttpTransportType.ServerSentEvents, Protocol.MessagePack));
        refused.Message.ShouldContain("does not support the 'Binary' transfer format");

        // A client that may choose takes one that can.
        await using var hub = await ConnectAsync(HttpTransportType.ServerSentEvents | HttpTransportType.LongPolling, Protocol.MessagePack);
        (await hub.SubscribeAsync(new { app = WorkBuddy })).Flag("reset").ShouldBeFalse();
    }

    /// <summary>MessagePack over the transport, long polling where it has none, against JSON over the transport.</summary>
    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task AnEvent_HasTheSameShape_InBothProtocols(HttpTransportType transport)
    {
        const string Data = """
            { "nothing": null, "yes": true, "no": false, "text": "Grüße, 世界 🎵 \" \\ \n <&>", "empty": "", "list": [], "object": {},
              "numbers": [0, -1, 1, 127, 128, 65536, -2147483649, 9007199254740993, 18446744073709551615, -9223372036854775808, 0.1, -2.5, 1e300, 5e-324, 10.0],
              "time": "2026-01-31T12:00:00.123456789+02:00",
              "deep": { "a": [[1, [2, { "b": [null, "x", { "ключ": { "": 1 } }] }]], "end"] } }
            """;
        await using var json = await ConnectAsync(transport, Protocol.Json);
        await using var messagePack = await ConnectAsync(transport | HttpTransportType.LongPolling, Protocol.MessagePack);
        var answers = new[] { await json.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } }), await messagePack.SubscribeAsync(new { app = WorkBuddy, topics = new[] { _topic } }) };
        ShouldBeTheSame(answers[1], answers[0]);
        var draft = $$"""
            { "source": "work-buddy", "type": "session.started", "topic": "{{_topic}}", "id": "{{_user}}-1", "time": "2026-01-31T12:00:00.1+02:00", "data": {{Data}},
              "metadata": { "correlationId": "c-1", "note": "ü" } }
            """;
        (await Publisher.PublishAsync(JsonElement.Parse(draft))).ShouldBe(201);
        await json.ReceiveAsync(1);
        await messagePack.ReceiveAsync(1);
        ShouldBeTheSame(messagePack.Received.Batches[0], json.Received.Batches[0]);

        var e = messagePack.Received.Events[0];
        e.Names().ShouldBe(["id", "source", "type", "data", "topic", "time", "metadata", "actor", "app", "stream", "seq", "recordedAt"]);
        e.Text("time").ShouldBe("2026-01-31T10:00:00.1Z");
        ShouldBeTheSame(e.At("data"), JsonElement.Parse(Data));
    }

    /// <summary>1,000 for every run; 10,000 for the long one.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public Task ABurst_ThroughCutsAndARestart_IsWholeAndInOrder(HttpTransportType transport, Protocol protocol) => BurstAsync(transport, protocol, 1_000, 100);

    [Theory]
    [MemberData(nameof(Ways))]
    [Trait("Category", "Long")]
    public Task ABurstOf10000_ThroughCutsAndARestart_IsWholeAndInOrder(HttpTransportType transport, Protocol protocol) => BurstAsync(transport, protocol, 10_000, 500);

    private async Task BurstAsync(HttpTransportType transport, Protocol protocol, int events, int atOnce)
    {
        await using var server = new RestartableHub(await Fixture.NewStoreAsync());
        await using var follower = await BurstFollower.StartAsync(server.Address, Tokens.User(_user, WorkBuddy), transport, protocol);
        await Burst.PublishAsync(server, _user, events, atOnce, () => follower.Seqs.Count);
        await follower.ReceiveAsync(events);
        follower.Faults.ShouldBeEmpty();
        follower.Seqs.ShouldBe(Enumerable.Range(1, events).Select(n => (long)n));
        if (transport != HttpTransportType.LongPolling)
            follower.Gaps.ShouldBe(0);
        // A cut may pass unnoticed by long polling, which asks again.
        follower.Reconnections.ShouldBeGreaterThanOrEqualTo(transport == HttpTransportType.LongPolling ? 1 : 3);
    }

    private static void ShouldBeTheSame(JsonElement actual, JsonElement expected, string at = "")
    {
        actual.ValueKind.ShouldBe(expected.ValueKind, at);
        switch (expected.ValueKind)
        {
            case JsonValueKind.Object:
                actual.Names().ShouldBe(expected.Names(), at);
                foreach (var property in expected.EnumerateObject())
                    ShouldBeTheSame(actual.GetProperty(property.Name), property.Value, $"{at}/{property.Name}");
                break;
            case JsonValueKind.Array:
                actual.GetArrayLength().ShouldBe(expected.GetArrayLength(), at);
                for (var i = 0; i < expected.GetArrayLength(); i++)
                    ShouldBeTheSame(actual[i], expected[i], $"{at}/{i}");
                break;
            default:
                JsonElement.DeepEquals(actual, expected).ShouldBeTrue($"{at}: {actual.GetRawText()} is not {expected.GetRawText()}");
                break;
        }
    }

    private Task<TransportClient> ConnectAsync(HttpTransportType transport, Protocol protocol, string? user = null) => TransportClient.ConnectAsync(
        Hub.Address, Tokens.Of(new Oriva.Realtime.Hub.Authentication.TokenRequest(user ?? _user) { Apps = [WorkBuddy, LiveMixers] }), transport, protocol);

    private async Task PublishAsync(params object[] drafts) => (await Publisher.PublishAsync(drafts)).ShouldBe(201);

    private string[] Ids(params int[] numbers) => [.. numbers.Select(n => $"{_user}-{n}")];

    private Dictionary<string, object> Mine(int n) => Draft(_user, id: $"{_user}-{n}");

    private Dictionary<string, object> InRoom(int n) => Draft(topic: _topic, id: $"{_user}-{n}");

    private object Session(int n, string type, object data, string? topic = null) => topic is null
        ? new { source = WorkBuddy, type, userId = _user, id = $"{_user}-{n}", data }
        : new { source = WorkBuddy, type, topic, id = $"{_user}-{n}", data };

    private object Completed(int n, string taskId) => new { source = WorkBuddy, type = "task.reaction_added", userId = _user, id = $"{_user}-{n}", data = new { taskId, reaction = "heart" } };
}
