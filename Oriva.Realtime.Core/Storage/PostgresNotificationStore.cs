using System.Data.Common;
using Npgsql;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Notifications in PostgreSQL, as the service role.</summary>
internal sealed class PostgresNotificationStore(NpgsqlDataSource dataSource) : NotificationStore(PostgresNotificationSql.Statements)
{
    protected override async Task<StoreConnection> OpenAsync(bool transaction)
    {
        var connection = await dataSource.OpenConnectionAsync(CancellationToken.None);
        try
        {
            return new StoreConnection(connection, transaction ? await connection.BeginTransactionAsync(CancellationToken.None) : null);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    protected override object Id(Guid id) => id;

    protected override string JsonId(Guid id) => id.ToString();

    protected override object Time(DateTimeOffset time) => time.UtcDateTime;

    protected override object? JsonTime(DateTimeOffset? time) => time?.UtcDateTime;

    protected override object Span(TimeSpan span) => span;

    protected override Guid ReadId(DbDataReader row, int column) => row.GetGuid(column);

    protected override DateTimeOffset ReadTime(DbDataReader row, int column) => row.GetFieldValue<DateTimeOffset>(column);
}
