using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Scenarios;

/// <summary>A server, and the users that are connected to it where a scenario has any.</summary>
internal sealed class Stage(Target target, Crowd? crowd, Turn? turn) : IAsyncDisposable
{
    /// <summary>After a round's last publish, for what is still on its way.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public Target Target { get; } = target;

    public Crowd? Crowd { get; } = crowd;

    /// <summary>Its users are not connected while another server's are.</summary>
    public bool TakesTurns => turn is not null;

    /// <summary>Takes part in a case.</summary>
    public Entry Enter(Func<TimeSpan, CancellationToken, Task<Measurement?>> measure) => new(Target.Name, Target.IsBaseline, async (duration, stop) =>
    {
        if (turn is not null)
            await turn.TakeAsync(this, stop);
        return await measure(duration, stop);
    });

    /// <summary>Takes the target over, also when its users cannot connect.</summary>
    public static async Task<Stage> SetAsync(Target target, bool withCrowd, Turn? turn, CancellationToken cancellationToken)
    {
        try
        {
            if (!withCrowd)
                return new Stage(target, null, null);
            if (turn is not null)
                await turn.PassAsync();
            var stage = new Stage(target, await target.GatherAsync(target.Users, fromStart: false, cancellationToken), turn);
            turn?.Begin(stage);
            return stage;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            var log = target.Nodes.ReadLog();
            await target.DisposeAsync();
            throw new BenchException($"{target.Name}: the users could not connect. {e.Message}{Environment.NewLine}The last lines of its log:{Environment.NewLine}{log}", e);
        }
        catch (OperationCanceledException)
        {
            await target.DisposeAsync();
            throw;
        }
    }

    public async Task VerifyAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (Crowd is not null)
            await Crowd.VerifyAsync(Target.Ledger, Target.Name, patience, cancellationToken);
    }

    /// <summary>What was published while nobody was connected: those who come afterwards get all of it, where it is kept.</summary>
    public async Task VerifyByReplayAsync(CancellationToken cancellationToken)
    {
        if (!Target.KeepsEvents || Crowd is not null)
            return;
        await using var late = await Target.GatherAsync(Target.Users, fromStart: true, cancellationToken);
        await late.VerifyAsync(Target.Ledger, Target.Name + ", replayed", Patience, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Crowd is not null)
            await Crowd.DisposeAsync();
        await Target.DisposeAsync();
    }
}
