using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.EventLog;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Infrastructure;
using static Oriva.Realtime.Tests.Infrastructure.Waiting;

namespace Oriva.Realtime.Tests.Storage;

/// <summary>A caller that hangs up in the middle of a statement leaves a connection that the next one can use.</summary>
public sealed class CancelledStatementTests(PostgresFixture fixture) : StoreTests(fixture), IClassFixture<PostgresFixture>
{
    [Theory]
    [InlineData("log")]
    [InlineData("time")]
    [InlineData("history")]
    public async Task Statement_CancelledWhileItIsPlanned_DoesNotFailTheNext(string what)
    {
        var app = await Node.AddAppAsync();
        await Node.PublishAsync([Drafts.ToAll(app), Drafts.ToAll(app)]);
        await using var database = new RealtimeDatabase(Options.Create(new StorageOptions
        {
            Provider = StorageProvider.Postgres,
            // One connection, so that the next statement goes where the cancelled one was.
            PostgresConnectionString = ((PostgresStore)Store).ConnectionString + ";Maximum Pool Size=1;Application Name=cancelling",
        }));
        var store = new PostgresEventStore(database.Postgres!);
        var history = new EventHistory(database);
        async Task<int> CountAsync(CancellationToken cancellationToken) => what switch
        {
            "log" => (await store.ReadAsync(app, 0, DateTimeOffset.MinValue, new ReadLimit(10), Scopes.Whole(app), cancellationToken)).Count,
            "time" => await store.FindPositionBeforeAsync(app, DateTimeOffset.MinValue, cancellationToken) is 0 ? 2 : -1,
            _ => (await history.SearchAsync(Scopes.Whole(app), new HistoryQuery(app), cancellationToken)).Required().Items.Count,
        };
        (await CountAsync(Cancel)).ShouldBe(2);

        // The second use of a statement prepares it. Parsing needs the table, planning its days: there it waits when it is cancelled.
        using var hangingUp = new CancellationTokenSource();
        Task<int> cancelled;
        await using (var locking = await Store.OpenAsync())
        {
            await using var transaction = await locking.BeginTransactionAsync(Cancel);
            await using var command = locking.CreateCommand();
            command.CommandText = $"LOCK TABLE events_{TimeProvider.System.GetUtcNow():yyyyMMdd} IN ACCESS EXCLUSIVE MODE";
            await command.ExecuteNonQueryAsync(Cancel);
            cancelled = CountAsync(hangingUp.Token);
            await Eventually("the statement waits in PostgreSQL", async () => await Store.SingleAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cancelling' AND wait_event_type = 'Lock'") == 1);
            await hangingUp.CancelAsync();
        }

        try
        {
            await cancelled.Soon("the cancelled statement ends");
        }
        catch (OperationCanceledException)
        {
            // Either is right: its answer, or none.
        }

        for (var n = 0; n < 4; n++)
            (await CountAsync(Cancel)).ShouldBe(2);
    }
}
