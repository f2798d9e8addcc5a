namespace Oriva.Realtime.Core.Storage;

public enum StorageProvider
{
    Sqlite,
    Postgres,
}

/// <summary>Where the log is kept. Section <c>Storage</c>, with <c>ConnectionStrings:Postgres</c>.</summary>
public sealed class StorageOptions
{
    /// <summary>Must be said outside Development.</summary>
    public StorageProvider? Provider { get; set; }

    public string? PostgresConnectionString { get; set; }

    /// <summary>
    /// Start each connection in the service's role by a start-up option. False where a pooler refuses such options: the login is then itself
    /// <c>oriva_service</c>, or has that role set (<c>ALTER ROLE … SET role</c>).
    /// </summary>
    public bool PostgresRoleOption { get; set; } = true;

    /// <summary>The SQLite file; its folder is made when missing. One process at a time.</summary>
    public string SqlitePath { get; set; } = ".data/oriva.db";

    /// <summary>Apply migrations when the node starts; Development does. Otherwise <c>--migrate</c> applies them.</summary>
    public bool MigrateAtStart { get; set; }
}
