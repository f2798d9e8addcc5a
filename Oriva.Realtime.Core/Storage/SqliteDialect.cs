using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Oriva.Realtime.Core.Storage;

/// <summary>SQLite, whose one writer keeps transactions apart.</summary>
internal sealed class SqliteDialect(string connectionString) : StoreDialect
{
    public override async Task<StoreConnection> OpenAsync(bool transaction)
    {
        // The driver works synchronously, and waits for the disk and for other writers.
        await Task.Yield();
        var connection = new SqliteConnection(connectionString);
        try
        {
            await connection.OpenAsync();
            await using var pragmas = connection.CreateCommand();
            pragmas.CommandText = SqliteSql.Pragmas;
            await pragmas.ExecuteNonQueryAsync();
            return new StoreConnection(connection, transaction ? connection.BeginTransaction(IsolationLevel.Serializable, deferred: false) : null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public override object Id(Guid id) => JsonId(id);

    /// <summary>As EF Core writes them.</summary>
    public override string JsonId(Guid id) => id.ToString().ToUpperInvariant();

    public override object Time(DateTimeOffset time) => StoreTime.ToMicroseconds(time);

    public override object? JsonTime(DateTimeOffset? time) => time is { } given ? StoreTime.ToMicroseconds(given) : null;

    public override object Span(TimeSpan span) => (long)span.TotalMicroseconds;

    public override Guid ReadId(DbDataReader row, int column) => Guid.Parse(row.GetString(column));

    public override DateTimeOffset ReadTime(DbDataReader row, int column) => StoreTime.FromMicroseconds(row.GetInt64(column));
}
