using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>The log of a node in this process, without the ways to reach it: what its writer adds to the database's own cost.</summary>
internal sealed class OursLog : IAsyncDisposable
{
    private const int EventsPerRequest = 100;

    /// <summary>Enough for the next group to be complete when a commit is done.</summary>
    private const int RequestsInFlight = 16;

    private readonly IHost _host;
    private readonly EventLogWriter _writer;

    private OursLog(IHost host) => (_host, _writer) = (host, host.Services.GetRequiredService<EventLogWriter>());

    public static async Task<OursLog> StartAsync(Action<StorageOptions> store, CancellationToken cancellationToken)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddConsole();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.Configure(store);
        builder.Services.Configure<StorageOptions>(storage => storage.MigrateAtStart = true);
        builder.Services.Configure<EventLogOptions>(log => log.MaxGroupEvents = RawDatabase.RowsPerTransaction);
        builder.Services.AddRealtimeCore();
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
            return new OursLog(host);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    public async Task<Measurement> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        var latency = new Histogram();
        var start = Clock.Now;
        var end = start + Clock.ToTicks(duration);
        var counts = await Task.WhenAll(Enumerable.Range(0, RequestsInFlight).Select(_ => Task.Run(() => RepeatAsync(latency, end), cancellationToken)));
        return Measurement.OfAppends(counts.Sum(), Clock.ToTimeSpan(Clock.Now - start), latency);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable host)
            await host.DisposeAsync();
    }

    private async Task<long> RepeatAsync(Histogram latency, long end)
    {
        var count = 0L;
        for (var now = Clock.Now; now < end; now = Clock.Now)
        {
            var outcome = await _writer.AppendAsync(new AppendRequest(OursTarget.App, [.. LogRow.Create(EventsPerRequest).Select(ToEvent)]));
            if (outcome.Fault is { } fault)
                throw new BenchException("The log refused an append: " + fault.Message);
            latency.Record(Clock.Now - now);
            count += EventsPerRequest;
        }

        return count;
    }

    private static NewEvent ToEvent(LogRow row) => new()
    {
        Id = row.Id,
        Source = OursTarget.App,
        Type = LogRow.Type,
        UserId = row.User,
        Actor = LogRow.Actor,
        Time = row.Time,
        Data = LogRow.Data,
        ContentHash = new byte[32],
        IdIsFresh = true,
    };

    /// <summary>The process is the bench's: the host must not take its signals.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
