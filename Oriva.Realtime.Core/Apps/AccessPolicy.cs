using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>Who may do what: the one place that turns a token, a manifest and the directory into an answer.</summary>
public sealed class AccessPolicy
{
    private readonly AppRegistry _registry;
    private readonly UserDirectory _directory;

    private readonly ApiKeys _keys;
    private readonly UserBlocks _blocks;

    internal AccessPolicy(AppRegistry registry, UserDirectory directory, ApiKeys keys, UserBlocks blocks)
    {
        _blocks = blocks;
        _registry = registry;
        _directory = directory;
        _keys = keys;
    }

    /// <summary>Grows when what was allowed may no longer be: sessions then judge their subscriptions again.</summary>
    internal long Revision => _registry.Revision + _directory.Revision + _keys.Revision + _blocks.Revision;

    /// <summary>Whether what the caller came by still counts: the user may have been blocked meanwhile, an API key revoked. Tokens have their expiry.</summary>
    internal async ValueTask<Fault?> RefuseAsync(Caller caller, CancellationToken cancellationToken)
    {
        if (_blocks.Refuse(caller) is { } blocked)
            return blocked;
        return caller.ApiKeyId is { } key && !await _keys.IsGoodAsync(key, cancellationToken) ? new Fault(FaultCodes.AppForbidden, "The API key was revoked.") : null;
    }

    /// <summary>Whether the caller may use the app at all. A user's first use makes a member of the app.</summary>
    public async ValueTask<Fault?> EnterAsync(Caller caller, string? app, CancellationToken cancellationToken)
    {
        if (!Names.IsApp(app))
            return Fault.Invalid("/app", "An app id is required: 2 to 63 lower-case letters, digits and hyphens.");
        if (_blocks.Refuse(caller) is { } blocked)
            return blocked;
        if (!caller.Holds(app!))
            return Fault.AppForbidden(app!);
        if (_registry.Find(app!) is null)
        {
            await _registry.RefreshAsync(cancellationToken);
            if (_registry.Find(app!) is null)
                return Fault.NotFound;
        }

        // Back ends are not members: they have no inbox. An admin is one where the token names the app.
        var isMember = caller.Apps.Contains(app!) && !caller.Roles.Contains(Caller.PublisherRole);
        return isMember && !await _directory.EnterAsync(app!, caller, cancellationToken) && !caller.IsAdmin ? Fault.AppForbidden(app!) : null;
    }

    public bool MayFollow(Caller caller, string app, string topic) => FollowedTopics(caller, app).Any(pattern => pattern.Matches(topic));

    /// <summary>Whether membership alone does not give access to the topic.</summary>
    public bool NeedsClaim(string app, string topic) =>
        _registry.Find(app)?.Manifest.Topics.FirstOrDefault(declared => declared.Pattern.Matches(topic))?.NeedsClaim ?? true;

    /// <summary>What a user sees of an app: its own events, everyone's, and the topics that it may follow.</summary>
    public ReadScope ScopeOfUser(Caller caller, string app) =>
        new(caller.Sub, [app], [.. FollowedTopics(caller, app).Select(pattern => $"{app}/{pattern}")], Whole: false);

    /// <summary>What a caller may search: a publisher or an admin everything in the app, a user what it may see.</summary>
    public ReadScope ScopeOfHistory(Caller caller, string app) =>
        caller.IsPublisher ? new(caller.Sub, [app], [], Whole: true) : ScopeOfUser(caller, app);

    private IEnumerable<Pattern> FollowedTopics(Caller caller, string app)
    {
        if (_registry.Find(app) is not { } found)
            yield break;
        foreach (var declared in found.Manifest.Topics)
        {
            if (!declared.NeedsClaim || caller.IsPublisher)
            {
                yield return declared.Pattern;
                continue;
            }

            foreach (var claim in caller.Topics)
            {
                // The claim names the app, because one token serves several.
                if (claim.StartsWith(app + "/", StringComparison.Ordinal) && Pattern.TryParseTopic(claim[(app.Length + 1)..], out var granted)
                    && declared.Pattern.Intersect(granted) is { } both)
                    yield return both;
            }
        }
    }
}
