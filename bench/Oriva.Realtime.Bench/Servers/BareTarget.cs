using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>The bare SignalR hub of this program.</summary>
internal sealed class BareTarget(ServerProcess server, int users) : Target(server, users)
{
    public const string Key = "bare";

    public override string Name => "bare SignalR";

    public override bool KeepsEvents => false;

    public override bool HasHubPublish => true;

    public static async Task<BareTarget> StartAsync(string folder, int users, CancellationToken cancellationToken)
    {
        string[] arguments = [typeof(BareTarget).Assembly.Location, "bare", "--urls", "{urls}"];
        return new BareTarget(await ServerProcess.StartAsync(Key, arguments, new Dictionary<string, string>(), folder, cancellationToken), users);
    }

    public override PublishRequest BuildPublish(Audience audience, int events, Route route) => (audience, events) switch
    {
        _ when route == Route.Hub => PublishRequest.Invoke("Publish", $"\"{PublishRequest.UserPlaceholder}\",{Draft(audience)}"),
        (Audience.User, 1) => PublishRequest.Post(Address.ToString(), "/publish/user/" + PublishRequest.UserPlaceholder, token: null, Draft(audience)),
        (Audience.Everyone, 1) => PublishRequest.Post(Address.ToString(), "/publish/all", token: null, Draft(audience)),
        _ => PublishRequest.Post(Address.ToString(), "/publish/batch", token: null, Drafts(audience, events)),
    };

    public override void ReadReceipts(ReadOnlySpan<byte> body, Span<long> positions) => positions.Clear();

    protected override Task<HubPublisher> ConnectHubPublisherAsync(CancellationToken cancellationToken) =>
        HubPublisher.ConnectAsync(Address, "/hub", token: null, cancellationToken);

    protected override Inbox CreateInbox(int user) => new BareInbox(Arrivals, user);

    protected override async Task<HubSocket> JoinAsync(Inbox inbox, Dial dial, CancellationToken cancellationToken)
    {
        var socket = await HubSocket.ConnectAsync(Address, dial, "/hub", token: null, inbox, cancellationToken);
        await socket.InvokeAsync("Join", $"\"{PublishRequest.UserId(inbox.User)}\"", cancellationToken);
        return socket;
    }
}
