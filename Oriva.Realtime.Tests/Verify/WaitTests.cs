using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Verify;

namespace Oriva.Realtime.Tests.Verify;

/// <summary>What <c>verify</c> takes for waiting, by seconds at which events were acknowledged and arrived.</summary>
public sealed class WaitTests
{
    [Theory]
    [InlineData(new[] { 1, 2 }, new[] { 1, 2 }, 0, 0)]
    [InlineData(new[] { 2, 9 }, new[] { 1, 8 }, 0, 0)] // there before the receipt, and then there is nothing to wait for
    [InlineData(new[] { 1, 4, 5 }, new[] { 1, 7, 7 }, 3, 3)]
    [InlineData(new[] { 1, 3 }, new[] { 6, 4 }, 5, 3)] // the other one comes meanwhile
    public void AWait_RunsFromTheReceipt_AndASilenceOnlyWhileSomethingIsMissing(int[] receipts, int[] arrivals, int longest, int silence)
    {
        var acknowledged = receipts.Select((at, number) => new Acknowledged(new Publication("run", number, new Addressee("shop", null, null), 0), "shop", number + 1, Ticks(at)))
            .ToDictionary(a => a.Publication.Id);
        var all = new Histogram();
        var wait = Wait.Of(arrivals.Select((at, number) => ($"run-{number}", Ticks(at))), acknowledged, all);
        wait.ShouldBe(new Wait(TimeSpan.FromSeconds(longest), TimeSpan.FromSeconds(silence)));
        all.CountRecorded().ShouldBe(receipts.Length);
    }

    private static long Ticks(int seconds) => Clock.ToTicks(TimeSpan.FromSeconds(seconds));
}
