using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Connections;

/// <summary>What <c>Presence</c> takes.</summary>
/// <param name="Topic">Who follows this topic; absent: who follows the app.</param>
public sealed record PresenceRequest(string App, string? Topic = null);

/// <param name="Connections">How many of the user's have a live subscription.</param>
/// <param name="Since">When the first of them connected.</param>
public sealed record PresentUser(string UserId, int Connections, DateTimeOffset Since);

/// <param name="Users">At most <see cref="Presence.MostUsers"/> of them.</param>
public sealed record PresenceAnswer(IReadOnlyList<PresentUser> Users, int Total);

/// <summary>
/// Who is there, over all nodes: users with a live subscription to an app, or to a topic of it. Who asks is then told of who comes and goes, by signals,
/// for as long as its own subscription to the app lives: once a second one question is asked for everything that is watched on this node.
/// </summary>
/// <remarks>What is watched has one state, which only grows newer: an answer is that state, and each signal says how the next one differs.</remarks>
public sealed partial class Presence : BackgroundService
{
    public const int MostUsers = 1_000;

    /// <summary>The name of the signals.</summary>
    public const string SignalName = "presence";

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Where asking takes long, it is done less often.</summary>
    private const int RestsPerAsking = 10;

    private readonly RealtimeDatabase _database;
    private readonly AccessPolicy _access;
    private readonly TimeProvider _time;
    private readonly ILogger<Presence> _logger;

    /// <summary>One at a time asks and changes what was seen last.</summary>
    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Watched> _watched = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _scopesOf = new(StringComparer.Ordinal);
    private bool _isFresh;

    internal Presence(RealtimeDatabase database, AccessPolicy access, TimeProvider time, ILogger<Presence> logger)
    {
        _database = database;
        _access = access;
        _time = time;
        _logger = logger;
    }

    /// <summary>Who is there now, about a second ago at most.</summary>
    /// <param name="encode">A signal as the connection's output takes it.</param>
    public async Task<Outcome<PresenceAnswer>> WatchAsync(
        LiveConnection connection, PresenceRequest? request, Func<SignalMessage, object> encode, CancellationToken cancellationToken)
    {
        if (request is null)
            return Fault.Invalid("/app", "Required: {app, topic?}.");
        var caller = connection.Session.Caller;
        if (await _access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;
        if (request.Topic is not null && !Names.IsTopic(request.Topic))
            return Fault.Invalid("/topic", "Is not a topic.");
        if (request.Topic is not null && !_access.MayFollow(caller, request.App, request.Topic))
            return new Fault(FaultCodes.TopicForbidden, "The token gives no access to this topic, or there is none.");

        var scope = LiveConnection.Scope(request.App, request.Topic);
        try
        {
            // Only what it follows can be watched, so that a connection has no more watched than it has streams. Who only asks, waits for nobody.
            return Follows(connection, request.App, request.Topic)
                ? await WatchAsync(connection, request, scope, encode, cancellationToken)
                : ToAnswer((await ReadAsync([scope], cancellationToken)).GetValueOrDefault(scope, []));
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            return Fault.Unavailable("Who is there cannot be read at the moment.");
        }
    }

    /// <summary>The connection no longer watches.</summary>
    /// <param name="app">Only this app; null: anything.</param>
    public void Leave(string connectionId, string? app = null)
    {
        lock (_lock)
        {
            if (!_scopesOf.TryGetValue(connectionId, out var scopes))
                return;
            foreach (var scope in scopes)
            {
                if (!_watched.TryGetValue(scope, out var watched) || (app is not null && watched.App != app))
                    continue;
                scopes.Remove(scope);
                if (watched.Watchers.Remove(connectionId) && watched.Watchers.Count == 0)
                    _watched.Remove(scope);
            }

            if (scopes.Count == 0)
                _scopesOf.Remove(connectionId);
        }
    }

    /// <summary>Asks once for everything that is watched, and tells who watches what has changed.</summary>
    internal async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken);
        try
        {
            List<string> scopes;
            lock (_lock)
                scopes = [.. _watched.Keys];
            if (scopes.Count == 0)
                return;
            _isFresh = false;
            var found = await ReadAsync(scopes, cancellationToken);
            lock (_lock)
            {
                foreach (var scope in scopes)
                {
                    if (_watched.TryGetValue(scope, out var watched))
                        Update(watched, found.GetValueOrDefault(scope, []));
                }
            }

            _isFresh = true;
        }
        finally
        {
            _asking.Release();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var started = _time.GetTimestamp();
            try
            {
                await RunOnceAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (StoreOutage.Is(e))
            {
                LogStale(e.Message);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }

            var rest = RestsPerAsking * _time.GetElapsedTime(started);
            await Task.Delay(rest > s_interval ? rest : s_interval, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static bool Follows(LiveConnection connection, string app, string? topic) =>
        !connection.IsClosed && connection.Session.IsSubscribedTo(app) && (topic is null || connection.Session.TopicsOf(app).Contains(topic));

    private static PresenceAnswer ToAnswer(Dictionary<string, PresentUser> present) =>
        new([.. present.Values.OrderBy(user => user.UserId, StringComparer.Ordinal).Take(MostUsers)], present.Count);

    private async Task<PresenceAnswer> WatchAsync(
        LiveConnection connection, PresenceRequest request, string scope, Func<SignalMessage, object> encode, CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken);
        try
        {
            Watched? watched;
            lock (_lock)
            {
                if (_watched.TryGetValue(scope, out watched) && _isFresh)
                    return Add(watched);
            }

            var present = (await ReadAsync([scope], cancellationToken)).GetValueOrDefault(scope, []);
            lock (_lock)
            {
                if (watched is not null)
                    Update(watched, present);
                // Nobody watched it, or the last who did has left meanwhile.
                if (!_watched.TryGetValue(scope, out watched))
                    watched = new Watched(request.App, request.Topic) { Users = present };
                return Add(watched);
            }
        }
        finally
        {
            _asking.Release();
        }

        PresenceAnswer Add(Watched watched)
        {
            // It may have closed or unsubscribed meanwhile: then nobody would take it out again.
            if (Follows(connection, request.App, request.Topic))
            {
                _watched[scope] = watched;
                watched.Watchers[connection.Id] = (connection, encode);
                if (!_scopesOf.TryGetValue(connection.Id, out var scopes))
                    _scopesOf[connection.Id] = scopes = new HashSet<string>(StringComparer.Ordinal);
                scopes.Add(scope);
            }

            return watched.Answer;
        }
    }

    /// <summary>Behind both walls: as a reader who may see who is in these scopes and nothing else.</summary>
    private async Task<Dictionary<string, Dictionary<string, PresentUser>>> ReadAsync(List<string> scopes, CancellationToken cancellationToken)
    {
        string[] apps = [.. scopes.Select(scope => scope.Split('/')[0]).Distinct(StringComparer.Ordinal)];
        var reader = new ReadScope("", apps, [.. scopes.Where(scope => scope.Contains('/', StringComparison.Ordinal))], Whole: false);
        var rows = await _database.ReadAsync(reader, context => OpenScopes.ReadAsync(context, scopes, cancellationToken), cancellationToken);
        return rows.GroupBy(row => row.Scope, StringComparer.Ordinal).ToDictionary(
            group => group.Key, group => group.ToDictionary(row => row.UserId, row => new PresentUser(row.UserId, row.Connections, row.Since), StringComparer.Ordinal), StringComparer.Ordinal);
    }

    /// <summary>Under the lock.</summary>
    private void Update(Watched watched, Dictionary<string, PresentUser> present)
    {
        var before = watched.Users;
        watched.Users = present;
        var joined = present.Values.Where(user => !before.ContainsKey(user.UserId)).Take(MostUsers).ToList();
        var left = before.Keys.Where(user => !present.ContainsKey(user)).Take(MostUsers).ToList();
        if (joined.Count == 0 && left.Count == 0)
            return;

        var data = JsonSerializer.SerializeToElement(new { joined, left, total = present.Count }, WireJson.Options);
        var signal = new SignalMessage(watched.App, watched.Topic, UserId: null, Caller.Service.Sub, SignalName, data, _time.GetUtcNow());
        object? frame = null;
        foreach (var (_, (connection, encode)) in watched.Watchers)
        {
            // Access may have gone since, and with it the subscription, or it is another one, without the topic.
            if (Follows(connection, watched.App, watched.Topic) && (watched.Topic is null || _access.MayFollow(connection.Session.Caller, watched.App, watched.Topic)))
                connection.Session.Signal(frame ??= encode(signal));
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Who is there is not known: {Reason}")]
    private partial void LogStale(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Who is there could not be read")]
    private partial void LogFailed(Exception exception);

    /// <summary>An app or topic that connections of this node watch.</summary>
    private sealed class Watched(string app, string? topic)
    {
        public string App { get; } = app;

        public string? Topic { get; } = topic;

        private Dictionary<string, PresentUser> _users = [];
        private PresenceAnswer? _answer;

        /// <summary>Who was there when it was last looked.</summary>
        public Dictionary<string, PresentUser> Users
        {
            get => _users;
            set => (_users, _answer) = (value, null);
        }

        /// <summary>The same for everybody who asks.</summary>
        public PresenceAnswer Answer => _answer ??= ToAnswer(_users);

        public Dictionary<string, (LiveConnection Connection, Func<SignalMessage, object> Encode)> Watchers { get; } = new(StringComparer.Ordinal);
    }
}
