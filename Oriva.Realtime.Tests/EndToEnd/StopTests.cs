using System.Net;
using Microsoft.Extensions.Hosting;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class StopOnSqliteTests(SqliteHub fixture) : StopSpecification(fixture), IClassFixture<SqliteHub>;

public sealed class StopOnPostgresTests(PostgresHub fixture) : StopSpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>A node that is stopped finishes what it has begun, and keeps nobody waiting.</summary>
public abstract class StopSpecification(HubFixture fixture) : HubTests(fixture)
{
    [Fact]
    public async Task AStop_EndsWhatIsOpen_AndAnswersWhatIsInFlight()
    {
        var store = await Fixture.NewStoreAsync();
        var hub = await StartHubAsync(on: store);
        var (user, token) = (New("user"), "");
        token = Tokens.User(user, WorkBuddy);
        await using var client = await HubClient.ConnectAsync(hub.Address, token);
        await client.SubscribeAsync(new { app = WorkBuddy });
        await using var stream = await hub.As(token).OpenStreamAsync($"app={WorkBuddy}");
        var cursor = (await hub.As(token).PollAsync(new { app = WorkBuddy })).ShouldBe(200).At("cursor");
        var polling = hub.As(token).PollAsync(new { app = WorkBuddy, cursor, waitSeconds = 30 });

        // A publish whose body the hub waits for.
        using var body = new HeldContent($$"""{ "source": "work-buddy", "type": "session.started", "userId": "{{user}}", "id": "{{user}}-1" }""");
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(hub.Address, ApiCaller.Events)) { Content = body };
        request.Headers.Authorization = new("Bearer", Tokens.Publisher(WorkBuddy));
        request.Headers.ExpectContinue = true;
        using var http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });
        var publishing = http.SendAsync(request, TestContext.Current.CancellationToken);
        await body.Asked.Soon("the hub has begun to read the request");

        var stopping = hub.StopAsync();
        await Waiting.Eventually("the hub stops", () => hub.Get<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
        body.Release();

        var answer = await HttpAnswer.ReadAsync(await publishing.Soon("the publish is answered"));
        answer.ShouldBe(201).Number("seq").ShouldBe(1);
        (await polling.Soon("the poll is answered")).ShouldBe(200).At("cursor", "streams");
        while (await stream.ReadAsync().Soon("the stream ends") is not null)
        {
        }

        await client.Closed.Soon("the hub connection ends");
        await stopping.Soon("the hub has stopped", TimeSpan.FromSeconds(10));

        // What was answered is there.
        var next = await StartHubAsync(on: store);
        (await next.As(token).PollAsync(new { app = WorkBuddy, cursor })).ShouldBe(200).Items("events").Ids().ShouldContain(user + "-1");
    }

    /// <summary>A body that is sent only after the server has asked for it (100 Continue) and the test has released it.</summary>
    private sealed class HeldContent : HttpContent
    {
        private readonly byte[] _body;
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public HeldContent(string json)
        {
            _body = System.Text.Encoding.UTF8.GetBytes(json);
            Headers.ContentType = new("application/json");
        }

        public Task Asked => _asked.Task;

        public void Release() => _released.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            _asked.SetResult();
            await _released.Task;
            await stream.WriteAsync(_body);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _body.Length;
            return true;
        }
    }
}
