using CsCheck;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Tests.EventLog;

public sealed class StoreTimeTests
{
    [Theory]
    [InlineData("1970-01-01T00:00:00Z", 0)]
    [InlineData("1970-01-01T00:00:01Z", 1_000_000)]
    [InlineData("1969-12-31T23:59:59Z", -1_000_000)]
    [InlineData("2026-01-31T13:00:00.1234567+01:00", 1_769_860_800_123_456)]
    [InlineData("0001-01-01T00:00:00Z", -62_135_596_800_000_000)]
    [InlineData("9999-12-31T23:59:59.9999999Z", 253_402_300_799_999_999)]
    public void Time_IsWholeMicrosecondsSince1970(string time, long microseconds) =>
        StoreTime.ToMicroseconds(DateTimeOffset.Parse(time, System.Globalization.CultureInfo.InvariantCulture)).ShouldBe(microseconds);

    [Fact]
    public void AnyTime_Truncated_IsUtcAndStaysTheSameThroughTheStore() =>
        Gen.Select(Gen.Long[TimeSpan.TicksPerDay, DateTimeOffset.MaxValue.Ticks - TimeSpan.TicksPerDay], Gen.Int[-14 * 60, 14 * 60]).Sample(
            (ticks, offset) =>
            {
                var time = new DateTimeOffset(ticks, TimeSpan.FromMinutes(offset));
                var truncated = StoreTime.Truncate(time);

                truncated.Offset.ShouldBe(TimeSpan.Zero);
                (truncated.Ticks % TimeSpan.TicksPerMicrosecond).ShouldBe(0);
                (truncated - time).Duration().ShouldBeLessThan(TimeSpan.FromMicroseconds(1));
                StoreTime.Truncate(truncated).ShouldBe(truncated);
                StoreTime.FromMicroseconds(StoreTime.ToMicroseconds(truncated)).ShouldBe(truncated);
            },
            iter: 2_000);

    [Fact]
    public void AnyTwoTimes_Truncated_KeepTheirOrder() =>
        Gen.Select(Gen.Long[-50, 50], Gen.Long[-50, 50]).Sample(
            (one, other) =>
            {
                var order = StoreTime.Truncate(DateTimeOffset.UnixEpoch.AddTicks(one)).CompareTo(StoreTime.Truncate(DateTimeOffset.UnixEpoch.AddTicks(other)));
                (order * one.CompareTo(other)).ShouldBeGreaterThanOrEqualTo(0);
            },
            iter: 2_000);
}
