using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.EndToEnd;

public sealed class ReplayOnSqliteTests(SqliteHub fixture) : ReplaySpecification(fixture), IClassFixture<SqliteHub>;

public sealed class ReplayOnPostgresTests(PostgresHub fixture) : ReplaySpecification(fixture), IClassFixture<PostgresHub>;

/// <summary>Live and replay by every transport, with a client that is cut off again and again.</summary>
public abstract class ReplaySpecification(HubFixture fixture) : HubTests(fixture)
{
    private const int Seen = 5_000;
    private const int Unseen = 1_000;
    private const int LargestArray = 60;
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    /// <summary>Half of the events stand in the log when the client comes, half are published while it reads.</summary>
    [Theory]
    [InlineData("hub")]
    [InlineData("stream")]
    [InlineData("poll")]
    public async Task AClientThatIsCutAtRandom_GetsEachOf5000EventsOnceAndInOrder_AndNobodyElses(string transport)
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);

        var (app, user) = (New("app"), New("user"));
        string[] topics = ["room-1", "room-2", "vip-1"];
        (await Admin.PutAsync($"/api/v1/apps/{app}/manifest", TestManifest.Of(app))).ShouldBe(201);
        var expected = new Dictionary<string, List<string>>();
        var arrays = Cut(Drafts(random, app, user, topics), random);

        await using var proxy = new TcpProxy("127.0.0.1", Hub.Address.Port);
        var publisher = As(Tokens.Publisher(app, WorkBuddy));
        foreach (var array in arrays.Take(arrays.Count / 2))
            await PublishAsync(array);

        var follower = Follower.Create(transport, new Uri($"http://127.0.0.1:{proxy.Port}"), Tokens.User(user, app, app + "/vip-*"), app, topics);
        var cuts = Enumerable.Range(0, 12).Select(_ => random.Next(Seen)).ToHashSet();
        follower.Received = count =>
        {
            if (cuts.Contains(count))
                proxy.Cut();
        };
        using var stopping = new CancellationTokenSource();
        var following = Task.Run(() => follower.RunAsync(stopping.Token), TestContext.Current.CancellationToken);

        foreach (var array in arrays.Skip(arrays.Count / 2))
        {
            await PublishAsync(array);
            if (random.Next(5) == 0)
                proxy.Cut();
        }

        await Waiting.Eventually($"{transport} has all events", () => following.IsCompleted || follower.Count >= Seen, s_deadline);
        await stopping.CancelAsync();
        await following.Soon("the follower stops");

        follower.Delivered.Count.ShouldBe(Seen);
        foreach (var stream in follower.Delivered.GroupBy(e => e.Stream))
        {
            stream.Select(e => e.Position).ShouldBe(Enumerable.Range(1, stream.Count()).Select(position => (long)position), $"{stream.Key}, in order");
            stream.Select(e => e.Id).ShouldBe(expected[stream.Key], $"{stream.Key}, as published");
        }

        follower.Delivered.Select(e => e.Stream).Distinct().Count().ShouldBe(2 + topics.Length);
        follower.Resets.ShouldBe(0);
        follower.Cuts.ShouldBeGreaterThan(0);
        if (transport != "hub")
            follower.Doubles.ShouldBe(0, "its cursor was past them");

        async Task PublishAsync(object[] array)
        {
            foreach (var receipt in (await publisher.PublishAsync(array)).ShouldBe(201).Items("receipts"))
            {
                if (!expected.TryGetValue(receipt.Text("stream"), out var ids))
                    expected[receipt.Text("stream")] = ids = [];
                ids.Add(receipt.Text("id"));
                receipt.Number("seq").ShouldBeGreaterThanOrEqualTo(ids.Count);
            }
        }
    }

    /// <summary>In random order: what the user may see and follows, and what it may not see or does not follow.</summary>
    private static List<object> Drafts(Random random, string app, string user, string[] topics)
    {
        var drafts = new List<object>();
        for (var i = 0; i < Seen; i++)
        {
            var id = $"{app}-{i}";
            var audience = i % (topics.Length + 2);
            drafts.Add(audience switch
            {
                0 => new { source = app, type = TestManifest.Type, id, data = new { i } },
                1 => new { source = app, type = TestManifest.Type, id, userId = user, data = new { i, text = new string('x', random.Next(2_000)) } },
                _ => (object)new { source = app, type = TestManifest.Type, id, topic = topics[audience - 2], data = new { i } },
            });
        }

        for (var i = 0; i < Unseen; i++)
        {
            drafts.Add((i % 4) switch
            {
                0 => new { source = app, type = TestManifest.Type, userId = "somebody-else" },
                1 => new { source = app, type = TestManifest.Type, topic = "room-3" },
                2 => new { source = WorkBuddy, type = "session.started", userId = user },
                _ => (object)new { source = WorkBuddy, type = "session.started" },
            });
        }

        var mixed = drafts.ToArray();
        random.Shuffle(mixed);
        return [.. mixed];
    }

    private static List<object[]> Cut(List<object> drafts, Random random)
    {
        var arrays = new List<object[]>();
        for (var at = 0; at < drafts.Count;)
        {
            var array = drafts.Skip(at).Take(1 + random.Next(LargestArray)).ToArray();
            arrays.Add(array);
            at += array.Length;
        }

        return arrays;
    }
}
