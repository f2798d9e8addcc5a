using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Apps;

/// <summary>An app as this node knows it.</summary>
/// <param name="ManifestText">As it was put, JSON.</param>
public sealed record App(string Id, string Name, long Version, string ManifestText, Manifest Manifest);

/// <summary>
/// The apps and their manifests, in memory. A change on another node is seen at the next refresh, about two seconds later; a publish of a type that is not
/// known here refreshes at once, so that a new manifest can be used as soon as its PUT is answered.
/// </summary>
public sealed partial class AppRegistry
{
    private readonly RealtimeDatabase _database;
    private readonly TimeProvider _time;
    private readonly ILogger<AppRegistry> _logger;
    private readonly SemaphoreSlim _refreshing = new(1, 1);
    private Snapshot _snapshot = new(FrozenDictionary<string, App>.Empty);

    // When the newest refresh began, under the semaphore.
    private long _refreshedAt;
    private long _revision;

    internal AppRegistry(RealtimeDatabase database, TimeProvider time, ILogger<AppRegistry> logger)
    {
        _database = database;
        _time = time;
        _logger = logger;
    }

    /// <summary>Grows when a manifest has changed.</summary>
    public long Revision => Volatile.Read(ref _revision);

    public IEnumerable<App> All => _snapshot.Apps.Values.OrderBy(app => app.Id, StringComparer.Ordinal);

    public App? Find(string app) => _snapshot.Apps.GetValueOrDefault(app);

    /// <summary>Apps that get a copy of this type: the source shares it with them and they consume it.</summary>
    public IReadOnlyList<string> FindConsumers(string source, string type) => _snapshot.FindConsumers(source, type);

    /// <summary>Learns what was changed up to this call, also on other nodes. Whoever asks while one refresh runs shares the next.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var asked = _time.GetTimestamp();
        await _refreshing.WaitAsync(cancellationToken);
        try
        {
            if (_refreshedAt > asked)
                return;
            var started = _time.GetTimestamp();
            await using var context = _database.ForService();
            var versions = await context.Apps.AsNoTracking().Select(app => new { app.Id, app.Version }).ToListAsync(cancellationToken);
            _refreshedAt = started;
            var known = _snapshot.Apps;
            if (versions.Count == known.Count && versions.TrueForAll(app => known.TryGetValue(app.Id, out var same) && same.Version == app.Version))
                return;
            var rows = await context.Apps.AsNoTracking().ToListAsync(cancellationToken);
            _snapshot = new Snapshot(rows.Select(row => Parse(row, known)).OfType<App>().ToFrozenDictionary(app => app.Id, StringComparer.Ordinal));
            Interlocked.Increment(ref _revision);
        }
        finally
        {
            _refreshing.Release();
        }
    }

    private App? Parse(AppRow row, FrozenDictionary<string, App> known)
    {
        if (known.TryGetValue(row.Id, out var unchanged) && unchanged.Version == row.Version)
            return unchanged;
        using var json = JsonDocument.Parse(row.Manifest);
        var manifest = ManifestReader.Read(json.RootElement, row.Id);
        if (manifest.Value is { } valid)
            return new App(row.Id, row.Name, row.Version, row.Manifest, valid);
        // Stored by a version with other rules. The app keeps what this node knew of it, and the log says why.
        LogUnreadable(row.Id, row.Version, manifest.Fault!.Message);
        return unchanged;
    }

    private sealed class Snapshot(FrozenDictionary<string, App> apps)
    {
        private readonly ConcurrentDictionary<(string Source, string Type), IReadOnlyList<string>> _consumers = new();

        public FrozenDictionary<string, App> Apps { get; } = apps;

        public IReadOnlyList<string> FindConsumers(string source, string type) => _consumers.GetOrAdd((source, type), key =>
            Apps.TryGetValue(key.Source, out var from) && from.Manifest.Events.TryGetValue(key.Type, out var declared)
                ? [.. declared.SharedWith.Where(app => Apps.TryGetValue(app, out var to) && to.Manifest.ConsumesFrom(key.Source, key.Type)).Order(StringComparer.Ordinal)]
                : []);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The stored manifest of app {App}, version {Version}, cannot be read: {Reason}")]
    private partial void LogUnreadable(string app, long version, string reason);
}
