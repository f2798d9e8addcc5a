using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Oriva.Realtime.Core.EventLog;

namespace Oriva.Realtime.Core.Storage;

/// <summary>The log in one SQLite file, for one process. The second wall is part of the read statement here.</summary>
/// <remarks>SQLite's driver works synchronously; each call runs on the caller's thread, except appends, which wait for the disk.</remarks>
internal sealed class SqliteEventStore(string connectionString) : EventStore
{
    private const int Busy = 5, Locked = 6, ReadOnly = 8, IoError = 10, Full = 13, CannotOpen = 14;
    private const int Constraint = 19, TooBig = 18, Mismatch = 20, PrimaryKeyConstraint = 1555, UniqueConstraint = 2067;

    /// <summary>SQLite has one writer, and whoever waits for it polls.</summary>
    public override int ConcurrentAppends => 1;

    public override Task<string> ReadEpochAsync(CancellationToken cancellationToken) => Guarded(connection =>
    {
        using var command = Command(connection, SqliteSql.Epoch);
        return (string)(command.ExecuteScalar() ?? throw new StoreException(StoreFailure.Unavailable, "The store has no epoch yet."));
    });

    public override Task<IReadOnlyDictionary<EventKey, StoredReceipt>> FindReceiptsAsync(
        IReadOnlyCollection<EventKey> keys, CancellationToken cancellationToken) => Guarded<IReadOnlyDictionary<EventKey, StoredReceipt>>(connection =>
    {
        var found = new Dictionary<EventKey, StoredReceipt>(keys.Count);
        using var command = Command(connection, SqliteSql.FindReceipt, "$app", "$id");
        foreach (var key in keys)
        {
            Bind(command, key.Source, key.Id);
            using var reader = command.ExecuteReader();
            if (reader.Read())
                found[key] = new StoredReceipt(reader.GetString(0), reader.GetInt64(1), reader.GetFieldValue<byte[]>(2), reader.GetInt32(3), Time(reader, 4));
        }

        return found;
    });

    public override Task<IReadOnlyDictionary<string, StreamHead>> AppendAsync(AppendGroup group) => Task.Run(() =>
    {
        try
        {
            using var connection = Open();
            return Append(connection, group);
        }
        catch (SqliteException e)
        {
            throw new StoreException(FailureOf(e), e.Message, e);
        }
    });

    private static IReadOnlyDictionary<string, StreamHead> Append(SqliteConnection connection, AppendGroup group)
    {
        using var transaction = connection.BeginTransaction(IsolationLevel.Serializable, deferred: false);
        using var growStream = Command(connection, SqliteSql.GrowStream, "$stream", "$app", "$growth", "$now");
        using var insertEvent = Command(connection, SqliteSql.InsertEvent, "$stream", "$position", "$id", "$source", "$app", "$type",
            "$user_id", "$topic", "$actor", "$time", "$recorded_at", "$data", "$metadata");
        using var insertReceipt = Command(connection, SqliteSql.InsertReceipt, "$app", "$id", "$stream", "$position", "$hash", "$hops", "$recorded_at");
        using var queueRouting = Command(connection, SqliteSql.QueueRouting, "$id", "$app", "$source", "$event", "$stream", "$position", "$recorded_at", "$version", "$now");
        using var deleteOutbox = Command(connection, SqliteSql.DeleteOutbox, "$id");

        var heads = new Dictionary<string, StreamHead>(group.Streams.Count, StringComparer.Ordinal);
        foreach (var growth in group.Streams)
        {
            Bind(growStream, growth.Stream.Text, growth.Stream.App, growth.Count, StoreTime.ToMicroseconds(group.Now));
            using var reader = growStream.ExecuteReader();
            reader.Read();
            heads[growth.Stream.Text] = new StreamHead(reader.GetInt64(0), Time(reader, 1));
        }

        foreach (var row in group.Rows)
        {
            var (head, recordedAt) = heads[row.Stream.Text];
            var (position, microseconds, e) = (head + row.Offset, StoreTime.ToMicroseconds(recordedAt), row.Event);
            Bind(insertEvent, row.Stream.Text, position, e.Id, e.Source, row.Stream.App, e.Type, e.UserId, e.Topic, e.Actor,
                StoreTime.ToMicroseconds(e.Time), microseconds, e.Data, e.Metadata);
            insertEvent.ExecuteNonQuery();
            if (row.Routing is { } routing)
            {
                Bind(queueRouting, routing.Id.ToString().ToUpperInvariant(), row.Stream.App, e.Source, e.Id, row.Stream.Text, position, microseconds,
                    routing.ManifestVersion, StoreTime.ToMicroseconds(group.Now));
                queueRouting.ExecuteNonQuery();
            }

            if (!row.IsSource)
                continue;
            Bind(insertReceipt, e.Source, e.Id, row.Stream.Text, position, e.ContentHash, e.Hops, microseconds);
            insertReceipt.ExecuteNonQuery();
        }

        foreach (var id in group.OutboxIds)
        {
            Bind(deleteOutbox, id.ToString().ToUpperInvariant());
            deleteOutbox.ExecuteNonQuery();
        }

        transaction.Commit();
        return heads;
    }

    public override Task<IReadOnlyList<StoredEvent>> ReadAsync(
        string stream, long after, DateTimeOffset since, ReadLimit limit, ReadScope scope, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyList<StoredEvent>>(connection =>
    {
        using var command = Command(connection, SqliteSql.ReadAfter, "$stream", "$after", "$limit", "$claims");
        Bind(command, stream, after, limit.Events, scope.Claims);
        using var reader = command.ExecuteReader();
        var events = new List<StoredEvent>();
        for (var bytes = 0; bytes < limit.Bytes && reader.Read(); bytes += events[^1].Size)
            events.Add(ReadEvent(reader, stream, Time));
        return events;
    });

    public override Task<IReadOnlyDictionary<string, StreamHead>> ReadHeadsAsync(
        IReadOnlyCollection<string> streams, CancellationToken cancellationToken) => Guarded<IReadOnlyDictionary<string, StreamHead>>(connection =>
    {
        var heads = new Dictionary<string, StreamHead>(streams.Count, StringComparer.Ordinal);
        using var command = Command(connection, SqliteSql.ReadHead, "$stream");
        foreach (var stream in streams)
        {
            Bind(command, stream);
            using var reader = command.ExecuteReader();
            if (reader.Read())
                heads[stream] = new StreamHead(reader.GetInt64(0), Time(reader, 1));
        }

        return heads;
    });

    public override Task<long?> FindPositionBeforeAsync(string stream, DateTimeOffset from, CancellationToken cancellationToken) => Guarded(connection =>
    {
        using var command = Command(connection, SqliteSql.PositionBefore, "$stream", "$from");
        Bind(command, stream, StoreTime.ToMicroseconds(from));
        return command.ExecuteScalar() as long?;
    });

    public override Task<IReadOnlyList<OutboxEntry>> ClaimOutboxAsync(int limit, TimeSpan lease, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyList<OutboxEntry>>(connection =>
    {
        using var command = Command(connection, SqliteSql.ClaimOutbox, "$limit", "$lease");
        Bind(command, limit, (long)lease.TotalMicroseconds);
        using var reader = command.ExecuteReader();
        var entries = new List<OutboxEntry>();
        while (reader.Read())
            entries.Add(new OutboxEntry(Guid.Parse(reader.GetString(0)), reader.GetString(1), reader.GetString(2)));
        entries.Sort((one, other) => one.Id.CompareTo(other.Id));
        return entries;
    });

    public override Task RefuseOutboxAsync(Guid id, string reason, CancellationToken cancellationToken) => Guarded(connection =>
    {
        using var command = Command(connection, SqliteSql.RefuseOutbox, "$id", "$reason");
        Bind(command, id.ToString().ToUpperInvariant(), reason);
        return command.ExecuteNonQuery();
    });

    public override Task PrepareDaysAsync(DateOnly from, DateOnly through, CancellationToken cancellationToken) => Task.CompletedTask;

    public override Task<bool> DropEventsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => DropAsync(SqliteSql.DropEventsBefore, cutoff);

    public override Task<bool> DropReceiptsBeforeAsync(DateOnly cutoff, CancellationToken cancellationToken) => DropAsync(SqliteSql.DropReceiptsBefore, cutoff);

    public override Task SaveEvidenceAsync(IReadOnlyCollection<EvidenceInterval> intervals, DateTimeOffset now, CancellationToken cancellationToken) => Guarded(connection =>
    {
        using var transaction = connection.BeginTransaction(IsolationLevel.Serializable, deferred: false);
        using var command = Command(connection, SqliteSql.SaveEvidence, "$connection", "$user", "$app", "$stream", "$from", "$pushed", "$acked", "$opened", "$interests", "$now");
        foreach (var interval in intervals)
        {
            Bind(command, interval.SessionId, interval.UserId, interval.App, interval.Stream, interval.From, interval.Pushed, interval.Acked,
                StoreTime.ToMicroseconds(interval.OpenedAt == default ? now : interval.OpenedAt), interval.Interests, StoreTime.ToMicroseconds(now));
            command.ExecuteNonQuery();
        }

        using var cancel = Command(connection, SqliteSql.CancelAcknowledged, "$app", "$user");
        using var move = Command(connection, SqliteSql.MoveNotifications, "$user", "$app", "$from", "$pushed", "$acked", "$resumed", "$now");
        foreach (var interval in intervals.Where(interval => interval.Notifies))
        {
            Bind(move, interval.UserId, interval.App, interval.From, interval.Pushed, interval.Acked, interval.Resumed, StoreTime.ToMicroseconds(now));
            move.ExecuteNonQuery();
            Bind(cancel, interval.App, interval.UserId);
            cancel.ExecuteNonQuery();
        }

        transaction.Commit();
        return true;
    });

    public override Task<bool> DropEvidenceBeforeAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) => Guarded(connection =>
    {
        using var command = Command(connection, SqliteSql.DropEvidenceBefore, "$cutoff");
        Bind(command, StoreTime.ToMicroseconds(cutoff));
        return command.ExecuteNonQuery() > 0;
    });

    public override Task<IReadOnlyDictionary<Entrant, bool>> EnterAsync(IReadOnlyCollection<Entrant> entrants, DateTimeOffset now, CancellationToken cancellationToken) =>
        Guarded<IReadOnlyDictionary<Entrant, bool>>(connection =>
    {
        var members = new Dictionary<Entrant, bool>(entrants.Count);
        var strangers = new List<Entrant>();
        using (var hasLeft = Command(connection, SqliteSql.HasLeft, "$app", "$user"))
        {
            foreach (var entrant in entrants)
            {
                Bind(hasLeft, entrant.App, entrant.UserId);
                if (hasLeft.ExecuteScalar() is long left)
                    members[entrant] = left == 0;
                else
                    strangers.Add(entrant);
            }
        }

        if (strangers.Count == 0)
            return members;
        using var transaction = connection.BeginTransaction(IsolationLevel.Serializable, deferred: false);
        using var add = Command(connection, SqliteSql.AddMember, "$app", "$user", "$email", "$locale", "$now");
        foreach (var entrant in strangers)
        {
            Bind(add, entrant.App, entrant.UserId, entrant.Email, entrant.Locale, StoreTime.ToMicroseconds(now));
            add.ExecuteNonQuery();
            // Somebody who is removed at this moment is seen to have left when it is asked again.
            members[entrant] = true;
        }

        transaction.Commit();
        return members;
    });

    public override Task CheckAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Task<bool> DropAsync(string sql, DateOnly cutoff) => Guarded(connection =>
    {
        using var command = Command(connection, sql, "$cutoff");
        Bind(command, StoreTime.ToMicroseconds(new DateTimeOffset(cutoff, TimeOnly.MinValue, TimeSpan.Zero)));
        return command.ExecuteNonQuery() > 0;
    });

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var pragmas = Command(connection, SqliteSql.Pragmas);
        pragmas.ExecuteNonQuery();
        return connection;
    }

    private Task<T> Guarded<T>(Func<SqliteConnection, T> work)
    {
        try
        {
            using var connection = Open();
            return Task.FromResult(work(connection));
        }
        catch (SqliteException e)
        {
            return Task.FromException<T>(new StoreException(StoreFailure.Unavailable, "SQLite did not answer: " + e.Message, e));
        }
        catch (StoreException e)
        {
            return Task.FromException<T>(e);
        }
    }

    private static StoreFailure FailureOf(SqliteException e) => (e.SqliteErrorCode, e.SqliteExtendedErrorCode) switch
    {
        (_, PrimaryKeyConstraint or UniqueConstraint) => StoreFailure.ReceiptExists,
        (Constraint or TooBig or Mismatch, _) => StoreFailure.RowRefused,
        (Busy or Locked or ReadOnly or CannotOpen or Full, _) => StoreFailure.Unavailable,
        (IoError, _) => StoreFailure.OutcomeUnknown,
        _ => StoreFailure.OutcomeUnknown,
    };

    private static SqliteCommand Command(SqliteConnection connection, string sql, params string[] parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var name in parameters)
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        return command;
    }

    /// <summary>Values in the order in which the command's parameters were named.</summary>
    private static void Bind(SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
    }

    private static DateTimeOffset Time(DbDataReader reader, int column) => StoreTime.FromMicroseconds(reader.GetInt64(column));
}
