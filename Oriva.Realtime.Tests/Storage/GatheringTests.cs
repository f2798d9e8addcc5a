using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Storage;

public sealed class GatheringTests
{
    private readonly List<(IReadOnlyCollection<int> Keys, TaskCompletionSource<IReadOnlyDictionary<int, string>> Answer)> _reads = [];
    private readonly Gathering<int, string> _gathering;

    public GatheringTests()
    {
        _gathering = new(keys =>
        {
            var answer = new TaskCompletionSource<IReadOnlyDictionary<int, string>>();
            _reads.Add((keys, answer));
            return answer.Task;
        });
    }

    [Fact]
    public async Task WhoComesDuringARead_IsAnsweredByTheNext_AndAllWithOne()
    {
        var first = AskAsync(1);
        var others = Enumerable.Range(1, 100).Select(AskAsync).ToList();

        _reads.ShouldHaveSingleItem().Keys.ShouldBe([1]);
        Answer(0);
        (await first.Soon("the first is answered"))[1].ShouldBe("0:1");
        await Waiting.Eventually("the next read", () => _reads.Count == 2);
        others.ShouldAllBe(other => !other.IsCompleted, "an answer is never older than its question");
        Answer(1);
        (await Task.WhenAll(others).Soon("all are answered")).Select((answers, i) => answers[i + 1]).ShouldBe(Enumerable.Range(1, 100).Select(key => $"1:{key}"));
        _reads.Count.ShouldBe(2);
    }

    [Fact]
    public async Task AReadThatFails_FailsThoseWhoAsked_AndNobodyAfterwards()
    {
        var failing = AskAsync(1);
        var waiting = AskAsync(2);

        _reads[0].Answer.SetException(new InvalidOperationException("away"));

        (await Should.ThrowAsync<InvalidOperationException>(failing.Soon("the failure"))).Message.ShouldBe("away");
        await Waiting.Eventually("the next read", () => _reads.Count == 2);
        Answer(1);
        (await waiting.Soon("the answer"))[2].ShouldBe("1:2");
        Answer(await IndexOfNextAsync(3));
    }

    [Fact]
    public async Task WhoStopsWaiting_StopsNobodyElse()
    {
        using var impatient = new CancellationTokenSource();
        var gone = _gathering.AskAsync([1], impatient.Token);
        var waiting = AskAsync(1);
        await impatient.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(gone);
        Answer(0);
        await Waiting.Eventually("the next read", () => _reads.Count == 2);
        Answer(1);
        (await waiting.Soon("the answer"))[1].ShouldBe("1:1");
    }

    private async Task<int> IndexOfNextAsync(int key)
    {
        var before = _reads.Count;
        _ = AskAsync(key);
        await Waiting.Eventually("a read of its own", () => _reads.Count > before);
        return before;
    }

    private Task<IReadOnlyDictionary<int, string>> AskAsync(int key) => _gathering.AskAsync([key], TestContext.Current.CancellationToken);

    private void Answer(int read) => _reads[read].Answer.SetResult(_reads[read].Keys.ToDictionary(key => key, key => $"{read}:{key}"));
}
