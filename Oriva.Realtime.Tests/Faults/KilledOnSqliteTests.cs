using System.Collections.Concurrent;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>A node on SQLite that is killed again and again in the middle of its work.</summary>
public sealed class KilledOnSqliteTests : ProcessTests
{
    private const int Publishers = 4;

    [Fact]
    [Trait("Category", "Long")]
    public Task KilledSixTimes_EveryAcknowledgedEventIsThereOnce_AndNoPositionIsMissing() => KillAsync(times: 6);

    [Fact]
    public Task KilledOnce_EveryAcknowledgedEventIsThereOnce_AndNoPositionIsMissing() => KillAsync(times: 1);

    private async Task KillAsync(int times)
    {
        await using var store = await SqliteStore.CreateMigratedAsync();
        var acknowledged = new ConcurrentDictionary<string, long>();
        var unanswered = new ConcurrentQueue<string>();
        for (var life = 0; life <= times; life++)
        {
            var hub = await StartAsync(store);
            // First what the life before did not answer: stored or not, each must come out as one event.
            while (unanswered.TryDequeue(out var id))
                Acknowledge(id, await hub.As(Publisher).PublishAsync(Draft(id)), repeated: true);
            if (life == times)
                break;

            var (count, enough) = (0, Random.Shared.Next(20, 200));
            var killing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var publishing = Enumerable.Range(0, Publishers).Select(async publisher =>
            {
                for (var n = 0; ; n++)
                {
                    var id = $"{life}-{publisher}-{n}";
                    try
                    {
                        Acknowledge(id, await hub.As(Publisher).PublishAsync(Draft(id)), repeated: false);
                    }
                    catch (Exception e) when (e is HttpRequestException or IOException)
                    {
                        unanswered.Enqueue(id);
                        return;
                    }

                    if (Interlocked.Increment(ref count) == enough)
                        killing.SetResult();
                }
            }).ToList();
            await killing.Task.Soon("the publishers publish");
            await hub.KillAsync();
            await Task.WhenAll(publishing);
            unanswered.Count.ShouldBe(Publishers);
        }

        var stored = await store.QueryAsync<string>($"SELECT id FROM events WHERE stream = '{Stream}' ORDER BY position");
        stored.Order().ShouldBe(acknowledged.Keys.Order());
        (await store.QueryAsync<long>($"SELECT position FROM events WHERE stream = '{Stream}' ORDER BY position"))
            .ShouldBe(Enumerable.Range(1, stored.Count).Select(position => (long)position));
        for (var i = 0; i < stored.Count; i++)
            acknowledged[stored[i]].ShouldBe(i + 1, "where the receipt says");

        void Acknowledge(string id, HttpAnswer answer, bool repeated)
        {
            if (!repeated || answer.Status != 200)
                answer.ShouldBe(201);
            acknowledged.TryAdd(id, answer.Json.Number("seq")).ShouldBeTrue();
        }
    }
}
