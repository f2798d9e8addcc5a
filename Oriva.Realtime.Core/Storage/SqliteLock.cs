namespace Oriva.Realtime.Core.Storage;

/// <summary>Held by the one process that uses a SQLite store. Two would each believe that they alone append.</summary>
internal sealed class SqliteLock : IDisposable
{
    private readonly FileStream _file;

    private SqliteLock(FileStream file) => _file = file;

    /// <exception cref="StartupException">Another process has it.</exception>
    public static SqliteLock Take(string sqlitePath)
    {
        var path = Path.GetFullPath(sqlitePath);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            return new SqliteLock(new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e)
        {
            throw new StartupException(
                $"Another process uses the SQLite store {path}. It serves one process; run several on PostgreSQL (Storage:Provider=Postgres).", e);
        }
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>The node cannot start as it is set up; its message says what to mend.</summary>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
