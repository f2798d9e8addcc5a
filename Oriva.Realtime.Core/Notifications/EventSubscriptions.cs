using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>"Notify me about…", as it was made.</summary>
/// <param name="Channels">Null: those that the rule offers; without a rule the inbox and live.</param>
public sealed record EventSubscription(
    Guid Id, string App, string UserId, string Type, string? Topic, IReadOnlyList<FilterRequest> Filters, IReadOnlyList<string>? Channels, DateTimeOffset CreatedAt);

/// <param name="UserId">Whose it is to be; for publishers. Null: the caller's.</param>
public sealed record EventSubscriptionRequest(
    string? App, string? Type, string? Topic = null, IReadOnlyList<FilterRequest>? Filters = null, IReadOnlyList<string>? Channels = null, string? UserId = null);

/// <summary>Durable subscriptions: what users are to be notified about, whether they are connected or not.</summary>
public sealed class EventSubscriptions
{
    public const int MostPerUser = 200;
    private const int MostFilters = 20;

    private readonly RealtimeDatabase _database;
    private readonly AccessPolicy _access;
    private readonly AppRegistry _registry;
    private readonly NotificationInterest _interest;
    private readonly TimeProvider _time;

    internal EventSubscriptions(RealtimeDatabase database, AccessPolicy access, AppRegistry registry, NotificationInterest interest, TimeProvider time)
    {
        _registry = registry;
        _database = database;
        _access = access;
        _interest = interest;
        _time = time;
    }

    /// <summary>Answers when this node knows of it: events that it appends from then on are routed to it. Other nodes know some two seconds later.</summary>
    public async Task<Outcome<EventSubscription>> AddAsync(Caller caller, EventSubscriptionRequest request, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;
        var app = request.App!;
        var faults = new FaultList();
        Check(caller, request, faults);
        if (!faults.IsEmpty)
            return faults.ToFault();
        var userId = request.UserId ?? caller.Sub;
        await using var context = _database.ForService();
        if (await context.EventSubscriptions.CountAsync(row => row.App == app && row.UserId == userId, cancellationToken) >= MostPerUser)
            return new Fault(FaultCodes.LimitExceeded, $"At most {MostPerUser} subscriptions a user and app.");

        var row = new EventSubscriptionRow
        {
            Id = Guid.CreateVersion7(_time.GetUtcNow()),
            App = app,
            UserId = userId,
            Type = request.Type!,
            Topic = request.Topic,
            // What a back end makes, it vouches for.
            TopicGranted = request.Topic is not null && (caller.IsPublisher || _access.NeedsClaim(app, request.Topic)),
            Filters = JsonSerializer.Serialize(request.Filters ?? [], WireJson.Options),
            Channels = request.Channels is null ? null : [.. request.Channels.Distinct(StringComparer.Ordinal)],
            CreatedAt = StoreTime.Truncate(_time.GetUtcNow()),
        };
        await AddTypeAsync(app, row.Type, cancellationToken);
        context.EventSubscriptions.Add(row);
        await context.SaveChangesAsync(cancellationToken);
        await _interest.RefreshAsync(cancellationToken);
        return ToSubscription(row);
    }

    /// <param name="userId">For publishers; null: the caller's own.</param>
    public async Task<Outcome<IReadOnlyList<EventSubscription>>> ListAsync(Caller caller, string? app, string? userId, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        if (userId is not null && userId != caller.Sub && !caller.IsPublisher)
            return new Fault(FaultCodes.UserForbidden, "A user sees its own subscriptions.");
        var owner = userId ?? caller.Sub;
        var rows = await _database.ReadAsync(
            new ReadScope(caller.Sub, [app!], [], Whole: caller.IsPublisher),
            context => context.EventSubscriptions.AsNoTracking().Where(row => row.App == app && row.UserId == owner).ToListAsync(cancellationToken),
            cancellationToken);
        return rows.OrderBy(row => row.Id).Select(ToSubscription).ToList();
    }

    /// <returns>False: there is none, or none of the caller's.</returns>
    public async Task<bool> RemoveAsync(Caller caller, Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var row = await context.EventSubscriptions.FirstOrDefaultAsync(stored => stored.Id == id, cancellationToken);
        if (row is null || !caller.Holds(row.App) || (row.UserId != caller.Sub && !caller.IsPublisher))
            return false;
        return await context.EventSubscriptions.Where(stored => stored.Id == id).ExecuteDeleteAsync(cancellationToken) > 0;
    }

    private void Check(Caller caller, EventSubscriptionRequest request, FaultList faults)
    {
        if (request.UserId is not null && request.UserId != caller.Sub && !caller.IsPublisher)
            faults.Add(FaultCodes.UserForbidden, "/userId", "A user subscribes for itself.");
        if (request.UserId is not null && !Names.IsId(request.UserId))
            faults.Add(FaultCodes.Invalid, "/userId", "Is not a user id.");
        if (!Pattern.TryParseType(request.Type, out var pattern))
            faults.Add(FaultCodes.Invalid, "/type", "Must be a type, a prefix and '.*', or '*'.");
        else if (_registry.Find(request.App!)?.Manifest.HasTypesLike(pattern) != true)
            faults.Add(FaultCodes.UnknownType, "/type", "The app has no such type.");
        if (request.Topic is not null && !Names.IsTopic(request.Topic))
            faults.Add(FaultCodes.Invalid, "/topic", "Is not a topic.");
        else if (request.Topic is not null && !_access.MayFollow(caller, request.App!, request.Topic))
            faults.Add(FaultCodes.TopicForbidden, "/topic", "The token gives no access to this topic, or there is none.");
        if (request.Filters?.Count > MostFilters)
            faults.Add(FaultCodes.TooLarge, "/filters", $"At most {MostFilters} filters.");
        var filters = request.Filters ?? [];
        for (var i = 0; i < Math.Min(filters.Count, MostFilters); i++)
            DataFilter.Read(filters[i], $"/filters/{i}", faults);
        var channels = request.Channels ?? [ChannelNames.InApp];
        for (var i = 0; i < channels.Count; i++)
        {
            if (!ChannelNames.All.Contains(channels[i]))
                faults.Add(FaultCodes.Invalid, $"/channels/{i}", "Must be one of " + string.Join(", ", ChannelNames.All) + ".");
        }

        if (channels.Count == 0)
            faults.Add(FaultCodes.Invalid, "/channels", "Name one at least, or leave it out.");
    }

    /// <summary>Before the subscription: what the type alone costs is a look by the router.</summary>
    private async Task AddTypeAsync(string app, string type, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        if (await context.SubscribedTypes.AnyAsync(row => row.App == app && row.Type == type, cancellationToken))
            return;
        context.SubscribedTypes.Add(new SubscribedTypeRow { App = app, Type = type });
        try
        {
            await context.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException e) when (!StoreOutage.Is(e))
        {
            // Added by somebody else meanwhile, which is as good.
        }
    }

    private static EventSubscription ToSubscription(EventSubscriptionRow row) => new(
        row.Id, row.App, row.UserId, row.Type, row.Topic, JsonSerializer.Deserialize<List<FilterRequest>>(row.Filters, WireJson.Options)!, row.Channels, row.CreatedAt);
}
