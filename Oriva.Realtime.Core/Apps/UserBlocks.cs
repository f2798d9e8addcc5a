using System.Collections.Frozen;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>
/// Users who are kept out for a time, by operators. Every node has them in memory and looks once a second for new ones. A block ends by itself; back ends
/// that come by an API key are no users.
/// </summary>
public sealed class UserBlocks
{
    public static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    private readonly ClusterStore _store;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _refreshing = new(1, 1);
    private FrozenDictionary<string, long> _ends = FrozenDictionary<string, long>.Empty;
    private long _revision;

    internal UserBlocks(ClusterStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
    }

    /// <summary>Grows when somebody is blocked anew.</summary>
    internal long Revision => Volatile.Read(ref _revision);

    /// <summary>Why the caller is kept out; null: it is not.</summary>
    public Fault? Refuse(Caller caller)
    {
        if (caller.ApiKeyId is not null || !_ends.TryGetValue(caller.Sub, out var end))
            return null;
        var left = _time.GetElapsedTime(_time.GetTimestamp(), end);
        return left > TimeSpan.Zero ? new Fault(FaultCodes.UserBlocked, "The user is blocked for a time.") { RetryAfter = left } : null;
    }

    /// <summary>Keeps a user out, on each node from its next refresh on.</summary>
    /// <returns>Until when.</returns>
    internal Task<DateTimeOffset> BlockAsync(string userId, TimeSpan span, string? reason, string by) => _store.BlockAsync(userId, span, reason, by);

    /// <returns>False: the user is not blocked.</returns>
    public async Task<bool> UnblockAsync(string userId)
    {
        var unblocked = await _store.UnblockAsync(userId);
        await RefreshAsync();
        return unblocked;
    }

    public async Task<IReadOnlyList<UserBlock>> ListAsync() => (await _store.ReadBlocksAsync()).ConvertAll(found => found.Block);

    /// <summary>Learns what was blocked and unblocked up to now, also on other nodes.</summary>
    internal async Task RefreshAsync()
    {
        // In turn, so that an earlier answer does not stand in the place of a later one.
        await _refreshing.WaitAsync();
        try
        {
            var now = _time.GetTimestamp();
            var found = await _store.ReadBlocksAsync();
            var before = _ends;
            if (found.Count > 0 || before.Count > 0)
                _ends = found.ToFrozenDictionary(block => block.Block.UserId, block => now + (long)(block.Left.TotalSeconds * _time.TimestampFrequency), StringComparer.Ordinal);
            if (found.Exists(block => !before.ContainsKey(block.Block.UserId)))
                Interlocked.Increment(ref _revision);
        }
        finally
        {
            _refreshing.Release();
        }
    }
}
