using Microsoft.Data.Sqlite;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench.Databases;

/// <summary>One prepared INSERT, WAL, synchronous FULL.</summary>
internal sealed class RawSqlite : RawDatabase
{
    private readonly SqliteConnection _connection;

    private RawSqlite(SqliteConnection connection)
        : base($"SQLite alone: INSERT, {RowsPerTransaction} rows a transaction") => _connection = connection;

    /// <param name="path">Of a file that does not exist yet.</param>
    public static async Task<RawSqlite> CreateAsync(string path, CancellationToken cancellationToken)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        await connection.OpenAsync(cancellationToken);
        await using var create = connection.CreateCommand();
        create.CommandText = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
            + Table.Replace("{time}", "integer", StringComparison.Ordinal).Replace("{json}", "text", StringComparison.Ordinal);
        await create.ExecuteNonQueryAsync(cancellationToken);
        return new RawSqlite(connection);
    }

    public override ValueTask DisposeAsync() => _connection.DisposeAsync();

    protected override async Task AppendAsync(IReadOnlyList<LogRow> rows, long position, CancellationToken cancellationToken)
    {
        await using var transaction = _connection.BeginTransaction(deferred: false);
        await using var insert = _connection.CreateCommand();
        insert.Transaction = transaction;
        insert.CommandText = "INSERT INTO events VALUES ($stream, $position, $recorded_at, $id, $source, $app, $type, $user_id, NULL, $actor, $time, $data, NULL)";
        string[] names = ["$stream", "$position", "$recorded_at", "$id", "$source", "$app", "$type", "$user_id", "$actor", "$time", "$data"];
        foreach (var name in names)
            insert.Parameters.Add(new SqliteParameter(name, null));
        foreach (var row in rows)
        {
            var time = row.Time.ToUnixTimeMilliseconds();
            object[] values = [row.Stream, position, time, row.Id, OursTarget.App, OursTarget.App, LogRow.Type, row.User, LogRow.Actor, time, LogRow.Data];
            for (var i = 0; i < values.Length; i++)
                insert.Parameters[i].Value = values[i];
            await insert.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
    }
}
