namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The hub built from a copy of its sources, with one after the other of <c>bench/faults/</c> applied, so that only what each changes is compiled again.</summary>
public sealed class PatchedHub : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-patched-").FullName;
    private string? _applied;

    internal string Program => Path.Combine(_folder, "Oriva.Realtime.Hub", "bin", "Release", "net10.0", "Oriva.Realtime.Hub.dll");

    internal async Task BuildAsync(string patch)
    {
        var isFirst = _applied is null;
        if (isFirst)
            CopySources();
        else
            await RunAsync("git", "apply", "--reverse", _applied!);
        _applied = Path.Combine(Repository.Folder, "bench", "faults", patch + ".patch");
        await RunAsync("git", "apply", _applied);
        // No compiler or build server may outlive the test, and the analyzers have judged the sources already.
        string[] build = ["build", "Oriva.Realtime.Hub", "-c", "Release", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false"];
        await RunAsync("dotnet", isFirst ? build : [.. build, "--no-restore"]);
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
