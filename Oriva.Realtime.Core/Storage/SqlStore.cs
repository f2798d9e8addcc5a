using System.Data.Common;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Oriva.Realtime.Core.Storage;

/// <summary>What one store does in its own way, besides its statements: opens a connection, and writes ids and times.</summary>
internal abstract class StoreDialect
{
    /// <summary>A transaction's connection, or one without.</summary>
    public abstract Task<StoreConnection> OpenAsync(bool transaction);

    public abstract object Id(Guid id);

    /// <summary>As the store writes it in JSON parameters.</summary>
    public abstract string JsonId(Guid id);

    public abstract object Time(DateTimeOffset time);

    /// <summary>As the store reads it in JSON parameters.</summary>
    public abstract object? JsonTime(DateTimeOffset? time);

    public abstract object Span(TimeSpan span);

    public abstract Guid ReadId(DbDataReader row, int column);

    public abstract DateTimeOffset ReadTime(DbDataReader row, int column);
}

/// <summary>Statements of a part of the store that EF Core does not make: one class for both stores, whose statements differ.</summary>
/// <remarks>Outages are thrown as <see cref="StoreException"/>.</remarks>
internal abstract class SqlStore(StoreDialect dialect)
{
    /// <summary>Of JSON parameters.</summary>
    protected static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    protected object Id(Guid id) => dialect.Id(id);

    protected string JsonId(Guid id) => dialect.JsonId(id);

    protected object Time(DateTimeOffset time) => dialect.Time(time);

    protected object? JsonTime(DateTimeOffset? time) => dialect.JsonTime(time);

    protected object Span(TimeSpan span) => dialect.Span(span);

    protected Guid ReadId(DbDataReader row, int column) => dialect.ReadId(row, column);

    protected DateTimeOffset ReadTime(DbDataReader row, int column) => dialect.ReadTime(row, column);

    protected static string? TextOrNull(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    protected Task<T> InTransactionAsync<T>(Func<StoreConnection, Task<T>> work) => RunAsync(transaction: true, async connection =>
    {
        var result = await work(connection);
        await connection.CommitAsync();
        return result;
    });

    protected Task<T> WithConnectionAsync<T>(Func<StoreConnection, Task<T>> work) => RunAsync(transaction: false, work);

    private async Task<T> RunAsync<T>(bool transaction, Func<StoreConnection, Task<T>> work)
    {
        try
        {
            await using var connection = await dialect.OpenAsync(transaction);
            return await work(connection);
        }
        catch (DbException e) when (StoreOutage.Is(e))
        {
            throw new StoreException(StoreFailure.Unavailable, "The store did not answer: " + e.Message, e);
        }
    }
}

/// <summary>A connection, with its transaction when it has one: rolled back unless it was committed.</summary>
internal sealed class StoreConnection(DbConnection connection, DbTransaction? transaction) : IAsyncDisposable
{
    // Not cancelled, see UncancelledStatements.
    public async Task<int> ExecuteAsync(string sql, IReadOnlyList<(string Name, object? Value)> parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    public async Task<List<T>> QueryAsync<T>(string sql, IReadOnlyList<(string Name, object? Value)> parameters, Func<DbDataReader, T> read)
    {
        await using var command = Command(sql, parameters);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        var rows = new List<T>();
        while (await reader.ReadAsync(CancellationToken.None))
            rows.Add(read(reader));
        return rows;
    }

    public Task CommitAsync() => transaction!.CommitAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (transaction is not null)
            await transaction.DisposeAsync();
        await connection.DisposeAsync();
    }

    private DbCommand Command(string sql, IReadOnlyList<(string Name, object? Value)> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Transaction = transaction;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value ?? DBNull.Value);
            command.Parameters.Add(parameter);
        }

        return command;
    }
}
