using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Cluster;

/// <param name="Kind">One of <see cref="NodeCommandKinds"/>.</param>
/// <param name="Target">What it is about; each kind has its own form.</param>
public sealed record NodeCommand(Guid Id, string Kind, string? Target, string? Reason);

/// <summary>What one node may ask of another.</summary>
public static class NodeCommandKinds
{
    /// <summary>Target: a connection's id.</summary>
    public const string Disconnect = "disconnect";

    /// <summary>Target: a user id, or <c>app/userId</c> for the connections that are subscribed to the app.</summary>
    public const string DisconnectUser = "disconnect_user";

    public const string Drain = "drain";
    public const string Resume = "resume";
}

/// <summary>What came of a command.</summary>
/// <param name="Affected">Over all nodes, how many connections it concerned.</param>
/// <param name="Answered">All nodes have done it, or have said that they cannot.</param>
/// <param name="Refused">A node cannot do it.</param>
public readonly record struct CommandOutcome(int Affected, bool Answered, bool Refused);

/// <summary>
/// What nodes ask of each other, by way of the database: no node needs to reach another. Each reads its commands with every heartbeat, does them and says so;
/// who asks waits for that, and knows.
/// </summary>
public sealed partial class NodeCommands
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(100);

    /// <summary>What nobody has done for so long is not done any more.</summary>
    private static readonly TimeSpan s_age = TimeSpan.FromSeconds(60);

    private readonly ClusterStore _store;
    private readonly NodeIdentity _self;
    private readonly NodeRegistry _nodes;
    private readonly TimeProvider _time;
    private readonly ILogger<NodeCommands> _logger;
    private readonly ConcurrentDictionary<string, Func<NodeCommand, Task<int>>> _handlers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Guid, byte> _underWay = new();

    /// <summary>What was done lately, so that none is done twice when the store did not take the answer.</summary>
    private readonly ConcurrentDictionary<Guid, (int? Affected, long At)> _done = new();

    internal NodeCommands(ClusterStore store, NodeIdentity self, NodeRegistry nodes, TimeProvider time, ILogger<NodeCommands> logger)
    {
        _store = store;
        _self = self;
        _nodes = nodes;
        _time = time;
        _logger = logger;
        nodes.AfterBeat(RunOnceAsync);
    }

    /// <summary>From now on this node can do such commands.</summary>
    /// <param name="handler">Returns how many connections it concerned. It need not be quick: heartbeats do not wait for it, who asks does.</param>
    public void Handle(string kind, Func<NodeCommand, Task<int>> handler) => _handlers[kind] = handler;

    /// <summary>Has nodes do something and waits until they have, at most five seconds.</summary>
    public async Task<CommandOutcome> AskAsync(IEnumerable<string> nodes, string kind, string? target, string? reason, CancellationToken cancellationToken)
    {
        var commands = nodes.Select(node => (Node: node, Command: new NodeCommand(Guid.CreateVersion7(_time.GetUtcNow()), kind, target, reason))).ToList();
        if (commands.Count == 0)
            return new CommandOutcome(0, Answered: true, Refused: false);
        await _store.AddCommandsAsync(commands);
        _ = _nodes.BeatNowAsync();

        var asked = _time.GetTimestamp();
        var ids = commands.ConvertAll(command => command.Command.Id);
        while (true)
        {
            var answers = await _store.ReadAnswersAsync(ids);
            var answered = answers.Count == ids.Count;
            if (answered || _time.GetElapsedTime(asked) >= s_patience)
                return new CommandOutcome(answers.Sum(affected => affected ?? 0), answered, answers.Contains(null));
            await Task.Delay(s_look, _time, cancellationToken);
        }
    }

    /// <summary>Begins what this node is asked to do.</summary>
    internal async Task RunOnceAsync()
    {
        if (!_nodes.HasEntered)
            return;
        foreach (var (id, done) in _done)
        {
            if (_time.GetElapsedTime(done.At) > 2 * s_age)
                _done.TryRemove(id, out _);
        }

        foreach (var command in await _store.ReadCommandsAsync(_self.Id, s_age))
        {
            if (_underWay.TryAdd(command.Id, 0))
                _ = RunAsync(command);
        }
    }

    private async Task RunAsync(NodeCommand command)
    {
        if (!_done.TryGetValue(command.Id, out var done))
            _done[command.Id] = done = (await DoAsync(command), _time.GetTimestamp());
        try
        {
            await _store.FinishCommandAsync(command.Id, done.Affected);
        }
        catch (Exception e)
        {
            // It is read again, and only answered again.
            LogUnanswered(command.Kind, e.Message);
        }

        _underWay.TryRemove(command.Id, out _);
    }

    /// <returns>Null: this node cannot do it.</returns>
    private async Task<int?> DoAsync(NodeCommand command)
    {
        try
        {
            return _handlers.TryGetValue(command.Kind, out var handler) ? await handler(command) : null;
        }
        catch (Exception e)
        {
            LogFailed(e, command.Kind);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The command {Kind} failed")]
    private partial void LogFailed(Exception exception, string kind);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The command {Kind} is done, and the store does not take the answer: {Reason}")]
    private partial void LogUnanswered(string kind, string reason);
}
