using CsCheck;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class AppendQueueTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task FloodFromOneApp_CostsAnotherOneTurn()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 100 }, mostGroups: 1);
        for (var i = 0; i < 50; i++)
            queue.TryEnqueue(Request("noisy")).ShouldBeTrue();
        queue.TryEnqueue(Request("quiet")).ShouldBeTrue();
        queue.TryEnqueue(Request("third")).ShouldBeTrue();

        var taken = await TakeAsync(queue);

        taken.Count.ShouldBe(52);
        taken.Select(request => request.App).Take(4).ShouldBe(["noisy", "quiet", "third", "noisy"]);
    }

    [Fact]
    public async Task AppThatFilledAGroup_IsBehindTheOthersInTheNext()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 3 }, mostGroups: 1);
        foreach (var app in (string[])["a1", "a1", "a1", "b1", "b1", "b1"])
            queue.TryEnqueue(Request(app)).ShouldBeTrue();

        Apps(await TakeAsync(queue)).ShouldBe("a1 b1 a1");
        Apps(await TakeAsync(queue)).ShouldBe("b1 a1 b1");
    }

    [Fact]
    public async Task RequestsOfOneApp_StayInOrder()
    {
        var queue = new AppendQueue(new EventLogOptions(), mostGroups: 1);
        var requests = Enumerable.Range(0, 10).Select(_ => Request("a1")).ToList();
        requests.ForEach(request => queue.TryEnqueue(request));

        (await TakeAsync(queue)).ShouldBe(requests);
    }

    [Theory]
    [InlineData(10, 10, true)]
    [InlineData(10, 11, false)]
    [InlineData(4, 5, false)]
    public void App_AtItsBound_IsRefused(int bound, int events, bool accepted)
    {
        var queue = new AppendQueue(new EventLogOptions { QueuedEventsPerApp = bound }, mostGroups: 1);
        for (var i = 0; i < events - 1; i++)
            queue.TryEnqueue(Request("a1"));

        queue.TryEnqueue(Request("a1")).ShouldBe(accepted);
        queue.CountWaiting().ShouldBe(Math.Min(bound, events));
    }

    [Fact]
    public void AppThatIsFull_LeavesAnotherAlone()
    {
        var queue = new AppendQueue(new EventLogOptions { QueuedEventsPerApp = 2 }, mostGroups: 1);
        queue.TryEnqueue(Request("full", events: 2)).ShouldBeTrue();

        queue.TryEnqueue(Request("full")).ShouldBeFalse();
        queue.TryEnqueue(Request("other", events: 2)).ShouldBeTrue();
    }

    [Fact]
    public async Task AppThatWasFull_IsAcceptedAgainWhenItsEventsAreTaken()
    {
        var queue = new AppendQueue(new EventLogOptions { QueuedEventsPerApp = 2, MaxGroupEvents = 1 }, mostGroups: 1);
        queue.TryEnqueue(Request("a1")).ShouldBeTrue();
        queue.TryEnqueue(Request("a1")).ShouldBeTrue();
        queue.TryEnqueue(Request("a1")).ShouldBeFalse();

        await TakeAsync(queue);

        queue.TryEnqueue(Request("a1")).ShouldBeTrue();
        queue.TryEnqueue(Request("a1")).ShouldBeFalse();
    }

    [Fact]
    public void RefusedRequest_TakesNoRoom()
    {
        var queue = new AppendQueue(new EventLogOptions { QueuedEventsPerApp = 3 }, mostGroups: 1);
        queue.TryEnqueue(Request("a1", events: 2)).ShouldBeTrue();
        queue.TryEnqueue(Request("a1", events: 2)).ShouldBeFalse();

        queue.TryEnqueue(Request("a1", events: 1)).ShouldBeTrue();
        queue.CountWaiting().ShouldBe(3);
    }

    [Fact]
    public async Task ArrayLargerThanEveryBound_EntersAnEmptyQueueAndIsTakenWhole()
    {
        var queue = new AppendQueue(new EventLogOptions { QueuedEventsPerApp = 5, MaxGroupEvents = 3, MaxGroupBytes = 10 }, mostGroups: 1);
        var large = Request("a1", events: 8);
        queue.TryEnqueue(large).ShouldBeTrue();
        queue.TryEnqueue(Request("a1")).ShouldBeFalse();
        queue.TryEnqueue(Request("b1")).ShouldBeTrue();

        (await TakeAsync(queue)).ShouldHaveSingleItem().ShouldBeSameAs(large);
        Apps(await TakeAsync(queue)).ShouldBe("b1");
    }

    [Fact]
    public async Task ArrayThatDoesNotFitTheRestOfAGroup_WaitsWholeForTheNext()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 5 }, mostGroups: 1);
        queue.TryEnqueue(Request("a1", events: 3));
        queue.TryEnqueue(Request("b1", events: 3));

        Apps(await TakeAsync(queue)).ShouldBe("a1");
        (await TakeAsync(queue)).ShouldHaveSingleItem().Events.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Group_IsBoundedByBytes()
    {
        var request = Request("a1", bytes: 1_000);
        var queue = new AppendQueue(new EventLogOptions { MaxGroupBytes = 2 * request.Bytes }, mostGroups: 1);
        for (var i = 0; i < 3; i++)
            queue.TryEnqueue(Request("a1", bytes: 1_000));

        (await TakeAsync(queue)).Count.ShouldBe(2);
        (await TakeAsync(queue)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task Taker_OfAnEmptyQueue_WaitsForARequest()
    {
        var queue = new AppendQueue(new EventLogOptions(), mostGroups: 1);
        var first = TakeAsync(queue);
        first.IsCompleted.ShouldBeFalse();

        queue.TryEnqueue(Request("a1"));
        Apps(await first.WaitAsync(s_patience, TestContext.Current.CancellationToken)).ShouldBe("a1");

        // And once more: the signal is used up.
        var second = TakeAsync(queue);
        second.IsCompleted.ShouldBeFalse();
        queue.TryEnqueue(Request("b1"));
        Apps(await second.WaitAsync(s_patience, TestContext.Current.CancellationToken)).ShouldBe("b1");
    }

    [Fact]
    public async Task ClosedQueue_RefusesWhatComes_AndGivesOutWhatWaits()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 1 }, mostGroups: 1);
        queue.TryEnqueue(Request("a1"));
        queue.TryEnqueue(Request("b1"));

        queue.Close();

        queue.TryEnqueue(Request("c1")).ShouldBeFalse();
        Apps(await TakeAsync(queue)).ShouldBe("a1");
        Apps(await TakeAsync(queue)).ShouldBe("b1");
        (await TakeAsync(queue)).ShouldBeEmpty();
        (await TakeAsync(queue)).ShouldBeEmpty();
        queue.CountWaiting().ShouldBe(0);
    }

    [Fact]
    public async Task Close_EndsAWaitingTaker()
    {
        var queue = new AppendQueue(new EventLogOptions(), mostGroups: 1);
        var take = TakeAsync(queue);

        queue.Close();

        (await take.WaitAsync(s_patience, TestContext.Current.CancellationToken)).ShouldBeEmpty();
    }

    [Fact]
    public async Task ManyPublishersAtOnce_AreEachTakenOnce()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 7 }, mostGroups: 1);
        var requests = Enumerable.Range(0, 4).Select(app => Enumerable.Range(0, 500).Select(_ => Request($"app-{app}")).ToList()).ToList();
        var publishing = Task.WhenAll(requests.Select(own => Task.Run(() => own.ForEach(request => queue.TryEnqueue(request)), TestContext.Current.CancellationToken)));
        var closing = publishing.ContinueWith(_ => queue.Close(), TaskScheduler.Default);

        var taken = new List<AppendRequest>();
        while (await TakeAsync(queue).WaitAsync(s_patience, TestContext.Current.CancellationToken) is { Count: > 0 } group)
            taken.AddRange(group);
        await closing;

        taken.Count.ShouldBe(2_000);
        foreach (var own in requests)
            taken.Where(request => request.App == own[0].App).ShouldBe(own);
    }

    [Fact]
    public void AnyRequests_AreTakenOnceInTurnAndInBoundedGroups()
    {
        var request = Gen.Select(Gen.OneOf("a1", "b1", "c1"), Gen.Int[1, 4], Gen.Int[0, 300]);

        Gen.Select(request.Array[0, 40], Gen.Int[1, 8], Gen.Int[500, 3_000]).Sample(
            (drawn, maxEvents, maxBytes) =>
            {
                var requests = drawn.Select(one => Request(one.Item1, one.Item2, one.Item3)).ToList();
                var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = maxEvents, MaxGroupBytes = maxBytes }, mostGroups: 1);
                requests.ForEach(one => queue.TryEnqueue(one).ShouldBeTrue());
                queue.Close();

                var groups = Drain(queue);

                var taken = groups.SelectMany(group => group).ToList();
                taken.Count.ShouldBe(requests.Count);
                foreach (var own in requests.GroupBy(one => one.App))
                    taken.Where(one => one.App == own.Key).ShouldBe(own);
                groups.ShouldAllBe(group => group.Count == 1 || (group.Sum(one => one.Events.Count) <= maxEvents && group.Sum(one => one.Bytes) <= maxBytes));
                ShouldTakeTurns(taken);
            },
            iter: 1_000);
    }

    [Theory]
    [InlineData(99, false)]
    [InlineData(100, true)]
    public async Task SecondGroup_IsTakenBesideTheFirst_WhenItIsWorthACommit(int waiting, bool taken)
    {
        var queue = new AppendQueue(new EventLogOptions(), mostGroups: 2);
        queue.TryEnqueue(Request("a1"));
        await queue.TakeAsync();
        queue.TryEnqueue(Request("a1", waiting));

        var second = queue.TakeAsync().AsTask();

        second.IsCompleted.ShouldBe(taken);
        queue.Done();
        (await second.WaitAsync(s_patience, TestContext.Current.CancellationToken)).Sum(request => request.Events.Count).ShouldBe(waiting);
    }

    [Fact]
    public async Task NoMoreGroupsAreUnderWay_ThanTheStoreTakes()
    {
        var queue = new AppendQueue(new EventLogOptions { MaxGroupEvents = 100 }, mostGroups: 2);
        for (var i = 0; i < 3; i++)
            queue.TryEnqueue(Request("a1", 100));
        await queue.TakeAsync();
        await queue.TakeAsync();

        var third = queue.TakeAsync().AsTask();

        third.IsCompleted.ShouldBeFalse();
        queue.Done();
        (await third.WaitAsync(s_patience, TestContext.Current.CancellationToken)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task ClosedQueue_IsDrained_WhenWhatWasTakenIsDone()
    {
        var queue = new AppendQueue(new EventLogOptions(), mostGroups: 2);
        queue.TryEnqueue(Request("a1"));
        await queue.TakeAsync();
        queue.Close();

        var last = queue.TakeAsync().AsTask();

        last.IsCompleted.ShouldBeFalse();
        queue.Done();
        (await last.WaitAsync(s_patience, TestContext.Current.CancellationToken)).ShouldBeEmpty();
    }

    /// <summary>Takes a group that is done at once.</summary>
    private static async Task<List<AppendRequest>> TakeAsync(AppendQueue queue)
    {
        var group = await queue.TakeAsync();
        if (group.Count > 0)
            queue.Done();
        return group;
    }

    /// <summary>Between two requests of one app, each app that still has some waiting gets exactly one taken.</summary>
    private static void ShouldTakeTurns(List<AppendRequest> taken)
    {
        for (var i = 0; i < taken.Count; i++)
        {
            var next = taken.FindIndex(i + 1, request => request.App == taken[i].App);
            if (next < 0)
                continue;
            var waiting = taken.Skip(i + 1).Select(request => request.App).Distinct().Where(app => app != taken[i].App);
            taken.GetRange(i + 1, next - i - 1).Select(request => request.App).ShouldBe(waiting, ignoreOrder: true);
        }
    }

    private static List<List<AppendRequest>> Drain(AppendQueue queue)
    {
        var groups = new List<List<AppendRequest>>();
        while (true)
        {
            // Closed, so that it never has to wait.
            var take = TakeAsync(queue);
            take.IsCompletedSuccessfully.ShouldBeTrue();
            if (take.Result is not { Count: > 0 } group)
                return groups;
            groups.Add(group);
        }
    }

    private static string Apps(List<AppendRequest> taken) => string.Join(' ', taken.Select(request => request.App));

    private static AppendRequest Request(string app, int events = 1, int bytes = 0) =>
        new(app, [.. Enumerable.Range(0, events).Select(i => TestEvents.New(app, $"e-{i}", data: $$"""{"a":"{{new string('x', bytes)}}"}"""))]);
}
