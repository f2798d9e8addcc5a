namespace Oriva.Realtime.Bench.Databases;

/// <summary>What ours can keep its events in.</summary>
internal sealed record Store(string Key, string Name)
{
    public static readonly Store Sqlite = new("sqlite", "SQLite");
    public static readonly Store Postgres = new("postgres", "PostgreSQL");

    public static Store Find(string key) => key == Sqlite.Key ? Sqlite : Postgres;
}
