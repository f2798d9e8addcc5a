using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class DevelopmentKeyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-key-").FullName;

    private string FilePath => Path.Combine(_folder, "new", "key");

    [Fact]
    public void NodesThatStartTogether_AgreeOnOneKey()
    {
        using var start = new Barrier(8);
        var keys = new string[8];
        var nodes = Enumerable.Range(0, 8).Select(node => new Thread(() =>
        {
            start.SignalAndWait();
            keys[node] = DevelopmentKey.ReadOrMake(FilePath);
        })).ToList();
        nodes.ForEach(node => node.Start());
        nodes.ForEach(node => node.Join());

        keys.Distinct().ShouldHaveSingleItem();
        Directory.GetFiles(Path.GetDirectoryName(FilePath)!).ShouldHaveSingleItem();
    }

    [Fact]
    public void FileThatHoldsNoKey_IsNamed()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        File.WriteAllText(FilePath, "short");

        Should.Throw<InvalidOperationException>(() => DevelopmentKey.ReadOrMake(FilePath)).Message.ShouldContain(FilePath);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
