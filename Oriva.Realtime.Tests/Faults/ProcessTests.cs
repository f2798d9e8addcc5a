using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Faults;

/// <summary>Tests of real processes. When one fails, what they wrote is in its output.</summary>
public abstract class ProcessTests : IAsyncLifetime
{
    private protected const string App = "work-buddy";
    private protected const string User = "ada";
    private protected const string Stream = $"{App}/users/{User}";

    private readonly List<HubProcess> _processes = [];

    private protected static string Publisher { get; } = Tokens.Publisher(App);

    private protected static object Draft(string? id) =>
        new { source = App, type = "task.created", userId = User, id, data = new { taskId = "t-1", title = "Ship it" } };

    private protected async Task<HubProcess> StartAsync(TestStore store, params (string Key, string Value)[] settings) => Keep(await HubProcess.StartAsync(store, settings));

    private protected async Task<HubProcess> StartAsync(TestStore store, PatchedHub build) => Keep(await HubProcess.StartAsync(store, build));

    private protected HubProcess Launch(IReadOnlyDictionary<string, string?> settings, string environment, params string[] arguments) =>
        Keep(HubProcess.Launch(settings, environment, arguments));

    private HubProcess Keep(HubProcess process)
    {
        _processes.Add(process);
        return process;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var process in _processes)
            await process.DisposeAsync();
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
            _processes.ForEach(process => TestContext.Current.TestOutputHelper?.WriteLine($"--- output of a hub{Environment.NewLine}{process.Output}"));
    }
}
