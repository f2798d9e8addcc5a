using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Apps;

/// <summary>A back end's key as operators see it. The key itself is shown once, when it is made.</summary>
public sealed record ApiKey(
    Guid Id, string Name, IReadOnlyList<string> Apps, IReadOnlyList<string> Roles, DateTimeOffset CreatedAt, DateTimeOffset? LastUsedAt, DateTimeOffset? RevokedAt);

/// <summary>Keys for back ends that have no identity provider: long random texts, kept as hashes, each for some apps and roles.</summary>
public sealed class ApiKeys
{
    /// <summary>Tells a key from a JWT at sight, and lets scanners find one that was committed by mistake.</summary>
    public const string Prefix = "orv_";

    private const int KeyBytes = 32;

    /// <summary>How long a node goes on with what the store said of a key; a key that is revoked on this node is refused at once.</summary>
    private static readonly TimeSpan s_trust = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_clockDifference = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_useInterval = TimeSpan.FromMinutes(1);

    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, (Caller? Caller, long At)> _remembered = new(StringComparer.Ordinal);
    private long _revision;

    private DateTimeOffset _revocationsSeenUntil;

    internal ApiKeys(RealtimeDatabase database, TimeProvider time)
    {
        _database = database;
        _time = time;
    }

    /// <summary>Grows when a key was revoked.</summary>
    internal long Revision => Volatile.Read(ref _revision);

    public static bool IsKey(string token) => token.StartsWith(Prefix, StringComparison.Ordinal);

    public async Task<(ApiKey Described, string Key)> CreateAsync(string name, IReadOnlyList<string> apps, IReadOnlyList<string> roles, CancellationToken cancellationToken)
    {
        var key = Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));
        var now = StoreTime.Truncate(_time.GetUtcNow());
        await using var context = _database.ForService();
        var row = new ApiKeyRow { Id = Guid.CreateVersion7(now), Name = name, KeyHash = HashOf(key), Apps = [.. apps], Roles = [.. roles], CreatedAt = now };
        context.ApiKeys.Add(row);
        await context.SaveChangesAsync(cancellationToken);
        return (Describe(row), key);
    }

    public async Task<IReadOnlyList<ApiKey>> ListAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var rows = await context.ApiKeys.AsNoTracking().OrderBy(row => row.Id).ToListAsync(cancellationToken);
        return rows.ConvertAll(Describe);
    }

    /// <summary>From now on the key is refused, and sessions that were opened with it end.</summary>
    /// <returns>False: there is no such key, or it was revoked before.</returns>
    public async Task<bool> RevokeAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var now = _time.GetUtcNow();
        var revoked = await context.ApiKeys.Where(row => row.Id == id && row.RevokedAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.RevokedAt, now), cancellationToken);
        _remembered.Clear();
        Interlocked.Increment(ref _revision);
        return revoked > 0;
    }

    /// <returns>Who uses the key; null when it is unknown or revoked.</returns>
    public async ValueTask<Caller?> FindAsync(string key, CancellationToken cancellationToken)
    {
        var hash = HashOf(key);
        var name = Convert.ToHexString(hash);
        if (_remembered.TryGetValue(name, out var known) && _time.GetElapsedTime(known.At) < s_trust)
            return known.Caller;

        await using var context = _database.ForService();
        var row = await context.ApiKeys.AsNoTracking().FirstOrDefaultAsync(stored => stored.KeyHash == hash && stored.RevokedAt == null, cancellationToken);
        var caller = row is null ? null : new Caller($"key:{row.Id:N}", row.Apps, row.Roles, []) { ApiKeyId = row.Id };
        // Unknown keys are not remembered: whoever tries many of them must not fill the memory.
        if (caller is not null)
            _remembered[name] = (caller, _time.GetTimestamp());
        if (row is not null)
            await MarkUsedAsync(context, row, cancellationToken);
        return caller;
    }

    /// <summary>Sees what was revoked on another node since the last call.</summary>
    internal async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        // Some seconds back, because another node's clock may differ; judging sessions again does no harm.
        var since = (_revocationsSeenUntil == default ? now : _revocationsSeenUntil) - s_clockDifference;
        await using var context = _database.ForService();
        var revoked = await context.ApiKeys.AnyAsync(row => row.RevokedAt > since, cancellationToken);
        _revocationsSeenUntil = now;
        if (revoked)
            Interlocked.Increment(ref _revision);
    }

    /// <summary>Whether a key by which somebody came is still good.</summary>
    internal async ValueTask<bool> IsGoodAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        return await context.ApiKeys.AnyAsync(row => row.Id == id && row.RevokedAt == null, cancellationToken);
    }

    private async Task MarkUsedAsync(RealtimeDbContext context, ApiKeyRow row, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        if (row.LastUsedAt is { } last && now - last < s_useInterval)
            return;
        await context.ApiKeys.Where(stored => stored.Id == row.Id).ExecuteUpdateAsync(set => set.SetProperty(stored => stored.LastUsedAt, now), cancellationToken);
    }

    private static byte[] HashOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private static ApiKey Describe(ApiKeyRow row) => new(row.Id, row.Name, row.Apps, row.Roles, row.CreatedAt, row.LastUsedAt, row.RevokedAt);
}
