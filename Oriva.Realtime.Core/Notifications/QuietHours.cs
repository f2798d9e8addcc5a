using NodaTime;
using NodaTime.Text;
using NodaTime.TimeZones;
using Oriva.Realtime.Core.Publishing;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>When a user does not want to be disturbed: push and e-mail wait for the end, the inbox and live delivery do not.</summary>
/// <param name="From">Wall-clock time, as in <c>22:00</c>.</param>
/// <param name="To">The end, on the next day when it is not after <paramref name="From"/>.</param>
/// <param name="TimeZone">An IANA name; null: that of the directory, else UTC.</param>
public sealed record QuietHours(string? From, string? To, string? TimeZone = null)
{
    private static readonly LocalTimePattern s_pattern = LocalTimePattern.CreateWithInvariantCulture("HH':'mm");

    // A time that the clocks skip is when they have skipped it; of a time that comes twice, the first.
    private static readonly ZoneLocalMappingResolver s_resolver = Resolvers.CreateMappingResolver(Resolvers.ReturnEarlier, Resolvers.ReturnStartOfIntervalAfter);

    /// <param name="directoryZone">The user's, as the directory has it.</param>
    /// <returns>The end of the quiet time that <paramref name="now"/> is in; null: it is in none.</returns>
    /// <remarks>By the wall clock, so that on a day when the clocks change the night is an hour shorter or longer, and its end stands.</remarks>
    public DateTimeOffset? Until(DateTimeOffset now, string? directoryZone)
    {
        if (!s_pattern.Parse(From ?? "").TryGetValue(default, out var from) || !s_pattern.Parse(To ?? "").TryGetValue(default, out var to))
            return null;
        var zone = FindZone(TimeZone) ?? FindZone(directoryZone) ?? DateTimeZone.Utc;
        var local = Instant.FromDateTimeOffset(now).InZone(zone);
        var time = local.TimeOfDay;
        var isQuiet = from < to ? time >= from && time < to : time >= from || time < to;
        if (!isQuiet)
            return null;
        var day = time < to ? local.Date : local.Date.PlusDays(1);
        var end = day.At(to).InZone(zone, s_resolver).ToDateTimeOffset().ToUniversalTime();
        // Where a time comes twice, its first pass may lie behind.
        return end > now ? end : day.At(to).InZone(zone, Resolvers.CreateMappingResolver(Resolvers.ReturnLater, Resolvers.ReturnStartOfIntervalAfter)).ToDateTimeOffset().ToUniversalTime();
    }

    internal void Check(string pointer, FaultList faults)
    {
        if (!s_pattern.Parse(From ?? "").Success)
            faults.Add(FaultCodes.Invalid, pointer + "/from", "Must be a time such as 22:00.");
        if (!s_pattern.Parse(To ?? "").Success)
            faults.Add(FaultCodes.Invalid, pointer + "/to", "Must be a time such as 07:00.");
        else if (From == To)
            faults.Add(FaultCodes.Invalid, pointer + "/to", "Must not be the same as from: to be told nothing, mute.");
        if (TimeZone is not null && FindZone(TimeZone) is null)
            faults.Add(FaultCodes.Invalid, pointer + "/timeZone", "Must be an IANA time zone such as Europe/Berlin.");
    }

    private static DateTimeZone? FindZone(string? name) => name is null ? null : DateTimeZoneProviders.Tzdb.GetZoneOrNull(name);
}
