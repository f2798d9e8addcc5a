using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Tracing;

/// <summary>The manifests of all apps as they stood at one time.</summary>
internal sealed class ManifestHistory
{
    private readonly Dictionary<string, (long Version, Manifest? Manifest)> _manifests;

    private ManifestHistory(Dictionary<string, (long Version, Manifest? Manifest)> manifests) => _manifests = manifests;

    public IEnumerable<string> Apps => _manifests.Keys.Order(StringComparer.Ordinal);

    public long? VersionOf(string app) => _manifests.TryGetValue(app, out var found) ? found.Version : null;

    /// <summary>Null: there is no such app, or this program cannot read its manifest.</summary>
    public Manifest? Find(string app) => _manifests.GetValueOrDefault(app).Manifest;

    /// <summary>Of an app whose oldest version is from later, that one: it was put before there was a history.</summary>
    public static async Task<ManifestHistory> ReadAsync(RealtimeDbContext context, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var versions = await context.ManifestVersions.AsNoTracking().Select(row => new { row.App, row.Version, row.ValidFrom }).ToListAsync(cancellationToken);
        var manifests = new Dictionary<string, (long Version, Manifest? Manifest)>(StringComparer.Ordinal);
        foreach (var app in versions.GroupBy(version => version.App, StringComparer.Ordinal))
        {
            var stood = app.Where(version => version.ValidFrom <= at).MaxBy(version => version.Version) ?? app.MinBy(version => version.Version)!;
            var text = await context.ManifestVersions.AsNoTracking().Where(row => row.App == app.Key && row.Version == stood.Version).Select(row => row.Manifest).SingleAsync(cancellationToken);
            using var json = JsonDocument.Parse(text);
            manifests[app.Key] = (stood.Version, ManifestReader.Read(json.RootElement, app.Key).Value);
        }

        return new ManifestHistory(manifests);
    }
}
