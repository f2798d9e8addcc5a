namespace Oriva.Realtime.Bench.Verify;

/// <summary>
/// The apps, users and topics of a run. Both apps have users and topics of the same names, and users have connections with and without topics: whoever
/// mixes up any two of them is found out.
/// </summary>
internal sealed class Cast(string prefix, int users)
{
    private const string ClaimTopic = "vip-1";

    private static readonly string[] s_rooms = ["room-1", "room-2", "room-3"];

    public IReadOnlyList<string> Apps { get; } = [prefix + "-a", prefix + "-b"];

    public IReadOnlyList<string> Users { get; } = [.. Enumerable.Range(1, users).Select(user => $"user-{user}")];

    public const string EventType = "verify.happened";

    public static string ManifestOf(string app) => $$"""
        { "app": "{{app}}", "name": "Made by verify",
          "events": { "{{EventType}}": { "title": "An event of verify", "publishableBy": ["publishers"] } },
          "topics": [ { "pattern": "room-*", "access": "members" }, { "pattern": "vip-*", "access": "claim" } ] }
        """;

    /// <summary>Topics that the user follows; every second user also one that takes a claim.</summary>
    public static IReadOnlyList<string> TopicsOf(int user) => HasClaim(user) ? [s_rooms[user % s_rooms.Length], ClaimTopic] : [s_rooms[user % s_rooms.Length]];

    /// <summary>The <c>topics</c> claim of the user's token.</summary>
    public static IReadOnlyList<string> ClaimsOf(string app, int user) => HasClaim(user) ? [$"{app}/{ClaimTopic}"] : [];

    /// <summary>What the user may see in the history: also rooms that it does not follow.</summary>
    public Entitlement VisibleTo(string app, int user) => new(app, Users[user], HasClaim(user) ? [.. s_rooms, ClaimTopic] : s_rooms);

    /// <summary>In turn: user, everyone, user, topic; each to the next user, and the next topic, in the other app.</summary>
    public Addressee AddresseeOf(int number)
    {
        var (app, turn) = (Apps[number % Apps.Count], number / Apps.Count);
        return (turn % 4) switch
        {
            1 => new Addressee(app, null, null),
            3 => new Addressee(app, null, turn / 4 % (s_rooms.Length + 1) is var topic && topic < s_rooms.Length ? s_rooms[topic] : ClaimTopic),
            _ => new Addressee(app, Users[turn / 2 % Users.Count], null),
        };
    }

    private static bool HasClaim(int user) => user % 2 == 0;
}
