using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>The bare SignalR hub of this program, or another server with the same posts.</summary>
internal class BareTarget(Nodes nodes, string name, Dialect dialect, int users) : Target(nodes, dialect, users)
{
    public override string Name => name;

    public override bool IsBaseline => Name == "bare SignalR";

    public override bool KeepsEvents => false;

    public override bool HasHubPublish => true;

    protected virtual string Path => "/hub";

    /// <param name="redis">HOST:PORT of a backplane; null: none.</param>
    /// <param name="count">Of nodes.</param>
    public static async Task<BareTarget> StartAsync(string folder, int count, string? redis, Dialect dialect, int users, CancellationToken cancellationToken)
    {
        string[] backplane = redis is null ? [] : ["--redis", redis];
        string[] protocol = dialect == Dialect.MessagePack ? ["--messagepack"] : [];
        string[] arguments = [typeof(BareTarget).Assembly.Location, "bare", "--urls", "{urls}", .. backplane, .. protocol];
        var nodes = await Nodes.StartAsync(
            count, name => ServerProcess.StartAsync(name, "dotnet", arguments, new Dictionary<string, string>(), folder, cancellationToken), redis is null ? ServerKeys.Bare : ServerKeys.BareRedis);
        return new BareTarget(nodes, "bare SignalR" + (count > 1 ? $", {count} nodes" : "") + (redis is null ? "" : ", Redis"), dialect, users);
    }

    public override PublishRequest BuildPublish(Audience audience, int events, Route route, string type) => (audience, events) switch
    {
        _ when route == Route.Hub => PublishRequest.Invoke("Publish", $"\"{PublishRequest.UserPlaceholder}\",{Draft(audience, type)}"),
        (Audience.User, 1) => PublishRequest.Post(Nodes.First.ToString(), "/publish/user/" + PublishRequest.UserPlaceholder, token: null, Draft(audience, type)),
        (Audience.Everyone, 1) => PublishRequest.Post(Nodes.First.ToString(), "/publish/all", token: null, Draft(audience, type)),
        _ => PublishRequest.Post(Nodes.First.ToString(), "/publish/batch", token: null, Drafts(audience, events, type)),
    };

    public override void ReadReceipts(ReadOnlySpan<byte> body, Span<long> positions) => positions.Clear();

    protected override Task<HubPublisher> ConnectHubPublisherAsync(CancellationToken cancellationToken) =>
        HubPublisher.ConnectAsync(Nodes.Next(), Path, token: null, cancellationToken);

    protected override Inbox CreateInbox(int user) => new BareInbox(Arrivals, Dialect, user);

    protected override async Task<HubSocket> JoinAsync(Inbox inbox, Dial dial, CancellationToken cancellationToken)
    {
        var socket = await HubSocket.ConnectAsync(Nodes.Of(inbox.User), dial, Path, token: null, Dialect, inbox, cancellationToken);
        await socket.InvokeAsync("Join", $"\"{PublishRequest.UserId(inbox.User)}\"", cancellationToken);
        return socket;
    }
}
