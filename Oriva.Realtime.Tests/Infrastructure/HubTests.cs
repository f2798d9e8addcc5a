namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Tests over a <see cref="HubFixture"/>. When one fails, the logs of its hubs are in its output.</summary>
public abstract class HubTests(HubFixture fixture) : IAsyncLifetime
{
    private protected const string WorkBuddy = "work-buddy";
    private protected const string LiveMixers = "live-mixers";
    private protected const string HugoLove = "hugo-love";

    private static int s_names;

    private readonly List<HubHost> _hubs = [];
    private readonly List<HubProcess> _processes = [];

    private protected HubFixture Fixture { get; } = fixture;

    private protected HubHost Hub => Fixture.Hub;

    private protected ApiCaller Publisher => As(Tokens.Publisher(WorkBuddy, LiveMixers, HugoLove));

    private protected ApiCaller Admin => As(Tokens.Admin());

    private protected ApiCaller As(string? token) => Hub.As(token);

    private protected ApiCaller AsUser(string sub, string app = WorkBuddy, params string[] topics) => As(Tokens.User(sub, app, topics));

    /// <summary>A user, topic, app or id that no other test has.</summary>
    private protected static string New(string what) => $"{what}-{Interlocked.Increment(ref s_names)}";

    /// <summary>A draft of a type that is not shared, to one user unless a topic is given, to all when neither is.</summary>
    private protected static Dictionary<string, object> Draft(string? userId = null, string? topic = null, string? id = null, string task = "t-1")
    {
        var draft = new Dictionary<string, object> { ["source"] = WorkBuddy, ["type"] = "task.created", ["data"] = new { taskId = task, title = "Ship it" } };
        if (userId is not null)
            draft["userId"] = userId;
        if (topic is not null)
            draft["topic"] = topic;
        if (id is not null)
            draft["id"] = id;
        return draft;
    }

    /// <summary>A hub of the test's own, on a store of its own unless one is given. It is stopped after the test.</summary>
    private protected async Task<HubHost> StartHubAsync(
        IReadOnlyDictionary<string, string?>? settings = null, string environment = "Development", TestStore? on = null)
    {
        var hub = Fixture.Start(on ?? await Fixture.NewStoreAsync(), settings, environment);
        _hubs.Add(hub);
        return hub;
    }

    /// <summary>Its output is shown when the test fails; it is killed after the test.</summary>
    private protected HubProcess Keep(HubProcess process)
    {
        _processes.Add(process);
        return process;
    }

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        try
        {
            foreach (var hub in _hubs)
                await hub.DisposeAsync();
        }
        finally
        {
            foreach (var process in _processes)
                await process.DisposeAsync();
            if (TestContext.Current.TestState?.Result == TestResult.Failed)
            {
                foreach (var log in _hubs.Prepend(Hub).Select(hub => hub.Log.ToString()).Concat(_processes.Select(process => process.Output)))
                    TestContext.Current.TestOutputHelper?.WriteLine($"--- log of a hub{Environment.NewLine}{log}");
            }
        }
    }
}
