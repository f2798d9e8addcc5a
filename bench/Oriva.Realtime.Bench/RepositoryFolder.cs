namespace Oriva.Realtime.Bench;

/// <summary>The bench's folder in the working copy that it was built in.</summary>
internal static class RepositoryFolder
{
    public static string OfBench()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Oriva.Realtime.sln")))
                return Path.Combine(folder.FullName, "bench");
        }

        throw new BenchException("This needs the repository: Oriva.Realtime.sln is in no folder above the bench.");
    }
}
