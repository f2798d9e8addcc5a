using System.Globalization;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Tests.Notifications;

public sealed class QuietHoursTests
{
    // Berlin: summer time begins on 2026-03-29 at 02:00 (01:00 UTC) and ends on 2026-10-25 at 03:00 (01:00 UTC).
    [Theory]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-11-28T20:59:59Z", null)]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-11-28T21:00:00Z", "2026-11-29T06:00:00Z")]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-11-29T05:59:59Z", "2026-11-29T06:00:00Z")]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-11-29T06:00:00Z", null)]
    [InlineData("12:00", "13:30", "Europe/Berlin", "2026-11-29T11:15:00Z", "2026-11-29T12:30:00Z")]
    // The night of the change to summer time is an hour shorter: its end is at 07:00 of the new time.
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T05:00:00Z")]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-03-29T04:59:59Z", "2026-03-29T05:00:00Z")]
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-03-29T05:00:00Z", null)]
    // The one back an hour longer.
    [InlineData("22:00", "07:00", "Europe/Berlin", "2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z")]
    // An end that the clocks skip is when they have skipped it.
    [InlineData("22:00", "02:30", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z")]
    // Quiet hours that the clocks skip do not happen.
    [InlineData("02:10", "02:50", "Europe/Berlin", "2026-03-29T00:59:59Z", null)]
    [InlineData("02:10", "02:50", "Europe/Berlin", "2026-03-29T01:00:00Z", null)]
    // An end that comes twice: the first, and in the second pass the second.
    [InlineData("22:00", "02:30", "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z")]
    [InlineData("22:00", "02:30", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z")]
    // The user's own zone, else the directory's, else UTC.
    [InlineData("22:00", "07:00", null, "2026-11-28T16:30:00Z", "2026-11-29T01:30:00Z")]
    [InlineData("22:00", "07:00", "Asia/Kolkata", "2026-11-28T16:29:59Z", null)]
    [InlineData("22:00", "07:00", "America/St_Johns", "2026-11-29T01:30:00Z", "2026-11-29T10:30:00Z")]
    public void Until_IsTheEndOfTheQuietTimeThatItIsIn(string from, string to, string? zone, string now, string? until) =>
        new QuietHours(from, to, zone).Until(At(now), "Asia/Kolkata").ShouldBe(until is null ? null : At(until));

    [Fact]
    public void WithoutAnyZone_ItIsUtc()
    {
        new QuietHours("22:00", "07:00").Until(At("2026-11-28T23:00:00Z"), directoryZone: null).ShouldBe(At("2026-11-29T07:00:00Z"));
        new QuietHours("22:00", "07:00").Until(At("2026-11-28T23:00:00Z"), "Nowhere/Else").ShouldBe(At("2026-11-29T07:00:00Z"));
    }

    /// <summary>Whatever the zone and the day: what is held is let go, and then it is not quiet.</summary>
    [Fact]
    public void Until_AlwaysLies_Ahead_AndIsNotQuiet()
    {
        string[] zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"];
        var wrong = new List<string>();
        foreach (var zone in zones)
        {
            foreach (var (from, to) in new[] { ("22:00", "07:00"), ("01:15", "02:45"), ("23:59", "00:01"), ("02:00", "01:59") })
            {
                var quiet = new QuietHours(from, to, zone);
                for (var now = At("2026-01-01T00:00:00Z"); now < At("2027-01-01T00:00:00Z"); now += TimeSpan.FromMinutes(23))
                {
                    if (quiet.Until(now, null) is { } until && (until <= now || until - now > TimeSpan.FromHours(26) || quiet.Until(until, null) is not null))
                        wrong.Add($"{zone} {from}-{to} {now:O} → {until:O}");
                }
            }
        }

        wrong.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("22:00", "07:00", "Europe/Berlin", null)]
    [InlineData("22", "07:00", null, "/quietHours/from")]
    [InlineData("24:00", "07:00", null, "/quietHours/from")]
    [InlineData(null, "07:00", null, "/quietHours/from")]
    [InlineData("22:00", "7:00", null, "/quietHours/to")]
    [InlineData("22:00", "22:00", null, "/quietHours/to")]
    [InlineData("22:00", "07:00", "Berlin", "/quietHours/timeZone")]
    public void WhatIsNoTime_IsRefused(string? from, string? to, string? zone, string? pointer)
    {
        var faults = new FaultList();
        new QuietHours(from, to, zone).Check("/quietHours", faults);
        if (pointer is null)
            faults.IsEmpty.ShouldBeTrue();
        else
            faults.ToFault().Errors!.Keys.ShouldBe([pointer]);
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
