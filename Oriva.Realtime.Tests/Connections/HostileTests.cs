using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using MessagePack;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>
/// What no client of ours sends, on bare sockets: each gets an answer with a code or a clean end, and afterwards the server serves as before and has
/// logged no failure of its own.
/// </summary>
public sealed partial class HostileTests(SqliteHub fixture) : HubTests(fixture), IClassFixture<SqliteHub>
{
    private static readonly string[] s_targets = ["Subscribe", "Unsubscribe", "Ack", "Renew", "Publish", "Signal"];

    private readonly string _user = New("user");

    /// <summary>Arguments that no method takes, or that say nothing sensible; as JSON, so that MessagePack can have them too.</summary>
    private static readonly string[] s_arguments =
    [
        "null", "true", "0", "-1.5e300", "12345678901234567890123", "\"\"", "\"work-buddy\"", "[]", "[[[]]]", "{}", """{"":""}""",
        """{"app":null}""", """{"app":7}""", """{"app":{"a":[]}}""", """{"app":"work-buddy","topics":7,"streams":[]}""",
        """{"app":"work-buddy","topics":[null,7],"interests":[null],"streams":{"a":null},"name":[],"data":null}""",
        """{"app":"work-buddy","topics":[null],"interests":[{"types":[null],"filters":[null,{"path":null,"op":null,"value":null}]}],"streams":{"work-buddy":-1},"cursor":{}}""",
        """{"app":"work-buddy","cursor":{"epoch":null,"streams":{"work-buddy":9223372036854775807}},"from":"9999-99-99"}""",
        """{"app":"work-buddy","streams":{"work-buddy":9223372036854775807},"name":"n","topic":""}""",
        """{"app":"work-buddy","interests":[{"filters":[{"path":"a..b","op":"in","value":{}},{"path":"a","op":"gt","value":[]}]}]}""",
        """{"source":"work-buddy","type":7,"data":[],"metadata":{"a":1},"time":"now","id":"","userId":"a b"}""",
        """{"app":"work-buddy","name":"\u0000","data":"\ud800","source":"work-buddy","type":"task.completed"}""",
        Nested('[', ']', 60), Nested("{\"a\":", "}", 60, "1"), "\"" + new string('x', 100_000) + "\"", "{\"app\":\"" + new string('x', 100_000) + "\"}",
    ];

    [Fact]
    public async Task WrongArguments_AreRefusedWithACode()
    {
        foreach (var target in s_targets)
        {
            await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
            for (var i = 0; i < s_arguments.Length; i++)
            {
                await client.SendJsonAsync($$"""{"type":1,"invocationId":"{{i}}","target":"{{target}}","arguments":[{{s_arguments[i]}}]}""");
                CheckAnswer(await client.CompletionAsync($"{i}").Soon("an answer comes"), target, s_arguments[i]);
            }

            foreach (var arguments in new[] { "[]", "[1,2,3]", "[{},{}]" })
            {
                await client.SendJsonAsync($$"""{"type":1,"invocationId":"x","target":"{{target}}","arguments":{{arguments}}}""");
                (await client.CompletionAsync("x").Soon("an answer comes")).Text("error").ShouldStartWith("malformed: ");
            }
        }

        await ServesAsBeforeAsync();
    }

    [Fact]
    public async Task WrongArgumentsInMessagePack_AreRefusedWithACode()
    {
        foreach (var target in s_targets)
        {
            await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy), protocol: "messagepack");
            foreach (var argument in s_arguments)
                await PackedAsync(client, target, MessagePackSerializer.ConvertFromJson(argument, cancellationToken: TestContext.Current.CancellationToken), argument);
            await PackedAsync(client, target, [0xC1], "a byte that means nothing");
            await PackedAsync(client, target, [0x81, 0xC4, 0x01, 0x61, 0x01], "a map with a binary key");
            await PackedAsync(client, target, [0x81, 0x01, 0x01], "a map with a number for a key");
            await PackedAsync(client, target, [0x81, 0xC0, 0x01], "a map with nil for a key");
            await PackedAsync(client, target, [0xC4, 0x03, 1, 2, 3], "binary");
            await PackedAsync(client, target, [0xC7, 0x03, 0x42, 1, 2, 3], "an extension");
            await PackedAsync(client, target, [0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0], "NaN");
            await PackedAsync(client, target, [0xA3, 0xFF, 0xFE, 0x80], "a text that is no UTF-8");
            await PackedAsync(client, target, [0x82, 0xA3, 0x61, 0x70, 0x70, 0xA1, 0x61, 0xA3, 0x61, 0x70, 0x70, 0xA1, 0x62], "a name twice");
            await PackedAsync(client, target, [.. Enumerable.Repeat((byte)0x91, 10_000), 0xC0], "ten thousand arrays in one another");
            await PackedAsync(client, target, [.. Enumerable.Repeat(new byte[] { 0x81, 0xA1, 0x61 }, 10_000).SelectMany(bytes => bytes), 0xC0], "ten thousand maps in one another");
        }

        await ServesAsBeforeAsync();
    }

    [Theory]
    [InlineData("DD FF FF FF FF")] // an array of 2³² − 1
    [InlineData("96 01 80 A1 31 A9 53 75 62 73 63 72 69 62 65 DD 7F FF FF FF")] // so many arguments
    [InlineData("96 01 DF FF FF FF FF")] // so many headers
    [InlineData("96 01 80 DB FF FF FF FF")] // a name so long
    [InlineData("C1")]
    [InlineData("C0")]
    [InlineData("90")]
    [InlineData("93 A1 61 A1 62 A1 63")]
    public async Task MessagePackGarbage_EndsTheConnection_OrIsIgnored(string hex)
    {
        var bytes = hex.Split(' ').Select(part => Convert.ToByte(part, 16)).ToArray();
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy), protocol: "messagepack");
        await client.SendFrameAsync(2, [(byte)bytes.Length, .. bytes]);
        // Either it is closed, or it goes on and answers a call.
        await TryAsync(() => client.SendFrameAsync(2, Invocation("Unsubscribe", [0xC0])));
        await client.ReadFrameAsync().Soon("an answer or the end");
        await ServesAsBeforeAsync();
    }

    /// <summary>Later versions of the protocol may have more.</summary>
    [Fact]
    public async Task AKindOfMessageThatIsUnknown_IsIgnored()
    {
        await using var json = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await using var packed = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy), protocol: "messagepack");
        await json.SendTextAsync("""{"type":99}""" + "\u001e" + """{"type":1,"invocationId":"1","target":"Unsubscribe","arguments":["work-buddy"]}""" + "\u001e");
        await packed.SendFrameAsync(2, [2, 0x91, 0x63, .. Invocation("Unsubscribe", [0xC0])]);
        JsonElement.Parse((await json.ReadRecordAsync().Soon("the call is answered")).ShouldNotBeNull()).Text("invocationId").ShouldBe("1");
        await PackedAnswerAsync(packed, "Unsubscribe(nil)");
        await ServesAsBeforeAsync();
    }

    [Theory]
    [InlineData("FF FF FF FF FF 01")] // a length of more than five bytes
    [InlineData("FF FF FF FF 7F")] // above 2³¹
    public async Task MessagePackLengthsThatCannotBe_EndTheConnection(string hex)
    {
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy), protocol: "messagepack");
        await client.SendFrameAsync(2, hex.Split(' ').Select(part => Convert.ToByte(part, 16)).ToArray());
        await client.EndAsync().Soon("the connection ends");
        await ServesAsBeforeAsync();
    }

    [Theory]
    [InlineData("""{"type":1,"invocationId":"1","target":"NoSuchMethod","arguments":[]}""", "not_found: ")]
    [InlineData("""{"type":1,"invocationId":"1","target":"","arguments":[]}""", "not_found: ")]
    [InlineData("""{"type":1,"invocationId":"1","target":"OnConnectedAsync","arguments":[]}""", "not_found: ")]
    [InlineData("""{"type":1,"invocationId":"1","target":"Dispose","arguments":[]}""", "not_found: ")]
    [InlineData("""{"type":4,"invocationId":"1","target":"Subscribe","arguments":[{"app":"work-buddy"}]}""", "")]
    public async Task AnUnknownTarget_IsRefused_AndTheConnectionGoesOn(string message, string code)
    {
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await client.SendJsonAsync(message);
        var error = (await client.CompletionAsync("1").Soon("an answer comes")).Text("error");
        HasCode().IsMatch(error).ShouldBeTrue(error);
        error.ShouldStartWith(code);
        await client.CallAsync("Subscribe", new { app = WorkBuddy });
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{}")]
    [InlineData("""{"type":"x"}""")]
    [InlineData("""{"type":1}""")]
    [InlineData("""{"type":1,"target":7,"arguments":[]}""")]
    [InlineData("""{"type":1,"invocationId":7,"target":"Subscribe","arguments":[]}""")]
    [InlineData("""{"type":1,"invocationId":"1","target":"Subscribe","arguments":{}}""")]
    [InlineData("""{"type":1,"invocationId":"1","target":"Subscribe"}""")]
    [InlineData("""{"type":2,"invocationId":"9","item":1}""")]
    [InlineData("""{"type":3,"invocationId":"9","result":1}""")]
    [InlineData("""{"type":3,"invocationId":"9","result":1,"error":"both"}""")]
    [InlineData("""{"type":5,"invocationId":"9"}""")]
    [InlineData("""{"type":7,"error":"bye"}""")]
    [InlineData("""{"type":8,"sequenceId":99}""")]
    [InlineData("""{"type":9,"sequenceId":-1}""")]
    [InlineData("deep")]
    [InlineData("\0\0\0\0")]
    public async Task AMessageThatIsNone_EndsTheConnection_OrIsIgnored(string message)
    {
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await client.SendJsonAsync(message == "deep" ? $$"""{"type":1,"invocationId":"1","target":"Publish","arguments":[{{Nested('[', ']', 20_000)}}]}""" : message);
        await TryAsync(() => client.SendJsonAsync("""{"type":1,"invocationId":"2","target":"Unsubscribe","arguments":[null]}"""));
        await client.ReadRecordAsync().Soon("an answer or the end");
        await ServesAsBeforeAsync();
    }

    [Theory]
    [InlineData("""{"protocol":"no-such","version":1}""")]
    [InlineData("""{"protocol":"json","version":99}""")]
    [InlineData("""{"protocol":"json"}""")]
    [InlineData("""{"version":1}""")]
    [InlineData("""{"protocol":7,"version":"x"}""")]
    [InlineData("""{"type":1,"target":"Subscribe","arguments":[]}""")]
    [InlineData("[]")]
    [InlineData("GET / HTTP/1.1")]
    [InlineData("")]
    [InlineData("\0\u0001\u0002")]
    public async Task AWrongHandshake_EndsTheConnection(string handshake)
    {
        await using var client = await RawClient.UpgradeAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await client.SendJsonAsync(handshake);
        if (await client.ReadRecordAsync().Soon("an answer or the end") is { } answer)
        {
            JsonElement.Parse(answer).Text("error").ShouldNotBeEmpty();
            await client.EndAsync().Soon("the connection ends");
        }

        await ServesAsBeforeAsync();
    }

    [Fact]
    public async Task AHandshakeWithoutEnd_EndsTheConnection()
    {
        await using var client = await RawClient.UpgradeAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await TryAsync(() => client.SendTextAsync("{\"protocol\":\"" + new string('x', 1_000_000)));
        await client.EndAsync().Soon("the connection ends");
        await ServesAsBeforeAsync();
    }

    [Fact]
    public async Task FramesThatAreNone_EndTheConnection()
    {
        await EndsAsync(client => client.SendFrameAsync(3, [1, 2, 3])); // no such kind
        await EndsAsync(client => client.SendFrameAsync(0, [1, 2, 3])); // goes on with nothing
        await EndsAsync(client => client.SendFrameAsync(9, new byte[200])); // a ping that is too long
        await EndsAsync(client => client.SendFrameAsync(9, [1], isFinal: false));
        await EndsAsync(client => client.SendFrameAsync(1, [1], declared: ulong.MaxValue));
        await EndsAsync(client => client.SendAsync(new byte[] { 0xF1, 0x80, 0, 0, 0, 0 })); // reserved bits
        await EndsAsync(client => client.SendFrameAsync(8, [1])); // half of a reason
        await EndsAsync(client => client.SendFrameAsync(8, [0, 0]));
        await EndsAsync(client => client.SendFrameAsync(1, new byte[400_000])); // above the limit
        await EndsAsync(async client => // the same in small ones
        {
            await client.SendFrameAsync(1, "{"u8, isFinal: false);
            for (var i = 0; i < 400; i++)
                await client.SendFrameAsync(0, new byte[1_000], isFinal: false);
        });
        await ServesAsBeforeAsync();
    }

    [Fact]
    public async Task FramesThatStopInTheMiddle_HarmNobody()
    {
        for (var length = 1; length < 40; length++)
        {
            await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
            var whole = Encoding.UTF8.GetBytes("""{"type":1,"invocationId":"1","target":"Subscribe","arguments":[{"app":"work-buddy"}]}""");
            await client.SendFrameAsync(1, whole.AsSpan(0, length), declared: (ulong)whole.Length);
        }

        // Declared huge and never sent.
        await using var huge = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await huge.SendFrameAsync(1, [1], declared: long.MaxValue);
        // Ten thousand frames of nothing, and then a call.
        await using var empty = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        for (var i = 0; i < 10_000; i++)
            await empty.SendFrameAsync(1, []);
        await empty.CallAsync("Subscribe", new { app = WorkBuddy });
        await ServesAsBeforeAsync();
    }

    [Fact]
    public async Task AThousandHalfOpenConnections_KeepNobodyOut()
    {
        var open = new List<RawClient>();
        try
        {
            for (var i = 0; i < 1_000; i++)
            {
                var client = await (i % 3 == 0 ? RawClient.UpgradeAsync(Hub.Address, Tokens.User(_user, WorkBuddy)) : RawClient.OpenAsync(Hub.Address));
                open.Add(client);
                if (i % 3 == 1)
                    await client.SendAsync(Encoding.ASCII.GetBytes("GET /hubs/realtime HTTP/1.1\r\nHost: x\r\nUpgr"));
            }

            await ServesAsBeforeAsync();
        }
        finally
        {
            foreach (var client in open)
                await client.DisposeAsync();
        }
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task AHandshakeThatNeverComes_EndsTheConnection()
    {
        await using var silent = await RawClient.UpgradeAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await using var half = await RawClient.UpgradeAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await half.SendTextAsync("{\"protocol\"");
        await silent.EndAsync().Soon("the connection ends");
        await half.EndAsync().Soon("the connection ends");
        await ServesAsBeforeAsync();
    }

    private static void CheckAnswer(JsonElement completion, string target, string argument)
    {
        if (!completion.TryGetProperty("error", out var error))
            return;
        HasCode().IsMatch(error.GetString()!).ShouldBeTrue($"{target}({argument}): {error}");
        error.GetString()!.ShouldNotStartWith("internal: ", customMessage: $"{target}({argument[..Math.Min(argument.Length, 200)]})");
    }

    /// <summary>A call in MessagePack; the answer is read only as far as to see that there is one.</summary>
    private static async Task PackedAsync(RawClient client, string target, byte[] argument, string what)
    {
        await client.SendFrameAsync(2, Invocation(target, argument));
        await PackedAnswerAsync(client, $"{target}({what[..Math.Min(what.Length, 200)]})");
    }

    private static async Task PackedAnswerAsync(RawClient client, string call)
    {
        while (true)
        {
            var frame = (await client.ReadFrameAsync().Soon($"{call} is answered")).ShouldNotBeNull($"{call} has ended the connection");
            var text = Encoding.UTF8.GetString(frame);
            // Batches and pings may come between.
            if (!text.Contains("call-1", StringComparison.Ordinal))
                continue;
            text.ShouldNotContain("internal: ", customMessage: call);
            return;
        }
    }

    private static byte[] Invocation(string target, byte[] argument)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new MessagePackWriter(buffer);
        writer.WriteArrayHeader(6);
        writer.Write(1);
        writer.WriteMapHeader(0);
        writer.Write("call-1");
        writer.Write(target);
        writer.WriteArrayHeader(1);
        writer.WriteRaw(argument);
        writer.WriteArrayHeader(0);
        writer.Flush();
        var prefix = new List<byte>();
        var left = buffer.WrittenCount;
        for (; left > 0x7F; left >>= 7)
            prefix.Add((byte)(left | 0x80));
        return [.. prefix, (byte)left, .. buffer.WrittenSpan];
    }

    private async Task EndsAsync(Func<RawClient, ValueTask> send)
    {
        await using var client = await RawClient.ConnectAsync(Hub.Address, Tokens.User(_user, WorkBuddy));
        await TryAsync(() => send(client));
        await client.EndAsync().Soon("the connection ends");
    }

    /// <summary>Sends what the server may cut off.</summary>
    private static async Task TryAsync(Func<ValueTask> send)
    {
        try
        {
            await send();
        }
        catch (IOException)
        {
            // It has closed before everything was sent.
        }
    }

    private async Task ServesAsBeforeAsync()
    {
        (await As(null).GetAsync("/health/live")).Status.ShouldBe(200);
        var user = New("user");
        await using var hub = await HubClient.ConnectAsync(Hub.Address, Tokens.User(user, WorkBuddy));
        await hub.SubscribeAsync(new { app = WorkBuddy, interests = new[] { new { types = new[] { "task.created" } } } });
        (await Publisher.PublishAsync(Draft(user))).ShouldBe(201);
        await hub.ReceiveAsync(1);
        // A refusal is logged by SignalR with the refusal as its exception; the hub's own logging leaves those out.
        Hub.Log.Lines.Where(line => Failure().IsMatch(line) && !line.Contains("HubException", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    private static string Nested(char open, char close, int depth) => new string(open, depth) + new string(close, depth);

    private static string Nested(string open, string close, int depth, string inner) =>
        string.Concat(Enumerable.Repeat(open, depth)) + inner + string.Concat(Enumerable.Repeat(close, depth));

    [GeneratedRegex(@"\A[a-z_]+: ", RegexOptions.NonBacktracking)]
    private static partial Regex HasCode();

    [GeneratedRegex(@"\A\S+ (Error|Critical) |[Uu]nhandled", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Failure();
}
