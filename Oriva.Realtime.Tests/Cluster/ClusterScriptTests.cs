using System.Diagnostics;
using System.Net.Sockets;
using Oriva.Realtime.Tests.Infrastructure;
using Oriva.Realtime.Tests.Transports;

namespace Oriva.Realtime.Tests.Cluster;

/// <summary><c>scripts/cluster.sh</c>, and with it <c>deploy/nginx.conf</c>: a real nginx before real hubs.</summary>
public sealed class ClusterScriptTests : IDisposable
{
    private const string App = "work-buddy";
    private const int Count = 100;

    private readonly string _folder = Directory.CreateTempSubdirectory("oriva-cluster-test-").FullName;

    /// <summary>The script's command says where the cluster is, and waits until the test is through.</summary>
    [Fact]
    public async Task BehindNginx_EveryTransportWorks_AlsoWhileAHubIsStopped()
    {
        var (ready, done) = (Path.Combine(_folder, "ready"), Path.Combine(_folder, "done"));
        var command = $"echo \"$ORIVA_URL $ORIVA_KEY $ORIVA_REDIS $ORIVA_HUB_PIDS\" > {ready}.new && mv {ready}.new {ready} && until [[ -e {done} ]]; do sleep 0.1; done; exit 7";
        var cluster = Command.RunAsync(Repository.Folder, TimeSpan.FromMinutes(4), "bash", "scripts/cluster.sh", "--no-build", "--hubs", "2", "--exec", command);
        Uri? nginx = null;
        var redis = 0;
        try
        {
            await Waiting.Eventually("the cluster is up", () => File.Exists(ready) || cluster.IsCompleted, TimeSpan.FromMinutes(2));
            cluster.IsCompleted.ShouldBeFalse(cluster.IsCompleted ? (await cluster).Output : "");
            var said = (await File.ReadAllTextAsync(ready, TestContext.Current.CancellationToken)).Split(' ', StringSplitOptions.TrimEntries);
            redis = int.Parse(said[2].Split(':', ',')[1]);
            await FollowAsync(nginx = new Uri(said[0]), new SigningKey(said[1]), int.Parse(said[3]));
        }
        finally
        {
            await File.WriteAllTextAsync(done, "", CancellationToken.None);
        }

        (await cluster).ExitCode.ShouldBe(7, (await cluster).Output);
        using var http = new HttpClient();
        await Should.ThrowAsync<HttpRequestException>(() => http.GetAsync(nginx, TestContext.Current.CancellationToken), "nothing is left of nginx");
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await Should.ThrowAsync<SocketException>(async () => await socket.ConnectAsync("127.0.0.1", redis, TestContext.Current.CancellationToken), "nothing is left of Redis");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task FollowAsync(Uri nginx, SigningKey key, int hub)
    {
        var token = key.Sign("ada");
        var followers = new List<BurstFollower>();
        foreach (var (transport, protocol) in TransportTests.Ways.Select(way => way.Data))
            followers.Add(await BurstFollower.StartAsync(nginx, token, transport, protocol));

        using var http = new HttpClient { BaseAddress = nginx };
        var publisher = new ApiCaller(http, key.Sign("back-end", "publisher"));
        for (var n = 1; n <= Count; n++)
        {
            (await publisher.PublishAsync(new { source = App, type = "session.started", userId = "ada", id = $"e-{n}" })).ShouldBe(201);
            if (n == Count / 2)
                Process.Start("kill", ["-TERM", hub.ToString()]).WaitForExit();
        }

        foreach (var follower in followers)
        {
            await follower.ReceiveAsync(Count);
            follower.Seqs.ShouldBe(Enumerable.Range(1, Count).Select(n => (long)n));
            follower.Faults.ShouldBeEmpty();
            await follower.DisposeAsync();
        }
    }

    private sealed record SigningKey(string Text)
    {
        public string Sign(string sub, params string[] roles) => new Hub.Authentication.TokenIssuer(
            Microsoft.Extensions.Options.Options.Create(new Hub.Authentication.AuthOptions { SymmetricKey = Text }), TimeProvider.System).Issue(new(sub) { Apps = [App], Roles = roles }).Token;
    }
}
