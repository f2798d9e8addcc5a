using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace Oriva.Realtime.Core.Storage;

/// <summary>Tells a store that cannot be reached or written to from a bug.</summary>
public static class StoreOutage
{
    public static bool Is(Exception e) => e switch
    {
        StoreException => true,
        DbUpdateException { InnerException: { } inner } => Is(inner),
        InvalidOperationException { InnerException: { } inner } => Is(inner),
        // Data protection, whose keys are in the store.
        System.Security.Cryptography.CryptographicException { InnerException: { } inner } => Is(inner),
        DbException database => database.IsTransient || database.InnerException is System.Net.Sockets.SocketException or IOException or TimeoutException
            || database is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: 1 or 5 or 6 or 8 or 10 or 13 or 14 }
            || database is Npgsql.NpgsqlException and not Npgsql.PostgresException
            || database is Npgsql.PostgresException { InvariantSeverity: "FATAL" or "PANIC" }
            || database is Npgsql.PostgresException { SqlState: ['5', '3' or '7' or '8', ..] or ['0', '8', ..] }
            // No schema, table or column yet, or nothing granted yet, a standby, another transaction in the way. SQLite's 1 is: no table yet.
            || database is Npgsql.PostgresException { SqlState: "3F000" or "42P01" or "42703" or "42501" or "25006" or "40001" or "40P01" or "55P03" },
        _ => false,
    };
}
