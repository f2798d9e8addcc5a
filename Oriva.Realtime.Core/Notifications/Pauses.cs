using Microsoft.EntityFrameworkCore;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>Holds deliveries that match all that it names. Without rule and channel it holds routing too: no event of the app becomes a notification meanwhile.</summary>
public sealed record Pause(Guid Id, string? App, string? Rule, string? Channel, string Reason, string CreatedBy, DateTimeOffset CreatedAt);

public sealed record PauseRequest(string? App, string? Rule, string? Channel, string? Reason);

/// <summary>Pauses of operators. They are part of every claim, on all nodes at once; what was claimed before a pause still goes out. Nothing is lost, nothing spends an attempt.</summary>
public sealed class Pauses
{
    private const int MaxReason = 500;

    private readonly RealtimeDatabase _database;
    private readonly DeliveryWorker _worker;
    private readonly WakeSignal _routing;
    private readonly TimeProvider _time;

    internal Pauses(RealtimeDatabase database, DeliveryWorker worker, EventLogWriter writer, TimeProvider time)
    {
        _routing = writer.RoutingQueued;
        _database = database;
        _worker = worker;
        _time = time;
    }

    public async Task<IReadOnlyList<Pause>> ListAsync(CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        return [.. (await context.Pauses.AsNoTracking().ToListAsync(cancellationToken)).OrderBy(row => row.Id).Select(ToPause)];
    }

    public async Task<Outcome<Pause>> AddAsync(Caller caller, PauseRequest request, CancellationToken cancellationToken)
    {
        if (request.App is not null && !Names.IsApp(request.App))
            return Fault.Invalid("/app", "Is not an app id.");
        if (request.Rule is not null && request.App is null)
            return Fault.Invalid("/app", "A rule is of an app: name it.");
        if (request.Channel is not null && !ChannelNames.All.Contains(request.Channel))
            return Fault.Invalid("/channel", "Must be one of " + string.Join(", ", ChannelNames.All) + ".");
        if (request.Channel is ChannelNames.InApp or ChannelNames.Websocket)
            return Fault.Invalid("/channel", "The inbox and live delivery are of one piece with routing: pause the app.");
        if (request.Reason is not { Length: > 0 and <= MaxReason } || !JsonText.IsStorable(request.Reason) || !JsonText.IsStorable(request.Rule ?? ""))
            return Fault.Invalid("/reason", $"Say why, in 1 to {MaxReason} characters.");
        await using var context = _database.ForService();
        var row = new PauseRow
        {
            Id = Guid.CreateVersion7(_time.GetUtcNow()),
            App = request.App,
            Rule = request.Rule,
            Channel = request.Channel,
            Reason = request.Reason,
            CreatedBy = caller.Sub,
            CreatedAt = StoreTime.Truncate(_time.GetUtcNow()),
        };
        context.Pauses.Add(row);
        await context.SaveChangesAsync(cancellationToken);
        return ToPause(row);
    }

    /// <returns>False: there is none.</returns>
    public async Task<bool> RemoveAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var context = _database.ForService();
        var removed = await context.Pauses.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken) > 0;
        _worker.Announce();
        _routing.Set();
        return removed;
    }

    private static Pause ToPause(PauseRow row) => new(row.Id, row.App, row.Rule, row.Channel, row.Reason, row.CreatedBy, row.CreatedAt);
}
