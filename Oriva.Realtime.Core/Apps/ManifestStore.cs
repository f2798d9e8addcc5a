using System.Text.Json;
using Json.Schema;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Apps;

/// <summary>How a manifest is put.</summary>
/// <param name="DryRun">Only judge it.</param>
/// <param name="Force">Also when the log holds events that it no longer describes.</param>
/// <param name="IfVersion">Only when this is the version that stands; 0: only when the app is new.</param>
public sealed record ManifestPut(bool DryRun = false, bool Force = false, long? IfVersion = null);

/// <summary>Judges and stores manifests.</summary>
public sealed class ManifestStore
{
    /// <summary>How many of a type's newest events a new schema must still accept.</summary>
    private const int EventsChecked = 100;

    private readonly RealtimeDatabase _database;
    private readonly AppRegistry _registry;
    private readonly TimeProvider _time;

    internal ManifestStore(RealtimeDatabase database, AppRegistry registry, TimeProvider time)
    {
        _database = database;
        _registry = registry;
        _time = time;
    }

    /// <returns>The app as it stands afterwards (with <see cref="ManifestPut.DryRun"/>: as it would), or every fault by JSON pointer.</returns>
    public async Task<Outcome<App>> PutAsync(string app, JsonElement json, ManifestPut how, CancellationToken cancellationToken)
    {
        if (!Names.IsApp(app))
            return Fault.Invalid("/app", "An app id is 2 to 63 lower-case letters, digits and hyphens.");
        var read = ManifestReader.Read(json, app);
        if (read.Value is not { } manifest)
            return read.Fault!;

        await using var context = _database.ForService();
        var row = await context.Apps.FirstOrDefaultAsync(stored => stored.Id == app, cancellationToken);
        if (how.IfVersion is { } expected && expected != (row?.Version ?? 0))
            return new Fault(FaultCodes.PreconditionFailed, "The manifest was changed meanwhile: read it again and apply the change to that.");
        if (row is not null && !how.Force && await FindBreakAsync(context, row, manifest, cancellationToken) is { } broken)
            return broken;

        var text = json.GetRawText();
        var version = (row?.Version ?? 0) + 1;
        if (how.DryRun)
            return new App(app, manifest.Name, version, text, manifest);
        var now = StoreTime.Truncate(_time.GetUtcNow());
        if (row is null)
        {
            context.Apps.Add(new AppRow { Id = app, Name = manifest.Name, Manifest = text, Version = version, UpdatedAt = now });
        }
        else
        {
            // Put by a program that kept no versions yet.
            if (!await context.ManifestVersions.AnyAsync(kept => kept.App == app && kept.Version == row.Version, cancellationToken))
                context.ManifestVersions.Add(VersionOf(row));
            (row.Name, row.Manifest, row.Version, row.UpdatedAt) = (manifest.Name, text, version, now);
        }

        context.ManifestVersions.Add(new ManifestVersionRow { App = app, Version = version, Manifest = text, ValidFrom = now });

        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Fault(FaultCodes.PreconditionFailed, "The manifest was changed at the same moment: read it again and apply the change to that.");
        }

        await _registry.RefreshAsync(cancellationToken);
        return _registry.Find(app)!;
    }

    /// <summary>Keeps the versions that stand and were put by a program that kept none, so that no manifest is missing when it is replaced.</summary>
    internal async Task KeepVersionsAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var missing = await context.Apps.AsNoTracking()
            .Where(app => !context.ManifestVersions.Any(kept => kept.App == app.Id && kept.Version == app.Version)).ToListAsync(cancellationToken);
        foreach (var row in missing)
        {
            context.ManifestVersions.Add(VersionOf(row));
            try
            {
                await context.SaveChangesAsync(cancellationToken);
            }
            catch (DbUpdateException e) when (!StoreOutage.Is(e))
            {
                // Kept by another node meanwhile.
                context.ChangeTracker.Clear();
            }
        }
    }

    private static ManifestVersionRow VersionOf(AppRow row) => new() { App = row.Id, Version = row.Version, Manifest = row.Manifest, ValidFrom = row.UpdatedAt };

    /// <summary>
    /// A schema is in use when the log holds events of its type. What breaks it is found by trying, not by comparing schemas: the newest events must still
    /// fit the new one, and a type with events must stay declared.
    /// </summary>
    private static async Task<Fault?> FindBreakAsync(RealtimeDbContext context, AppRow row, Manifest changed, CancellationToken cancellationToken)
    {
        using var json = JsonDocument.Parse(row.Manifest);
        if (ManifestReader.Read(json.RootElement, row.Id).Value is not { } current)
            return null;

        var errors = new Dictionary<string, string[]>();
        foreach (var (type, before) in current.Events.Where(declared => !BuiltInTypes.Contains(declared.Key)))
        {
            var after = changed.Events.GetValueOrDefault(type);
            if (after is not null && (after.Schema is null || after.SchemaText == before.SchemaText))
                continue;
            var recent = await context.Events.AsNoTracking()
                .Where(e => e.App == row.Id && e.Type == type && e.Source == row.Id)
                .OrderByDescending(e => e.RecordedAt).Select(e => e.Data).Take(EventsChecked).ToListAsync(cancellationToken);
            if (recent.Count == 0)
                continue;
            if (after is null)
                errors["/events/" + type] = ["the log holds events of this type; removing it would refuse what publishers send today (force=true does it anyway)"];
            else if (recent.Exists(data => !Fits(after.Schema!, data)))
                errors[$"/events/{type}/schema"] = ["would refuse events that were published lately (force=true does it anyway)"];
        }

        return errors.Count == 0 ? null : new Fault(FaultCodes.Invalid, "The change would break types that are in use.", errors);
    }

    private static bool Fits(JsonSchema schema, string data)
    {
        using var json = JsonDocument.Parse(data);
        return schema.Evaluate(json.RootElement, SchemaFaults.Evaluation).IsValid;
    }
}
