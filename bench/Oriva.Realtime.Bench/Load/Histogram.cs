using System.Numerics;

namespace Oriva.Realtime.Bench.Load;

/// <summary>
/// Counts durations in log-linear buckets: 128 a power of two, so that a value is off by less than 1 %. Any thread may record. (Gil Tene's HdrHistogram,
/// with one precision and no upper bound.)
/// </summary>
internal sealed class Histogram
{
    private const int SubBits = 7;
    private const int SubBuckets = 1 << SubBits;

    private readonly long[] _counts = new long[(64 - SubBits) * SubBuckets];

    public void Record(long ticks) => Interlocked.Increment(ref _counts[BucketOf(Math.Max(0, ticks))]);

    public long CountRecorded() => _counts.Sum();

    /// <param name="quantile">0.99 for the 99th percentile.</param>
    public TimeSpan At(double quantile)
    {
        var total = CountRecorded();
        var wanted = Math.Max(1, (long)Math.Ceiling(total * quantile));
        var passed = 0L;
        for (var bucket = 0; total > 0 && bucket < _counts.Length; bucket++)
        {
            passed += _counts[bucket];
            if (passed >= wanted)
                return Clock.ToTimeSpan(MiddleOf(bucket));
        }

        return TimeSpan.Zero;
    }

    // Below 128 a bucket a value. Above, the leading bit gives the row and the seven bits after it the bucket in the row.
    private static int BucketOf(long value)
    {
        if (value < SubBuckets)
            return (int)value;
        var shift = BitOperations.Log2((ulong)value) - SubBits;
        return ((shift + 1) << SubBits) + ((int)(value >> shift) & (SubBuckets - 1));
    }

    private static long MiddleOf(int bucket)
    {
        var row = bucket >> SubBits;
        if (row == 0)
            return bucket;
        var low = (long)((bucket & (SubBuckets - 1)) | SubBuckets) << (row - 1);
        return low + ((1L << (row - 1)) / 2);
    }
}
