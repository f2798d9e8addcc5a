using System.Text.Json;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>
/// Whom an event or a signal is meant for: a user, a topic's followers, or with neither everyone in the app. It travels in the data, which the service does
/// not look into, so that a receiver can tell whether it should have got it whatever the service says about it.
/// </summary>
internal sealed record Addressee(string App, string? User, string? Topic)
{
    public string Stream => User is not null ? $"{App}/users/{User}" : Topic is not null ? $"{App}/topics/{Topic}" : App;

    public object ToJson() => new { app = App, user = User, topic = Topic };

    /// <returns>Null: the data is none that was published here.</returns>
    public static Addressee? Read(JsonElement data) =>
        data.ValueKind == JsonValueKind.Object && data.TryGetProperty("for", out var to)
            ? new Addressee(to.GetProperty("app").GetString()!, to.GetProperty("user").GetString(), to.GetProperty("topic").GetString())
            : null;

    public override string ToString() => Stream;
}

/// <summary>What one connection may receive: its app's everyone-stream, its user's own, and the topics that it subscribes to.</summary>
internal sealed record Entitlement(string App, string User, IReadOnlyList<string> Topics)
{
    public IReadOnlyList<string> Streams { get; } =
        [App, new Addressee(App, User, null).Stream, .. Topics.Select(topic => new Addressee(App, null, topic).Stream)];

    public bool Covers(Addressee to) =>
        to.App == App && (to.User is null || to.User == User) && (to.Topic is null || Topics.Contains(to.Topic));

    public override string ToString() => $"{User} in {App}" + (Topics.Count > 0 ? $" with {string.Join(", ", Topics)}" : "");
}
