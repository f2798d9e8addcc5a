namespace Oriva.Realtime.Tests.Architecture;

/// <summary>The repository that these tests were built from.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>The C# files of a project, as paths below the root, without what the build makes.</summary>
    public static IReadOnlyList<string> CSharpFilesOf(string project) =>
    [
        .. Directory.EnumerateFiles(PathOf(project), "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
            .Where(file => !file.StartsWith($"{project}/obj/", StringComparison.Ordinal) && !file.StartsWith($"{project}/bin/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal),
    ];

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Oriva.Realtime.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No Oriva.Realtime.sln above {AppContext.BaseDirectory}");
    }
}
