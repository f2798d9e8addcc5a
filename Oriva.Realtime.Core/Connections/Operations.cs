using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Connections;

/// <summary>How a user is to be disconnected.</summary>
/// <param name="App">Only connections that are subscribed to it; absent: all.</param>
/// <param name="BlockSeconds">Keeps the user out for so long, before anything is closed.</param>
public sealed record DisconnectRequest(string? App, int? BlockSeconds, string? Reason);

/// <summary>What came of disconnecting a user.</summary>
/// <param name="Disconnected">How many connections, over all nodes. Those that a new block has ended by itself, a moment earlier, are not counted.</param>
public sealed record UserDisconnected(int Disconnected, DateTimeOffset? BlockedUntil);

/// <summary>What operators do to connections, users and nodes, on whichever node they are. It is written down before it is done, and answered when all nodes have done it.</summary>
public sealed class Operations
{
    private const int MaxReasonLength = 500;

    private readonly RealtimeDatabase _database;
    private readonly ConnectionRegistry _connections;
    private readonly ConnectionList _list;
    private readonly NodeIdentity _self;
    private readonly NodeRegistry _nodes;
    private readonly NodeCommands _commands;
    private readonly UserBlocks _blocks;
    private readonly TimeProvider _time;

    internal Operations(
        RealtimeDatabase database, ConnectionRegistry connections, ConnectionList list, NodeIdentity self, NodeRegistry nodes, NodeCommands commands, UserBlocks blocks, TimeProvider time)
    {
        _database = database;
        _connections = connections;
        _list = list;
        _self = self;
        _nodes = nodes;
        _commands = commands;
        _blocks = blocks;
        _time = time;
    }

    /// <returns>How many were closed: one.</returns>
    public async Task<Outcome<int>> DisconnectAsync(Caller by, string id, CancellationToken cancellationToken)
    {
        var node = _connections.Find(id) is not null ? _self.Id : await _list.FindAsync(id, cancellationToken) is { ClosedAt: null } found ? found.Node : null;
        if (node is null || !await IsAliveAsync(node))
            return Fault.NotFound;
        await AuditAsync(by, "disconnect_connection", id, new { node }, cancellationToken);
        var outcome = Check(await _commands.AskAsync([node], NodeCommandKinds.Disconnect, id, CloseReasons.Disconnected, cancellationToken));
        return outcome.Fault is null && outcome.Value == 0 ? Fault.NotFound : outcome;
    }

    public async Task<Outcome<UserDisconnected>> DisconnectUserAsync(Caller by, string userId, DisconnectRequest request, CancellationToken cancellationToken)
    {
        if (Check(userId, request) is { } invalid)
            return invalid;
        await AuditAsync(by, request.BlockSeconds is null ? "disconnect_user" : "block_user", userId, request, cancellationToken);
        DateTimeOffset? until = request.BlockSeconds is { } seconds ? await _blocks.BlockAsync(userId, TimeSpan.FromSeconds(seconds), request.Reason, by.Sub) : null;
        var alive = (await _nodes.ReadAsync()).Where(node => node.IsAlive).Select(node => node.Id);
        var target = request.App is { } app ? $"{app}/{userId}" : userId;
        var outcome = Check(await _commands.AskAsync(alive, NodeCommandKinds.DisconnectUser, target, request.Reason, cancellationToken));
        // The command has done so, on every node that took it.
        await _blocks.RefreshAsync();
        return outcome.Fault is { } fault ? fault : new UserDisconnected(outcome.Value, until);
    }

    /// <returns>False: the user is not blocked.</returns>
    public async Task<bool> UnblockAsync(Caller by, string userId, CancellationToken cancellationToken)
    {
        await AuditAsync(by, "unblock_user", userId, null, cancellationToken);
        return await _blocks.UnblockAsync(userId);
    }

    /// <param name="kind"><see cref="NodeCommandKinds.Drain"/> or <see cref="NodeCommandKinds.Resume"/>.</param>
    /// <returns>How many connections it concerned.</returns>
    public async Task<Outcome<int>> CommandAsync(Caller by, string node, string kind, CancellationToken cancellationToken)
    {
        if (!await IsAliveAsync(node))
            return Fault.NotFound;
        await AuditAsync(by, kind + "_node", node, null, cancellationToken);
        return Check(await _commands.AskAsync([node], kind, null, null, cancellationToken));
    }

    private async Task<bool> IsAliveAsync(string node) => (await _nodes.ReadAsync()).Any(known => known.Id == node && known.IsAlive);

    private static Fault? Check(string userId, DisconnectRequest request)
    {
        if (!Names.IsId(userId))
            return Fault.Invalid("/id", "Must be a user id.");
        if (request.App is not null && !Names.IsApp(request.App))
            return Fault.Invalid("/app", "Must be an app id.");
        if (request.BlockSeconds is { } seconds && (seconds < 1 || seconds > UserBlocks.Longest.TotalSeconds))
            return Fault.Invalid("/blockSeconds", $"Must be 1 to {UserBlocks.Longest.TotalSeconds}.");
        if (request is { BlockSeconds: not null, App: not null })
            return Fault.Invalid("/blockSeconds", "A block is for all apps; leave app out.");
        return request.Reason is { } reason && (reason.Length > MaxReasonLength || !JsonText.IsStorable(reason))
            ? Fault.Invalid("/reason", $"Must be a text of at most {MaxReasonLength} characters.")
            : null;
    }

    private static Outcome<int> Check(CommandOutcome outcome) => outcome switch
    {
        { Answered: false } => Fault.Unavailable("Not every node has answered in time; what was asked may still be done."),
        { Refused: true } => new Fault(FaultCodes.Conflict, "The node cannot do this."),
        _ => outcome.Affected,
    };

    private async Task AuditAsync(Caller by, string action, string target, object? details, CancellationToken cancellationToken)
    {
        var now = StoreTime.Truncate(_time.GetUtcNow());
        await using var context = _database.ForService();
        context.AdminAudit.Add(new AdminAuditRow
        {
            Id = Guid.CreateVersion7(now), At = now, Actor = by.Sub, Action = action, Target = target,
            Details = details is null ? null : JsonSerializer.Serialize(details, WireJson.Options),
        });
        await context.SaveChangesAsync(cancellationToken);
    }
}
