using System.Collections.Concurrent;
using System.Security.Claims;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Tokens that were found good, so that the signature of a back end's token is not checked anew with each of its publishes. Each for a minute at most, and
/// never past its expiry; a key that the identity provider withdraws is believed for that minute more.
/// </summary>
internal sealed class GoodTokens(TimeProvider time)
{
    private const int MostTokens = 10_000;
    private static readonly TimeSpan s_life = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Entry> _tokens = new(StringComparer.Ordinal);

    public ClaimsPrincipal? Find(string token) => _tokens.TryGetValue(token, out var entry) && time.GetUtcNow() < entry.Until ? entry.Principal : null;

    /// <param name="expiresAt">From then on the token would be refused.</param>
    public void Add(string token, ClaimsPrincipal principal, DateTimeOffset expiresAt)
    {
        // Who comes back is soon in it again, and a scan for old ones would cost more.
        if (_tokens.Count >= MostTokens)
            _tokens.Clear();
        var minute = time.GetUtcNow() + s_life;
        _tokens[token] = new Entry(principal, minute < expiresAt ? minute : expiresAt);
    }

    private sealed record Entry(ClaimsPrincipal Principal, DateTimeOffset Until);
}
