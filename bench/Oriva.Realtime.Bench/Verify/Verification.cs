using Microsoft.AspNetCore.Http.Connections;
using Oriva.Realtime.Bench.Load;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>One run: followers first, then load, signals and faults beside each other; then the wait for everything to arrive, and the checks.</summary>
internal sealed class Verification(VerifyOptions options, IAnsiConsole console, HttpClient http)
{
    private const int ConnectionsPerUser = 2;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    private readonly Cast _cast = new($"{options.App}-{RunName.Create()}", options.Users);
    private readonly Tokens _tokens = new(options, http);
    private readonly Deployment _deployment = new(options, http);

    /// <param name="stop">Before the load: gives up. During the load: ends it early.</param>
    public async Task<VerifyReport> RunAsync(CancellationToken stop)
    {
        var started = TimeProvider.System.GetUtcNow();
        var verdict = new Verdict { WithFaults = options.Fault is not null };
        var delivery = new Histogram();
        await _deployment.PutAppsAsync(_cast, await _tokens.AdminAsync(stop), stop);
        var followers = await MakeFollowersAsync(verdict, delivery, stop);
        var publishers = new Publishers(options, _cast, verdict, http, await MakePublishersAsync(stop));
        var faults = new FaultHook(options, verdict);

        using var following = new CancellationTokenSource();
        var running = followers.Select(follower => follower.RunAsync(following.Token)).ToList();
        try
        {
            await EventuallyAsync(() => followers.All(follower => follower.IsSubscribed), stop);
            if (followers.FirstOrDefault(follower => !follower.IsSubscribed) is { } absent)
                throw new BenchException($"{absent.Journal.Entitlement} cannot subscribe: {absent.LastError}");
            await LoadAsync(followers, publishers, faults, stop);
            await EventuallyAsync(() => followers.All(follower => FinalChecks.HasAll(follower.Journal, publishers.Acknowledged.Values)), CancellationToken.None);
        }
        finally
        {
            await following.CancelAsync();
            await Task.WhenAll(running);
        }

        foreach (var follower in followers)
            FinalChecks.CheckReceived(follower.Journal, publishers.Acknowledged.Values, verdict);
        await CheckHistoryAsync(followers, publishers, verdict);
        return VerifyReport.Of(started, options, _cast, verdict, publishers, delivery, followers, faults);
    }

    /// <summary>Each user twice in each app: the first time with its topics, the second time without.</summary>
    private async Task<List<Follower>> MakeFollowersAsync(Verdict verdict, Histogram delivery, CancellationToken cancellationToken)
    {
        var followers = new List<Follower>();
        foreach (var (app, user) in _cast.Apps.SelectMany(app => Enumerable.Range(0, options.Users).Select(user => (app, user))))
        {
            var token = await _tokens.UserAsync(_cast.Users[user], app, Cast.ClaimsOf(app, user), cancellationToken);
            for (var connection = 0; connection < ConnectionsPerUser; connection++)
            {
                var transport = options.Transports[followers.Count % options.Transports.Count];
                var entitlement = new Entitlement(app, _cast.Users[user], connection == 0 ? Cast.TopicsOf(user) : []);
                var journal = new Journal(entitlement, verdict, delivery, mayMiss: transport == HttpTransportType.LongPolling);
                followers.Add(new Follower(journal, token, transport, options.Urls, followers.Count / options.Transports.Count));
            }
        }

        return followers;
    }

    private async Task<IReadOnlyList<string>> MakePublishersAsync(CancellationToken cancellationToken)
    {
        var tokens = new List<string>();
        for (var publisher = 1; publisher <= options.Publishers; publisher++)
            tokens.Add(await _tokens.PublisherAsync($"verify-publisher-{publisher}", _cast.Apps, cancellationToken));
        return tokens;
    }

    private async Task LoadAsync(List<Follower> followers, Publishers publishers, FaultHook faults, CancellationToken stop)
    {
        using var loading = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var giveUp = new CancellationTokenSource();
        console.MarkupLineInterpolated($"{_cast.Apps[0]} and {_cast.Apps[1]}: {options.Users} users, {followers.Count} connections, {options.Rate} publishes a second for {options.Duration.TotalSeconds} s");
        var others = Task.WhenAll(SignalAsync(followers, loading.Token), faults.RunAsync(loading.Token));
        var publishing = publishers.RunAsync(RunName.Create(), giveUp.Token, stop);
        await Clock.DelayAsync(options.Duration, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await loading.CancelAsync();
        await others;
        giveUp.CancelAfter(options.Patience);
        await publishing;
    }

    /// <summary>To the sender's own devices, and to a topic that it follows, from each connection in turn.</summary>
    private async Task SignalAsync(List<Follower> followers, CancellationToken cancellationToken)
    {
        var pause = TimeSpan.FromSeconds(1) / options.Rate;
        for (var turn = 0; !cancellationToken.IsCancellationRequested; turn++)
        {
            var follower = followers[turn % followers.Count];
            var (app, user, topics) = (follower.Journal.Entitlement.App, follower.Journal.Entitlement.User, follower.Journal.Entitlement.Topics);
            await follower.SignalAsync(topics.Count > 0 && turn / followers.Count % 2 == 1 ? new(app, null, topics[0]) : new(app, user, null), cancellationToken);
            await Clock.DelayAsync(pause, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task CheckHistoryAsync(List<Follower> followers, Publishers publishers, Verdict verdict)
    {
        var journals = followers.ConvertAll(follower => follower.Journal);
        var publisher = await _tokens.PublisherAsync("verify-publisher-1", _cast.Apps, CancellationToken.None);
        for (var i = 0; i < _cast.Apps.Count; i++)
        {
            var (app, url) = (_cast.Apps[i], options.Urls[i % options.Urls.Count]);
            FinalChecks.CheckHistory(app, await _deployment.ReadHistoryAsync(url, app, publisher, CancellationToken.None), publishers.Acknowledged, journals, verdict);
            for (var user = 0; user < options.Users; user++)
            {
                var token = await _tokens.UserAsync(_cast.Users[user], app, Cast.ClaimsOf(app, user), CancellationToken.None);
                FinalChecks.CheckHistoryOf(_cast.VisibleTo(app, user), await _deployment.ReadHistoryAsync(url, app, token, CancellationToken.None), verdict);
            }
        }
    }

    /// <summary>Waits until the condition holds, or the patience is over.</summary>
    private async Task EventuallyAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        for (var deadline = Clock.Now + Clock.ToTicks(options.Patience); Clock.Now < deadline && !condition();)
            await Clock.DelayAsync(s_interval, cancellationToken);
    }
}
