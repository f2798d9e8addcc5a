namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The hub built from a copy of its sources with one of <c>bench/faults/</c> applied.</summary>
internal sealed class PatchedHub : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-patched-").FullName;

    private PatchedHub()
    {
    }

    public string Program => Path.Combine(_folder, "Oriva.Realtime.Hub", "bin", "Release", "net10.0", "Oriva.Realtime.Hub.dll");

    public static async Task<PatchedHub> BuildAsync(string patch)
    {
        var hub = new PatchedHub();
        try
        {
            hub.CopySources();
            await hub.RunAsync("git", "apply", Path.Combine(Repository.Folder, "bench", "faults", patch + ".patch"));
            // No compiler or build server may outlive the test, and the analyzers have judged the sources already.
            await hub.RunAsync("dotnet", "build", "Oriva.Realtime.Hub", "-c", "Release", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false");
            return hub;
        }
        catch
        {
            hub.Dispose();
            throw;
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void CopySources()
    {
        var files = Directory.EnumerateFiles(Repository.Folder)
            .Concat(new[] { "Oriva.Realtime.Core", "Oriva.Realtime.Hub", "migrations" }.SelectMany(project => FilesOf(new DirectoryInfo(Path.Combine(Repository.Folder, project)))));
        foreach (var file in files)
        {
            var copy = Path.Combine(_folder, Path.GetRelativePath(Repository.Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static IEnumerable<string> FilesOf(DirectoryInfo folder) => folder.Name is "bin" or "obj" or ".data"
        ? []
        : folder.EnumerateFiles().Select(file => file.FullName).Concat(folder.EnumerateDirectories().SelectMany(FilesOf));

    private async Task RunAsync(string program, params string[] arguments)
    {
        var command = await Command.RunAsync(_folder, s_patience, program, arguments);
        command.ExitCode.ShouldBe(0, $"{program} {string.Join(' ', arguments)}: {command.Output}");
    }
}
