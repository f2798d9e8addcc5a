using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Api;

public sealed class LimitTests(ApiFixture fixture) : HubTests(fixture), IClassFixture<ApiFixture>
{
    private const int PayloadBytes = 64 * 1024;
    private const int MetadataBytes = 8 * 1024;

    [Theory]
    [InlineData(PayloadBytes, true)]
    [InlineData(PayloadBytes + 1, false)]
    public async Task Data_HasAtMost64KiB(int bytes, bool fits)
    {
        const string around = """{"text":""}""";
        var answer = await Publisher.PublishAsync(
            $$"""{ "source": "work-buddy", "type": "session.started", "data": {"text":"{{new string('x', bytes - around.Length)}}"} }""");
        if (fits)
            answer.ShouldBe(201);
        else
            answer.ShouldBeProblem(413, "too_large", "/data");
    }

    [Fact]
    public async Task Data_IsMeasuredInBytes_NotCharacters() =>
        (await Publisher.PublishAsync($$"""{ "source": "work-buddy", "type": "session.started", "data": {"text":"{{new string('世', PayloadBytes / 3)}}"} }"""))
            .ShouldBeProblem(413, "too_large", "/data");

    [Theory]
    [InlineData(MetadataBytes, true)]
    [InlineData(MetadataBytes + 1, false)]
    public async Task Metadata_HasAtMost8KiB(int bytes, bool fits)
    {
        var answer = await Publisher.PublishAsync(
            $$"""{ "source": "work-buddy", "type": "session.started", "metadata": { "note": "{{new string('x', bytes - "note".Length)}}" } }""");
        if (fits)
            answer.ShouldBe(201);
        else
            answer.ShouldBeProblem(413, "too_large", "/metadata");
    }

    [Fact]
    public async Task AnArrayOf1001_IsTooLarge() =>
        (await Publisher.PublishAsync(Enumerable.Range(0, 1_001).Select(_ => Draft()).ToArray())).ShouldBeProblem(413, "too_large");

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/cloudevents+json")]
    public async Task ABodyAboveTheLimit_IsTooLarge_WhetherItSaysItsLengthOrNot(string mediaType)
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Limits:BatchBytes"] = "10000" });
        var publisher = hub.As(Tokens.Publisher(WorkBuddy));
        (await publisher.PostAsync(ApiCaller.Events, new string(' ', 10_001), mediaType)).ShouldBeProblem(413, "too_large");

        using var chunked = new HttpRequestMessage(HttpMethod.Post, ApiCaller.Events) { Content = new Endless() };
        chunked.Headers.Authorization = new("Bearer", Tokens.Publisher(WorkBuddy));
        chunked.Content.Headers.ContentType = new(mediaType);
        (await HttpAnswer.ReadAsync(await hub.Http.SendAsync(chunked, TestContext.Current.CancellationToken))).ShouldBeProblem(413, "too_large");
    }

    [Fact]
    public async Task Limits_CanBeSet()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Limits:PayloadBytes"] = "100", ["Limits:MetadataBytes"] = "10", ["Limits:BatchEvents"] = "2" });
        var publisher = hub.As(Tokens.Publisher(WorkBuddy));
        (await publisher.PublishAsync($$"""{ "source": "work-buddy", "type": "session.started", "data": { "a": "{{new string('x', 100)}}" } }"""))
            .ShouldBeProblem(413, "too_large", "/data");
        (await publisher.PublishAsync("""{ "source": "work-buddy", "type": "session.started", "metadata": { "a": "1234567890" } }"""))
            .ShouldBeProblem(413, "too_large", "/metadata");
        (await publisher.PublishAsync(new[] { Draft(), Draft(), Draft() })).ShouldBeProblem(413, "too_large");
        (await publisher.PublishAsync(new[] { Draft(), Draft() })).ShouldBe(201);
    }

    [Fact]
    public async Task ATokenThatPublishesTooOften_IsToldWhenToComeBack_AndOthersAreNot()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Limits:PublishesPerSecond"] = "2" });
        var publisher = hub.As(Tokens.Publisher(WorkBuddy));
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => publisher.PublishAsync(Draft())));

        var refused = answers.Where(answer => answer.Status == 429).ToList();
        refused.Count.ShouldBeGreaterThan(0);
        refused[0].ShouldBeProblem(429, "rate_limited");
        refused[0].RetryAfter.ShouldBe(1);
        answers.Count(answer => answer.Status == 201).ShouldBe(answers.Length - refused.Count);

        (await hub.As(Tokens.User("ada", WorkBuddy)).PublishAsync(new { source = WorkBuddy, type = "task.completed", userId = "ada", data = new { taskId = "t" } })).ShouldBe(201);
        await Waiting.Eventually("the token may publish again", async () => (await publisher.PublishAsync(Draft())).Status == 201);
    }

    [Fact]
    public async Task NoRateLimit_CanBeSaid()
    {
        var hub = await StartHubAsync(new Dictionary<string, string?> { ["Limits:PublishesPerSecond"] = "0" });
        (await hub.As(Tokens.Publisher(WorkBuddy)).PublishAsync(Draft())).ShouldBe(201);
    }

    /// <summary>A body of unknown length that would never end.</summary>
    private sealed class Endless : HttpContent
    {
        private static readonly byte[] s_spaces = [.. Enumerable.Repeat((byte)' ', 4_096)];

        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            try
            {
                while (true)
                    await stream.WriteAsync(s_spaces);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
            {
                // The server has answered and reads no further.
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = -1;
            return false;
        }
    }
}
