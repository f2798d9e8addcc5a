using System.Text.Json;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Tests.Infrastructure;

namespace Oriva.Realtime.Tests.Connections;

/// <summary>
/// A user who has subscribed and reads no more. What fills its socket goes to its own stream, so that the others' streams stay small and only it is stuck.
/// </summary>
internal sealed class StuckReader(HubHost hub, string user, RawClient client, JsonElement answer) : IAsyncDisposable
{
    public const string App = "work-buddy";

    /// <summary>More than the system's buffers take, 4 MiB at most on Linux.</summary>
    public const int Fill = 100;

    private static readonly string s_filler = new('x', 60_000);

    public RawClient Client => client;

    public string User => user;

    public string OwnStream => $"{App}/users/{user}";

    /// <summary>What <c>Subscribe</c> answered: the cursor of a client that has handled nothing since.</summary>
    public JsonElement Answer => answer;

    /// <summary>Whether a write to it is pending, or its connection has ended of that.</summary>
    public bool IsStuck => Session is not { } session || session.PositionsIn(App)[OwnStream] < Fill;

    public Session? Session => hub.Get<SessionFactory>().Running.FirstOrDefault(session => session.Caller.Sub == user);

    public static async Task<StuckReader> StartAsync(HubHost hub, string user, params string[] topics)
    {
        var stuck = await ConnectAsync(hub, user, topics);
        await stuck.FillAsync();
        return stuck;
    }

    public static async Task<StuckReader> ConnectAsync(HubHost hub, string user, params string[] topics)
    {
        var client = await RawClient.ConnectAsync(hub.Address, Tokens.User(user, App), receiveBuffer: 4_096);
        return new StuckReader(hub, user, client, await client.CallAsync("Subscribe", new { app = App, topics }));
    }

    /// <summary>Sends it what it does not read.</summary>
    public async Task FillAsync()
    {
        var publisher = hub.Get<EventPublisher>();
        var draft = EventDraft.Of(App, "session.started", new { filler = s_filler }) with { UserId = user };
        for (var i = 0; i < Fill; i += 20)
            (await publisher.PublishAsync(Caller.Service, [.. Enumerable.Repeat(draft, 20)], CancellationToken.None)).Fault.ShouldBeNull();
        long before;
        do
        {
            before = Session?.PositionsIn(App)[OwnStream] ?? 0;
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
        while (Session is { } session && session.PositionsIn(App)[OwnStream] > before);
        IsStuck.ShouldBeTrue("the system took everything, so nothing is stuck");
    }

    public ValueTask DisposeAsync() => client.DisposeAsync();
}
