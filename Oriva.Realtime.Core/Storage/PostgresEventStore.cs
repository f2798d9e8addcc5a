using System.Collections.Concurrent;
using Npgsql;
using NpgsqlTypes;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Storage;

/// <summary>The log in PostgreSQL. Appends and claims run as the service role, reads as the user role with the reader's claims.</summary>
internal sealed class PostgresEventStore(NpgsqlDataSource dataSource) : EventStore
{
    private const int AppendTimeoutSeconds = 15;

    // The writer's own, kept open between groups: their backends stay warm, and no group waits for a connection.
    private readonly ConcurrentQueue<NpgsqlConnection> _writerConnections = new();

    public override int ConcurrentAppends => 2;

    public override Task<string> ReadEpochAsync(CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.Epoch);
        return (string)(await command.ExecuteScalarAsync(CancellationToken.None)
            ?? throw new StoreException(StoreFailure.Unavailable, "The store has no epoch yet: run the hub with --migrate."));
    }, cancellationToken);

    public override Task<IReadOnlyDictionary<EventKey, StoredReceipt>> FindReceiptsAsync(
        IReadOnlyCollection<EventKey> keys, CancellationToken cancellationToken) => Guarded<IReadOnlyDictionary<EventKey, StoredReceipt>>(async () =>
    {
        var found = new Dictionary<EventKey, StoredReceipt>(keys.Count);
        await using var command = dataSource.CreateCommand(PostgresSql.FindReceipts);
        command.Parameters.Add(TextArray(keys.Select(key => key.Source)));
        command.Parameters.Add(TextArray(keys.Select(key => key.Id)));
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
        {
            found[new EventKey(reader.GetString(0), reader.GetString(1))] = new StoredReceipt(
                reader.GetString(2), reader.GetInt64(3), reader.GetFieldValue<byte[]>(4), reader.GetInt32(5), reader.GetFieldValue<DateTimeOffset>(6));
        }

        return found;
    }, cancellationToken);

    public override async Task<IReadOnlyDictionary<string, StreamHead>> AppendAsync(AppendGroup group)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryAppendAsync(group);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.CheckViolation && e.ConstraintName is null && attempt == 1)
            {
                // "no partition of relation found for row": retention makes days ahead, but the clock may have been moved.
                var today = DateOnly.FromDateTime(group.Now.UtcDateTime);
                await PrepareDaysAsync(today.AddDays(-1), today.AddDays(1), CancellationToken.None);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                throw new StoreException(StoreFailure.ReceiptExists, "An event id of the group was stored meanwhile.", e);
            }
            catch (PostgresException e) when (IsRefusedRow(e))
            {
                throw new StoreException(StoreFailure.RowRefused, e.MessageText, e);
            }
        }
    }

    private async Task<IReadOnlyDictionary<string, StreamHead>> TryAppendAsync(AppendGroup group)
    {
        NpgsqlConnection? connection;
        try
        {
            if (!_writerConnections.TryDequeue(out connection))
                connection = await dataSource.OpenConnectionAsync(CancellationToken.None);
        }
        catch (Exception e) when (IsOutage(e))
        {
            throw new StoreException(StoreFailure.Unavailable, "PostgreSQL is not reachable.", e);
        }

        try
        {
            var heads = new Dictionary<string, StreamHead>(group.Streams.Count, StringComparer.Ordinal);
            await using (var command = BuildAppend(connection, group))
            await using (var reader = await command.ExecuteReaderAsync(CancellationToken.None))
            {
                while (await reader.ReadAsync(CancellationToken.None))
                    heads[reader.GetString(0)] = new StreamHead(reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2));
            }

            _writerConnections.Enqueue(connection);
            connection = null;
            return heads;
        }
        catch (PostgresException e) when (IsRolledBack(e))
        {
            throw new StoreException(StoreFailure.Unavailable, e.MessageText, e);
        }
        catch (Exception e) when (IsOutage(e))
        {
            throw new StoreException(StoreFailure.OutcomeUnknown, "The answer to an append was lost.", e);
        }
        finally
        {
            // After a failure: back to the pool.
            if (connection is not null)
                await connection.DisposeAsync();
        }
    }

    private static NpgsqlCommand BuildAppend(NpgsqlConnection connection, AppendGroup group)
    {
        var rows = group.Rows;
        var command = new NpgsqlCommand(PostgresSql.Append, connection)
        {
            CommandTimeout = AppendTimeoutSeconds,
            Parameters =
            {
                TextArray(group.Streams.Select(growth => growth.Stream.Text)),
                TextArray(group.Streams.Select(growth => growth.Stream.App)),
                Array(NpgsqlDbType.Bigint, group.Streams.Select(growth => (long)growth.Count)),
                new() { Value = group.Now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                TextArray(rows.Select(row => row.Stream.Text)),
                Array(NpgsqlDbType.Integer, rows.Select(row => row.Offset)),
                TextArray(rows.Select(row => row.Event.Id)),
                TextArray(rows.Select(row => row.Event.Source)),
                TextArray(rows.Select(row => row.Stream.App)),
                TextArray(rows.Select(row => row.Event.Type)),
                TextArray(rows.Select(row => row.Event.UserId)),
                TextArray(rows.Select(row => row.Event.Topic)),
                TextArray(rows.Select(row => row.Event.Actor)),
                Array(NpgsqlDbType.TimestampTz, rows.Select(row => row.Event.Time.UtcDateTime)),
                TextArray(rows.Select(row => row.Event.Data)),
                TextArray(rows.Select(row => row.Event.Metadata)),
                Array(NpgsqlDbType.Bytea, rows.Select(row => row.IsSource ? row.Event.ContentHash : null)),
                Array(NpgsqlDbType.Integer, rows.Select(row => row.Event.Hops)),
                Array(NpgsqlDbType.Uuid, group.OutboxIds),
            },
        };
        if (rows.Any(row => row.Routing is not null))
        {
            command.CommandText = PostgresSql.AppendAndRoute;
            command.Parameters.Add(Array(NpgsqlDbType.Uuid, rows.Select(row => row.Routing?.Id)));
            command.Parameters.Add(Array(NpgsqlDbType.Bigint, rows.Select(row => row.Routing?.ManifestVersion)));
        }

        return command;
    }

    public override Task<IReadOnlyList<StoredEvent>> ReadAsync(
        string stream, long after, DateTimeOffset since, ReadLimit limit, ReadScope scope, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyList<StoredEvent>>(async () =>
    {
        await using var connection = await dataSource.OpenConnectionAsync(CancellationToken.None);
        // One round trip, and one transaction: a batch is one implicitly.
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(PostgresSql.BecomeReaderPositional) { Parameters = { new() { Value = scope.Claims } } },
                new(PostgresSql.ReadAfter)
                {
                    Parameters =
                    {
                        new() { Value = stream },
                        new() { Value = after },
                        new() { Value = Timestamp(since), NpgsqlDbType = NpgsqlDbType.TimestampTz },
                        new() { Value = limit.Events },
                    },
                },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        await reader.NextResultAsync(CancellationToken.None);
        var events = new List<StoredEvent>();
        for (var bytes = 0; bytes < limit.Bytes && await reader.ReadAsync(CancellationToken.None); bytes += events[^1].Size)
            events.Add(ReadEvent(reader, stream, static (row, column) => row.GetFieldValue<DateTimeOffset>(column)));
        return events;
    }, cancellationToken);

    public override Task<IReadOnlyDictionary<string, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<string> streams, CancellationToken cancellationToken) => Guarded<IReadOnlyDictionary<string, StreamHead>>(async () =>
    {
        var heads = new Dictionary<string, StreamHead>(streams.Count, StringComparer.Ordinal);
        await using var command = dataSource.CreateCommand(PostgresSql.ReadHeads);
        command.Parameters.Add(TextArray(streams));
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
            heads[reader.GetString(0)] = new StreamHead(reader.GetInt64(1), reader.GetFieldValue<DateTimeOffset>(2));
        return heads;
    }, cancellationToken);

    public override Task<long?> FindPositionBeforeAsync(string stream, DateTimeOffset from, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.PositionBefore);
        command.Parameters.Add(new() { Value = stream });
        command.Parameters.Add(new() { Value = Timestamp(from), NpgsqlDbType = NpgsqlDbType.TimestampTz });
        return await command.ExecuteScalarAsync(CancellationToken.None) as long?;
    }, cancellationToken);

    public override Task<IReadOnlyList<OutboxEntry>> ClaimOutboxAsync(int limit, TimeSpan lease, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyList<OutboxEntry>>(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.ClaimOutbox);
        command.Parameters.Add(new() { Value = limit });
        command.Parameters.Add(new() { Value = lease });
        var entries = new List<OutboxEntry>();
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
            entries.Add(new OutboxEntry(reader.GetGuid(0), reader.GetString(1), reader.GetString(2)));
        entries.Sort((one, other) => one.Id.CompareTo(other.Id));
        return entries;
    }, cancellationToken);

    public override Task RefuseOutboxAsync(Guid id, string reason, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.RefuseOutbox);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = reason });
        return await command.ExecuteNonQueryAsync(CancellationToken.None);
    }, cancellationToken);

    public override Task PrepareDaysAsync(DateOnly from, DateOnly through, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.PrepareDays);
        command.Parameters.Add(new() { Value = from });
        command.Parameters.Add(new() { Value = through });
        return await command.ExecuteNonQueryAsync(CancellationToken.None);
    }, cancellationToken);

    public override Task<bool> DropEventsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.DropDaysBefore);
        command.Parameters.Add(new() { Value = cutoff });
        return (bool)(await command.ExecuteScalarAsync(CancellationToken.None))!;
    }, cancellationToken);

    public override Task<bool> DropReceiptsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.DropReceiptsBefore);
        command.Parameters.Add(new() { Value = cutoff.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc), NpgsqlDbType = NpgsqlDbType.TimestampTz });
        return await command.ExecuteNonQueryAsync(CancellationToken.None) > 0;
    }, cancellationToken);

    public override Task SaveEvidenceAsync(IReadOnlyCollection<EvidenceInterval> intervals, DateTimeOffset now, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var batch = dataSource.CreateBatch();
        var save = new NpgsqlBatchCommand(PostgresSql.SaveEvidence);
        save.Parameters.Add(TextArray(intervals.Select(interval => interval.SessionId)));
        save.Parameters.Add(TextArray(intervals.Select(interval => interval.UserId)));
        save.Parameters.Add(TextArray(intervals.Select(interval => interval.App)));
        save.Parameters.Add(TextArray(intervals.Select(interval => interval.Stream)));
        save.Parameters.Add(Array(NpgsqlDbType.Bigint, intervals.Select(interval => interval.From)));
        save.Parameters.Add(Array(NpgsqlDbType.Bigint, intervals.Select(interval => interval.Pushed)));
        save.Parameters.Add(Array(NpgsqlDbType.Bigint, intervals.Select(interval => interval.Acked)));
        save.Parameters.Add(new() { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        save.Parameters.Add(Array(NpgsqlDbType.TimestampTz, intervals.Select(interval => interval.OpenedAt == default ? null : (DateTime?)interval.OpenedAt.UtcDateTime)));
        save.Parameters.Add(TextArray(intervals.Select(interval => interval.Interests)));
        batch.BatchCommands.Add(save);
        if (intervals.Where(interval => interval.Notifies).ToList() is { Count: > 0 } notifying)
        {
            // One transaction: a batch is one implicitly.
            var move = new NpgsqlBatchCommand(PostgresSql.MoveNotifications);
            move.Parameters.Add(TextArray(notifying.Select(interval => interval.UserId)));
            move.Parameters.Add(TextArray(notifying.Select(interval => interval.App)));
            move.Parameters.Add(Array(NpgsqlDbType.Bigint, notifying.Select(interval => interval.From)));
            move.Parameters.Add(Array(NpgsqlDbType.Bigint, notifying.Select(interval => interval.Pushed)));
            move.Parameters.Add(Array(NpgsqlDbType.Bigint, notifying.Select(interval => interval.Acked)));
            move.Parameters.Add(Array(NpgsqlDbType.Boolean, notifying.Select(interval => interval.Resumed)));
            move.Parameters.Add(new() { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
            batch.BatchCommands.Add(move);
            if (notifying.Where(interval => interval.Acked > interval.From || interval.Resumed).ToList() is { Count: > 0 } acknowledging)
            {
                var cancel = new NpgsqlBatchCommand(PostgresSql.CancelAcknowledged);
                cancel.Parameters.Add(TextArray(acknowledging.Select(interval => interval.UserId)));
                cancel.Parameters.Add(TextArray(acknowledging.Select(interval => interval.App)));
                batch.BatchCommands.Add(cancel);
            }
        }

        return await batch.ExecuteNonQueryAsync(CancellationToken.None);
    }, cancellationToken);

    public override Task<bool> DropEvidenceBeforeAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.DropEvidenceBefore);
        command.Parameters.Add(new() { Value = cutoff.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        return await command.ExecuteNonQueryAsync(CancellationToken.None) > 0;
    }, cancellationToken);

    public override Task<IReadOnlyDictionary<Entrant, bool>> EnterAsync(IReadOnlyCollection<Entrant> entrants, DateTimeOffset now, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyDictionary<Entrant, bool>>(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.Enter);
        command.Parameters.Add(TextArray(entrants.Select(entrant => entrant.App)));
        command.Parameters.Add(TextArray(entrants.Select(entrant => entrant.UserId)));
        command.Parameters.Add(TextArray(entrants.Select(entrant => entrant.Email)));
        command.Parameters.Add(TextArray(entrants.Select(entrant => entrant.Locale)));
        command.Parameters.Add(new() { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        var left = new HashSet<(string App, string UserId)>();
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
            left.Add((reader.GetString(0), reader.GetString(1)));
        return entrants.ToDictionary(entrant => entrant, entrant => !left.Contains((entrant.App, entrant.UserId)));
    }, cancellationToken);

    public override Task CheckAsync(CancellationToken cancellationToken) => Guarded(async () =>
    {
        await using var command = dataSource.CreateCommand(PostgresSql.DurabilitySettings);
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        await reader.ReadAsync(CancellationToken.None);
        if (reader.GetString(0) == "off" || reader.GetString(1) == "off")
        {
            throw new StartupException(
                "PostgreSQL does not wait for its disk: synchronous_commit and fsync must not be off, or an acknowledged event could be lost.");
        }

        return true;
    }, cancellationToken);

    /// <summary>The statement failed and its transaction was rolled back for a reason that passes.</summary>
    private static bool IsRolledBack(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable
            or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DiskFull or PostgresErrorCodes.OutOfMemory
            or PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.InsufficientPrivilege or PostgresErrorCodes.UndefinedTable;

    /// <summary>Class 22 (data) and 23 (integrity): the row itself is at fault. 54000: it is too large for an index.</summary>
    private static bool IsRefusedRow(PostgresException e) =>
        e.SqlState.StartsWith("22", StringComparison.Ordinal) || e.SqlState.StartsWith("23", StringComparison.Ordinal)
            || e.SqlState.StartsWith("54", StringComparison.Ordinal);

    /// <summary>Connection lost (08), no resources (53), shutting down (57), disk trouble (58), or no answer at all.</summary>
    private static bool IsOutage(Exception e) => e is PostgresException refused
        ? refused.SqlState[..2] is "08" or "53" or "57" or "58"
        : e is NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException;

    /// <summary>For statements that no caller's input can make fail: whatever PostgreSQL says (no connection, no schema yet, a standby) may pass.</summary>
    /// <remarks>A caller who cancels goes at once; the statement is left to end by itself, see <see cref="UncancelledStatements"/>.</remarks>
    private static async Task<T> Guarded<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await work().WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException || IsOutage(e))
        {
            throw new StoreException(StoreFailure.Unavailable, "PostgreSQL did not answer: " + e.Message, e);
        }
    }

    private static DateTime Timestamp(DateTimeOffset time) => time == DateTimeOffset.MinValue ? DateTime.UnixEpoch : time.UtcDateTime;

    private static NpgsqlParameter TextArray(IEnumerable<string?> values) => Array(NpgsqlDbType.Text, values);

    private static NpgsqlParameter Array<T>(NpgsqlDbType type, IEnumerable<T> values) =>
        new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type };
}
