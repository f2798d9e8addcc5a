using Npgsql;
using NpgsqlTypes;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>Binary COPY: the fastest way into PostgreSQL.</summary>
internal sealed class RawPostgres : RawDatabase
{
    private readonly NpgsqlConnection _connection;

    private RawPostgres(NpgsqlConnection connection)
        : base($"PostgreSQL alone: COPY, {RowsPerTransaction} rows a transaction") => _connection = connection;

    public static async Task<RawPostgres> CreateAsync(PostgresDatabase database, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var create = new NpgsqlCommand(Table.Replace("{time}", "timestamptz", StringComparison.Ordinal).Replace("{json}", "json", StringComparison.Ordinal), connection);
        await create.ExecuteNonQueryAsync(cancellationToken);
        return new RawPostgres(connection);
    }

    public override ValueTask DisposeAsync() => _connection.DisposeAsync();

    protected override async Task AppendAsync(IReadOnlyList<LogRow> rows, long position, CancellationToken cancellationToken)
    {
        await using var copy = await _connection.BeginBinaryImportAsync("COPY events FROM STDIN (FORMAT binary)", cancellationToken);
        foreach (var row in rows)
        {
            await copy.StartRowAsync(cancellationToken);
            await copy.WriteAsync(row.Stream, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(position, NpgsqlDbType.Bigint, cancellationToken);
            await copy.WriteAsync(row.Time, NpgsqlDbType.TimestampTz, cancellationToken);
            await copy.WriteAsync(row.Id, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(OursTarget.App, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(OursTarget.App, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(LogRow.Type, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(row.User, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteNullAsync(cancellationToken);
            await copy.WriteAsync(LogRow.Actor, NpgsqlDbType.Text, cancellationToken);
            await copy.WriteAsync(row.Time, NpgsqlDbType.TimestampTz, cancellationToken);
            await copy.WriteAsync(LogRow.Data, NpgsqlDbType.Json, cancellationToken);
            await copy.WriteNullAsync(cancellationToken);
        }

        await copy.CompleteAsync(cancellationToken);
    }
}
