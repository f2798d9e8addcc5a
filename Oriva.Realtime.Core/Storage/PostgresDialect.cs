using System.Data.Common;
using Npgsql;

namespace Oriva.Realtime.Core.Storage;

/// <summary>PostgreSQL, as the service role.</summary>
internal sealed class PostgresDialect(NpgsqlDataSource dataSource) : StoreDialect
{
    public override async Task<StoreConnection> OpenAsync(bool transaction)
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

    public override object Id(Guid id) => id;

    public override string JsonId(Guid id) => id.ToString();

    public override object Time(DateTimeOffset time) => time.UtcDateTime;

    public override object? JsonTime(DateTimeOffset? time) => time?.UtcDateTime;

    public override object Span(TimeSpan span) => span;

    public override Guid ReadId(DbDataReader row, int column) => row.GetGuid(column);

    public override DateTimeOffset ReadTime(DbDataReader row, int column) => row.GetFieldValue<DateTimeOffset>(column);
}
