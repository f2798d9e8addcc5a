using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Notifications in SQLite, whose one writer keeps transactions apart.</summary>
internal sealed class SqliteNotificationStore(string connectionString) : NotificationStore(SqliteNotificationSql.Statements)
{
    protected override async Task<StoreConnection> OpenAsync(bool transaction)
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

    protected override object Id(Guid id) => JsonId(id);

    /// <summary>As EF Core writes them.</summary>
    protected override string JsonId(Guid id) => id.ToString().ToUpperInvariant();

    protected override object Time(DateTimeOffset time) => StoreTime.ToMicroseconds(time);

    protected override object? JsonTime(DateTimeOffset? time) => time is { } given ? StoreTime.ToMicroseconds(given) : null;

    protected override object Span(TimeSpan span) => (long)span.TotalMicroseconds;

    protected override Guid ReadId(DbDataReader row, int column) => Guid.Parse(row.GetString(column));

    protected override DateTimeOffset ReadTime(DbDataReader row, int column) => StoreTime.FromMicroseconds(row.GetInt64(column));
}
