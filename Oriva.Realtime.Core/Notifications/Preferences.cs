using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A row of the matrix: where notifications about a type may go.</summary>
/// <param name="Required">The user cannot turn it off.</param>
public sealed record PreferenceItem(string? Type, string? Title, bool Required, IReadOnlyDictionary<string, bool>? Channels);

/// <summary>What a user of an app wants, ready to render; the same is put back.</summary>
/// <param name="Muted">Nothing but what is required.</param>
/// <param name="Items">In what is put, a type or channel that is not named is wanted.</param>
/// <param name="QuietHours">Null: none.</param>
public sealed record PreferenceMatrix(bool Muted, IReadOnlyList<PreferenceItem>? Items, QuietHours? QuietHours);

/// <summary>What users want to be told, where and when. Routing and delivery ask; a change counts for what is sent after it.</summary>
public sealed class Preferences
{
    /// <summary>In the place of a type: everything that is not required. A channel that is off here is off for all types.</summary>
    public const string AllTypes = "*";

    private const int MostRetries = 10;
    private const int MostItems = 1_000;
    private static readonly string[] s_channels = [ChannelNames.InApp, ChannelNames.Websocket, ChannelNames.Push, ChannelNames.Email];

    private readonly RealtimeDatabase _database;
    private readonly AccessPolicy _access;
    private readonly AppRegistry _registry;
    private readonly TimeProvider _time;

    internal Preferences(RealtimeDatabase database, AccessPolicy access, AppRegistry registry, TimeProvider time)
    {
        _database = database;
        _access = access;
        _registry = registry;
        _time = time;
    }

    public async Task<Outcome<PreferenceMatrix>> FindAsync(Caller caller, string? app, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        var row = await _database.ReadAsync(
            new ReadScope(caller.Sub, [app!], [], Whole: false),
            context => context.NotificationPreferences.AsNoTracking().FirstOrDefaultAsync(stored => stored.App == app && stored.UserId == caller.Sub, cancellationToken),
            cancellationToken);
        return ToMatrix(_registry.Find(app!)!.Manifest, NotificationSettings.Of(row));
    }

    /// <summary>Replaces all of it.</summary>
    public async Task<Outcome<PreferenceMatrix>> PutAsync(Caller caller, string? app, PreferenceMatrix wanted, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        var manifest = _registry.Find(app!)!.Manifest;
        var faults = new FaultList();
        var off = Check(manifest, wanted, faults);
        if (!faults.IsEmpty)
            return faults.ToFault();
        var changed = await ChangeAsync(app!, caller.Sub, settings =>
        {
            // What the caller may not have been shown stays as it is: nobody is subscribed again by saving something else.
            var kept = settings.Off.Where(type => !off.ContainsKey(type.Key) && manifest.RulesOn(type.Key).Count == 0 && type.Key != AllTypes && wanted.Items?.Any(item => item.Type == type.Key) != true);
            return new NotificationSettings(wanted.Muted, kept.Concat(off).ToDictionary(StringComparer.Ordinal), wanted.QuietHours);
        }, cancellationToken);
        return ToMatrix(manifest, changed);
    }

    /// <summary>Turns one channel off, for a type or for <see cref="AllTypes"/>: what a link in an e-mail does. Twice is as good as once.</summary>
    public Task MuteAsync(string app, string userId, string type, string channel, CancellationToken cancellationToken) =>
        ChangeAsync(app, userId, settings => settings.Without(type, channel), cancellationToken);

    private async Task<NotificationSettings> ChangeAsync(string app, string userId, Func<NotificationSettings, NotificationSettings> change, CancellationToken cancellationToken)
    {
        for (var retry = 0; ; retry++)
        {
            await using var context = _database.ForService();
            var row = await context.NotificationPreferences.FirstOrDefaultAsync(stored => stored.App == app && stored.UserId == userId, cancellationToken);
            var changed = change(NotificationSettings.Of(row));
            if (row is null)
                context.NotificationPreferences.Add(row = new NotificationPreferenceRow { App = app, UserId = userId, Channels = "{}", UpdatedAt = _time.GetUtcNow() });
            (row.Muted, row.Channels, row.QuietHours) = (changed.Muted, changed.ChannelsJson, changed.QuietHoursJson);
            (row.Version, row.UpdatedAt) = (row.Version + 1, StoreTime.Truncate(_time.GetUtcNow()));
            try
            {
                await context.SaveChangesAsync(cancellationToken);
                return changed;
            }
            catch (DbUpdateException e) when (!StoreOutage.Is(e) && retry < MostRetries)
            {
                // Changed by somebody else at the same moment: their change is read, and this one made on top of it.
            }
        }
    }

    /// <summary>A row for each type that a rule notifies about or that the user has turned off, and one for all of them.</summary>
    private static PreferenceMatrix ToMatrix(Manifest manifest, NotificationSettings settings)
    {
        var types = TypesOf(manifest).Union(settings.Off.Keys, StringComparer.Ordinal).Where(type => type != AllTypes).Order(StringComparer.Ordinal);
        var items = types.Select(type => new PreferenceItem(
            type, manifest.Events.GetValueOrDefault(type)?.Title ?? type, manifest.IsRequired(type),
            ChannelsOf(manifest, type).ToDictionary(channel => channel, channel => manifest.IsRequired(type) || !settings.IsOff(type, channel), StringComparer.Ordinal)));
        var all = new PreferenceItem(AllTypes, "Everything", false, s_channels.ToDictionary(channel => channel, channel => !settings.IsOff(AllTypes, channel), StringComparer.Ordinal));
        return new PreferenceMatrix(settings.Muted, [.. items, all], settings.QuietHours);
    }

    private static IEnumerable<string> TypesOf(Manifest manifest) => manifest.Notifications.Select(rule => rule.On).Distinct(StringComparer.Ordinal);

    /// <summary>Of a type without a rule, which a back end or a subscription brings, all.</summary>
    private static IEnumerable<string> ChannelsOf(Manifest manifest, string type) =>
        manifest.RulesOn(type).Count == 0 ? s_channels : s_channels.Intersect(manifest.RulesOn(type).SelectMany(RecipientFinder.ChannelsOf), StringComparer.Ordinal);

    /// <returns>What is turned off.</returns>
    private static Dictionary<string, HashSet<string>> Check(Manifest manifest, PreferenceMatrix wanted, FaultList faults)
    {
        var off = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        if (wanted.Items?.Count > MostItems)
            faults.Add(FaultCodes.TooLarge, "/items", $"At most {MostItems} items.");
        foreach (var (i, item) in (wanted.Items ?? []).Take(MostItems).Index())
        {
            if (item?.Type is null || (item.Type != AllTypes && !manifest.HasTypesLike(item.Type)))
            {
                faults.Add(FaultCodes.UnknownType, $"/items/{i}/type", "The app has no such type.");
                continue;
            }

            foreach (var (channel, isOn) in item.Channels ?? new Dictionary<string, bool>())
            {
                var pointer = $"/items/{i}/channels/{JsonText.Escape(channel)}";
                if (!ChannelsOf(manifest, item.Type).Contains(channel, StringComparer.Ordinal))
                    faults.Add(FaultCodes.Invalid, pointer, "The type has no such channel.");
                else if (!isOn && manifest.IsRequired(item.Type))
                    faults.Add(FaultCodes.Invalid, pointer, "The app requires it: it cannot be turned off.");
                else if (!isOn)
                    (off.TryGetValue(item.Type, out var channels) ? channels : off[item.Type] = new HashSet<string>(StringComparer.Ordinal)).Add(channel);
            }
        }

        wanted.QuietHours?.Check("/quietHours", faults);
        return off;
    }
}

/// <summary>What a user wants, as routing and delivery ask for it.</summary>
/// <param name="Off">Channels that are turned off, by type.</param>
internal sealed record NotificationSettings(bool Muted, IReadOnlyDictionary<string, HashSet<string>> Off, QuietHours? QuietHours)
{
    public const string MutedReason = "muted";
    public const string PreferenceReason = "preference";

    public static readonly NotificationSettings None = new(false, new Dictionary<string, HashSet<string>>(StringComparer.Ordinal), null);

    public string ChannelsJson => JsonSerializer.Serialize(
        Off.ToDictionary(type => type.Key, type => type.Value.Order(StringComparer.Ordinal).ToDictionary(channel => channel, _ => false, StringComparer.Ordinal), StringComparer.Ordinal));

    public string? QuietHoursJson => QuietHours is null ? null : JsonSerializer.Serialize(QuietHours, WireJson.Options);

    public static NotificationSettings Of(NotificationPreferenceRow? row) => row is null ? None : Of(row.Muted, row.Channels, row.QuietHours);

    public static NotificationSettings Of(bool muted, string? channels, string? quietHours) => new(
        muted,
        channels is null or "{}" ? None.Off
            : JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, bool>>>(channels)!.ToDictionary(
                type => type.Key, type => type.Value.Where(channel => !channel.Value).Select(channel => channel.Key).ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal),
        quietHours is null ? null : JsonSerializer.Deserialize<QuietHours>(quietHours, WireJson.Options));

    public bool IsOff(string type, string channel) => Off.TryGetValue(type, out var channels) && channels.Contains(channel);

    /// <returns>Why a notification about the type does not go there; null: it does. Required ones always do, and a back end's webhook is no user's to turn off.</returns>
    public string? Objection(string? type, string channel, bool required)
    {
        if (required || channel == ChannelNames.Webhook)
            return null;
        if (Muted)
            return MutedReason;
        return (type is not null && IsOff(type, channel)) || IsOff(Preferences.AllTypes, channel) ? PreferenceReason : null;
    }

    public NotificationSettings Without(string type, string channel)
    {
        var off = Off.ToDictionary(entry => entry.Key, entry => new HashSet<string>(entry.Value, StringComparer.Ordinal), StringComparer.Ordinal);
        (off.TryGetValue(type, out var channels) ? channels : off[type] = new HashSet<string>(StringComparer.Ordinal)).Add(channel);
        return this with { Off = off };
    }
}
