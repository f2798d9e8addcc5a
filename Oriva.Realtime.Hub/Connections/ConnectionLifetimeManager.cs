using System.Collections.Concurrent;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Connections;
using Oriva.Realtime.Core.Sessions;

namespace Oriva.Realtime.Hub.Connections;

/// <summary>
/// Where SignalR's sends go. Each connection has one session, which alone writes to it; what is sent by <c>IHubContext</c>, to a group, a user or a
/// connection, waits in the session's bounded queue. So no sender ever waits for a reader, and one stuck member of a group holds up nobody. The connections
/// of other nodes are reached by the <see cref="Backplane"/>.
/// </summary>
/// <remarks>Sends are therefore signals: at most once, oldest dropped first. What must arrive is published.</remarks>
internal sealed class ConnectionLifetimeManager(
    SessionFactory sessions, Backplane backplane, ConnectionRegistry registry, Presence presence, IHostApplicationLifetime host, IOptions<SessionLimits> limits, ILogger<ConnectionSession> logger, ILogger<DefaultHubLifetimeManager<RealtimeHub>> baseLogger)
    : DefaultHubLifetimeManager<RealtimeHub>(baseLogger)
{
    private readonly ConcurrentDictionary<string, ConnectionSession> _connections = new(StringComparer.Ordinal);
    private readonly MemberSets _groups = new();
    private readonly MemberSets _users = new();

    public override async Task OnConnectedAsync(HubConnectionContext connection)
    {
        // The base keeps what client results need.
        await base.OnConnectedAsync(connection);
        var session = ConnectionSession.Start(connection, sessions, registry, presence, this, logger);
        _connections[connection.ConnectionId] = session;
        session.IsOverLimit = _users.Add(session.UserId, session) > limits.Value.ConnectionsPerUser;
        backplane.Came(session);
    }

    public override async Task OnDisconnectedAsync(HubConnectionContext connection)
    {
        if (_connections.TryRemove(connection.ConnectionId, out var session))
        {
            _users.Remove(session.UserId, session);
            foreach (var group in session.Groups)
                _groups.Remove(group, session);
            backplane.Left(session);
            await session.StopAsync(host.ApplicationStopping.IsCancellationRequested);
        }

        await base.OnDisconnectedAsync(connection);
    }

    public override Task AddToGroupAsync(string connectionId, string groupName, CancellationToken cancellationToken = default)
    {
        if (_connections.TryGetValue(connectionId, out var session))
            Join(session, groupName);
        return Task.CompletedTask;
    }

    public override Task RemoveFromGroupAsync(string connectionId, string groupName, CancellationToken cancellationToken = default)
    {
        if (_connections.TryGetValue(connectionId, out var session))
            Leave(session, groupName);
        return Task.CompletedTask;
    }

    public void Join(ConnectionSession session, string group)
    {
        if (!session.Groups.Add(group))
            return;
        _groups.Add(group, session);
        // It disconnected meanwhile: then nobody else takes it out again.
        if (!_connections.ContainsKey(session.ConnectionId))
            _groups.Remove(group, session);
        else
            backplane.Changed(session);
    }

    public void Leave(ConnectionSession session, string group)
    {
        if (!session.Groups.Remove(group))
            return;
        _groups.Remove(group, session);
        backplane.Changed(session);
    }

    public override Task SendAllAsync(string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        Send(_connections.Values, methodName, args, others => others.SendAllAsync(methodName, args, CancellationToken.None));

    public override Task SendAllExceptAsync(string methodName, object?[] args, IReadOnlyList<string> excludedConnectionIds, CancellationToken cancellationToken = default) =>
        Send(_connections.Values, methodName, args, others => others.SendAllExceptAsync(methodName, args, excludedConnectionIds, CancellationToken.None), excludedConnectionIds);

    public override Task SendConnectionAsync(string connectionId, string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        SendConnectionsAsync([connectionId], methodName, args, cancellationToken);

    public override Task SendConnectionsAsync(IReadOnlyList<string> connectionIds, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        var elsewhere = connectionIds.Where(id => !_connections.ContainsKey(id)).ToList();
        return Send(Find(connectionIds), methodName, args, elsewhere.Count == 0 ? null : others => others.SendConnectionsAsync(elsewhere, methodName, args, CancellationToken.None));
    }

    public override Task SendGroupAsync(string groupName, string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        Send(_groups.MembersOf(groupName), methodName, args, others => others.SendGroupAsync(groupName, methodName, args, CancellationToken.None));

    public override Task SendGroupsAsync(IReadOnlyList<string> groupNames, string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        Send(groupNames.SelectMany(_groups.MembersOf).Distinct(), methodName, args, others => others.SendGroupsAsync(groupNames, methodName, args, CancellationToken.None));

    public override Task SendGroupExceptAsync(
        string groupName, string methodName, object?[] args, IReadOnlyList<string> excludedConnectionIds, CancellationToken cancellationToken = default) =>
        Send(
            _groups.MembersOf(groupName), methodName, args, others => others.SendGroupExceptAsync(groupName, methodName, args, excludedConnectionIds, CancellationToken.None),
            excludedConnectionIds);

    public override Task SendUserAsync(string userId, string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        Send(_users.MembersOf(userId), methodName, args, others => others.SendUserAsync(userId, methodName, args, CancellationToken.None));

    public override Task SendUsersAsync(IReadOnlyList<string> userIds, string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        Send(userIds.SelectMany(_users.MembersOf).Distinct(), methodName, args, others => others.SendUsersAsync(userIds, methodName, args, CancellationToken.None));

    public IReadOnlyCollection<ConnectionSession> Connections => (IReadOnlyCollection<ConnectionSession>)_connections.Values;

    /// <summary>Connections, groups and users that are known here: all gone with the last connection.</summary>
    public int Count => _connections.Count + _groups.Count + _users.Count + backplane.Count;

    private IEnumerable<ConnectionSession> Find(IReadOnlyList<string> connectionIds) =>
        connectionIds.Select(id => _connections.GetValueOrDefault(id)).OfType<ConnectionSession>();

    /// <summary>To connections of this node at once, encoded once a protocol, whoever and however many get it; and to the other nodes.</summary>
    private Task Send(
        IEnumerable<ConnectionSession> to, string method, object?[] args, Func<HubLifetimeManager<RealtimeHub>, Task>? toOthers, IReadOnlyList<string>? except = null)
    {
        SerializedHubMessage? frame = null;
        foreach (var connection in to)
        {
            if (except?.Contains(connection.ConnectionId) != true)
                connection.Session.Signal(frame ??= new SerializedHubMessage(new InvocationMessage(method, args)));
        }

        if (toOthers is not null)
            backplane.Send(toOthers);
        return Task.CompletedTask;
    }

    /// <summary>Named sets of connections; a set without members is gone.</summary>
    private sealed class MemberSets
    {
        private readonly ConcurrentDictionary<string, HashSet<ConnectionSession>> _sets = new(StringComparer.Ordinal);

        public int Count => _sets.Count;

        /// <returns>How many members the set has now.</returns>
        public int Add(string name, ConnectionSession member)
        {
            while (true)
            {
                var set = _sets.GetOrAdd(name, static _ => []);
                lock (set)
                {
                    // Emptied, and so taken out, since GetOrAdd.
                    if (!_sets.TryGetValue(name, out var current) || current != set)
                        continue;
                    set.Add(member);
                    return set.Count;
                }
            }
        }

        public void Remove(string name, ConnectionSession member)
        {
            if (!_sets.TryGetValue(name, out var set))
                return;
            lock (set)
            {
                if (set.Remove(member) && set.Count == 0)
                    _sets.TryRemove(new KeyValuePair<string, HashSet<ConnectionSession>>(name, set));
            }
        }

        public IReadOnlyCollection<ConnectionSession> MembersOf(string name)
        {
            if (!_sets.TryGetValue(name, out var set))
                return [];
            lock (set)
                return [.. set];
        }
    }
}
