using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Apps;

/// <summary>A user as an app's directory has it.</summary>
public sealed record AppUser(string App, string UserId, string? Email, string? Locale, string? TimeZone, DateTimeOffset JoinedAt, DateTimeOffset? LeftAt);

/// <summary>What a back end may say of a user.</summary>
public sealed record AppUserDetails(string? Email, string? Locale, string? TimeZone);

/// <summary>Who is a member of which app, and how to reach them while they are offline.</summary>
public sealed class UserDirectory
{
    /// <summary>How long this node may go on with what it knew before it sees that another node's caller removed a member.</summary>
    private static readonly TimeSpan s_trust = TimeSpan.FromSeconds(10);

    /// <summary>Bounds the memory of memberships; when it is full, it starts anew.</summary>
    private const int MostRemembered = 100_000;

    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;
    private readonly Gathering<Entrant, bool> _entering;
    private readonly ConcurrentDictionary<(string App, string UserId), (bool Member, long At)> _remembered = new();
    private DateTimeOffset _leaversSeenUntil;
    private long _revision;

    internal UserDirectory(RealtimeDatabase database, EventStore store, TimeProvider time)
    {
        _database = database;
        _time = time;
        _entering = new(entrants => store.EnterAsync(entrants, time.GetUtcNow(), CancellationToken.None));
    }

    /// <summary>Grows when a member has left.</summary>
    public long Revision => Volatile.Read(ref _revision);

    /// <summary>Whether the user belongs to the app. The first time a token is used adds its holder; somebody who has left stays out.</summary>
    public async ValueTask<bool> EnterAsync(string app, Caller user, CancellationToken cancellationToken)
    {
        var key = (app, user.Sub);
        if (_remembered.TryGetValue(key, out var known) && _time.GetElapsedTime(known.At) < s_trust)
            return known.Member;

        var entrant = new Entrant(app, user.Sub, user.Email, user.Locale);
        var members = await _entering.AskAsync([entrant], cancellationToken);
        var member = members[entrant];
        Remember(key, member);
        return member;
    }

    public async Task<AppUser?> FindAsync(ReadScope scope, string app, string userId, CancellationToken cancellationToken)
    {
        var row = await _database.ReadAsync(scope, context => context.AppUsers.AsNoTracking()
            .FirstOrDefaultAsync(stored => stored.App == app && stored.UserId == userId, cancellationToken), cancellationToken);
        return row is null ? null : ToUser(row);
    }

    /// <summary>Adds the user or updates what is known; somebody who had left is back.</summary>
    public async Task<AppUser> PutAsync(string app, string userId, AppUserDetails details, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var row = await context.AppUsers.FirstOrDefaultAsync(stored => stored.App == app && stored.UserId == userId, cancellationToken);
        if (row is null)
            context.AppUsers.Add(row = new AppUserRow { App = app, UserId = userId, JoinedAt = StoreTime.Truncate(_time.GetUtcNow()) });
        else if (row.LeftAt is not null)
            row.JoinedAt = StoreTime.Truncate(_time.GetUtcNow());
        (row.Email, row.Locale, row.TimeZone, row.LeftAt) = (details.Email, details.Locale, details.TimeZone, null);
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException) when (context.Entry(row).State == EntityState.Added)
        {
            return await PutAsync(app, userId, details, cancellationToken);
        }

        Remember((app, userId), member: true);
        return ToUser(row);
    }

    /// <summary>The user leaves the app. The entry stays, so that an old token does not add the user again.</summary>
    /// <returns>False: there is no such member.</returns>
    public async Task<bool> RemoveAsync(string app, string userId, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var now = _time.GetUtcNow();
        var left = await context.AppUsers.Where(stored => stored.App == app && stored.UserId == userId && stored.LeftAt == null)
            .ExecuteUpdateAsync(set => set.SetProperty(stored => stored.LeftAt, now), cancellationToken);
        Remember((app, userId), member: false);
        Interlocked.Increment(ref _revision);
        return left > 0;
    }

    /// <summary>Sees who has left on another node since the last call.</summary>
    internal async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        // Twice the trust back: another node's clock may differ, and seeing somebody leave twice does no harm.
        var since = (_leaversSeenUntil == default ? now : _leaversSeenUntil) - (2 * s_trust);
        await using var context = _database.ForService();
        var leavers = await context.AppUsers.AsNoTracking().Where(stored => stored.LeftAt > since)
            .Select(stored => new { stored.App, stored.UserId }).ToListAsync(cancellationToken);
        _leaversSeenUntil = now;
        var news = false;
        foreach (var leaver in leavers)
        {
            var key = (leaver.App, leaver.UserId);
            if (!_remembered.TryGetValue(key, out var known) || !known.Member)
                continue;
            _remembered.TryRemove(key, out _); // the next use asks the store
            news = true;
        }

        if (news)
            Interlocked.Increment(ref _revision);
    }

    private void Remember((string App, string UserId) key, bool member)
    {
        if (_remembered.Count > MostRemembered)
            _remembered.Clear();
        _remembered[key] = (member, _time.GetTimestamp());
    }

    private static AppUser ToUser(AppUserRow row) => new(row.App, row.UserId, row.Email, row.Locale, row.TimeZone, row.JoinedAt, row.LeftAt);
}
