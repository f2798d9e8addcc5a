using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Report;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>
/// What the database itself can take, without a log's positions, receipts and heads: the rows of the events table, one connection, one transaction after
/// the other, each on the disk before the next. No log on it can be faster for long.
/// </summary>
internal abstract class RawDatabase(string name) : IAsyncDisposable
{
    public const int RowsPerTransaction = 500;

    protected const string Table = """
        CREATE TABLE events (stream text NOT NULL, position bigint NOT NULL, recorded_at {time} NOT NULL, id text NOT NULL, source text NOT NULL,
            app text NOT NULL, type text NOT NULL, user_id text, topic text, actor text NOT NULL, time {time} NOT NULL, data {json} NOT NULL, metadata {json},
            PRIMARY KEY (stream, position))
        """;

    private long _position;

    /// <summary>The server and how rows go in.</summary>
    public string Name { get; } = name;

    public async Task<Measurement> RunAsync(TimeSpan duration, CancellationToken cancellationToken)
    {
        var latency = new Histogram();
        var (rows, start) = (0L, Clock.Now);
        for (var now = start; now < start + Clock.ToTicks(duration); now = Clock.Now)
        {
            await AppendAsync(LogRow.Create(RowsPerTransaction), ++_position, cancellationToken);
            latency.Record(Clock.Now - now);
            rows += RowsPerTransaction;
        }

        return Measurement.OfAppends(rows, Clock.ToTimeSpan(Clock.Now - start), latency);
    }

    public abstract ValueTask DisposeAsync();

    /// <param name="position">New in each of the streams of the rows, as long as no stream is in them twice.</param>
    protected abstract Task AppendAsync(IReadOnlyList<LogRow> rows, long position, CancellationToken cancellationToken);
}
