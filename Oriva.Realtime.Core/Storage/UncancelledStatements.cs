using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Oriva.Realtime.Core.Storage;

/// <summary>
/// Lets a statement that has been sent end by itself, though nobody waits for it any more. When it is cancelled between its parsing and its description,
/// Npgsql 10.0.3 takes it for prepared, and whoever runs it next on that connection gets an exception instead of rows: one client's hanging up would fail
/// another's request.
/// </summary>
/// <remarks>Statements are short, and bounded by the command timeout. Between statements a caller's cancellation counts.</remarks>
internal sealed class UncancelledStatements : DbCommandInterceptor
{
    public static readonly UncancelledStatements Instance = new();

    public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        InterceptionResult<DbDataReader>.SuppressWithResult(await command.ExecuteReaderAsync(CancellationToken.None));

    public override async ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default) =>
        InterceptionResult<object>.SuppressWithResult((await command.ExecuteScalarAsync(CancellationToken.None))!);

    public override async ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        InterceptionResult<int>.SuppressWithResult(await command.ExecuteNonQueryAsync(CancellationToken.None));
}
