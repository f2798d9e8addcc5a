using System.Net;
using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>A server under load, with what it has acknowledged so far. The same draft of 235 bytes is posted to each.</summary>
internal abstract class Target(Nodes nodes, Dialect dialect, int users) : IAsyncDisposable
{
    /// <summary>The type of event of all scenarios but those that say otherwise.</summary>
    public const string Message = "bench.message";

    private const int DraftBytes = 235;

    private int _lastNumber;

    public abstract string Name { get; }

    /// <summary>What the others are compared with.</summary>
    public virtual bool IsBaseline => false;

    /// <summary>Whether what was published can be read again by somebody who was not there.</summary>
    public abstract bool KeepsEvents { get; }

    /// <summary>Null: nothing is stored.</summary>
    public virtual Store? Store => null;

    /// <summary>Whether events can be published by invoking a hub method, one each.</summary>
    public virtual bool HasHubPublish => false;

    public Nodes Nodes { get; } = nodes;

    public int Users { get; } = users;

    public int StalledUser => Users;

    public Ledger Ledger { get; } = new(users);

    public Arrivals Arrivals { get; } = new();

    public uint NextNumber() => (uint)Interlocked.Increment(ref _lastNumber);

    /// <param name="fromStart">The crowd first gets everything that is kept.</param>
    public Task<Crowd> GatherAsync(int users, bool fromStart, CancellationToken cancellationToken) =>
        Crowd.GatherAsync([.. Enumerable.Range(0, users).Select(CreateInbox)], (inbox, local, stop) => JoinAsync(inbox, new Dial(local, fromStart), stop), cancellationToken);

    /// <summary>Somebody who is not of the crowd, has joined, and reads no more.</summary>
    public async Task<HubSocket> JoinStalledAsync(CancellationToken cancellationToken)
    {
        var socket = await JoinAsync(CreateInbox(StalledUser), new Dial(IPAddress.Loopback, IsNarrow: true), cancellationToken);
        socket.StopReading();
        return socket;
    }

    /// <param name="events">More than one: an array.</param>
    public abstract PublishRequest BuildPublish(Audience audience, int events, Route route, string type);

    public async Task<IPublishLine> ConnectPublisherAsync(Route route, CancellationToken cancellationToken)
    {
        if (route == Route.Hub)
            return await ConnectHubPublisherAsync(cancellationToken);
        var http = new HttpPublisher();
        await http.ConnectAsync(Nodes.Next(), cancellationToken);
        return http;
    }

    /// <summary>The positions in an answer to a publish, in the order of its events.</summary>
    public abstract void ReadReceipts(ReadOnlySpan<byte> body, Span<long> positions);

    public virtual async ValueTask DisposeAsync()
    {
        await Nodes.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected virtual Task<HubPublisher> ConnectHubPublisherAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    protected Dialect Dialect { get; } = dialect;

    protected abstract Inbox CreateInbox(int user);

    /// <summary>Connects and subscribes; somebody who was there before continues where the inbox stands.</summary>
    protected abstract Task<HubSocket> JoinAsync(Inbox inbox, Dial dial, CancellationToken cancellationToken);

    protected static string Draft(Audience audience, string type)
    {
        var user = audience == Audience.User ? $"\"userId\":\"{PublishRequest.UserPlaceholder}\"," : "";
        var draft = $$$"""{"source":"{{{OursTarget.App}}}","type":"{{{type}}}",{{{user}}}"data":{"mark":"{{{Mark.Placeholder}}}","text":"*"}}""";
        return draft.Replace("*", new string('x', DraftBytes - draft.Length + 1), StringComparison.Ordinal);
    }

    protected static string Drafts(Audience audience, int events, string type) => "[" + string.Join(',', Enumerable.Repeat(Draft(audience, type), events)) + "]";
}
