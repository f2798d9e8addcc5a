using System.Text.Json;
using MessagePack;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Oriva.Realtime.Bench.Bare;

/// <summary>
/// What ours is compared with: the least that SignalR needs to bring an event from an HTTP POST to a user or to everyone. No authentication, no check of
/// what is posted, nothing stored: an event is gone when nobody is there, and a 202 promises nothing.
/// </summary>
internal static class BareServer
{
    private static readonly JsonSerializerOptions s_web = new(JsonSerializerDefaults.Web);

    /// <param name="options"><c>--redis HOST:PORT</c>: with a backplane. <c>--messagepack</c>: only that, because a backplane sends every protocol there is.</param>
    public static async Task RunAsync(string urls, IReadOnlyList<string> options)
    {
        var isMessagePack = options.Contains("--messagepack");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var signalR = builder.Services.AddSignalR();
        if (isMessagePack)
            signalR.AddMessagePackProtocol();
        if (options is ["--redis", var redis, ..])
            signalR.AddStackExchangeRedis(redis);
        var app = builder.Build();
        app.Urls.Add(urls);
        app.MapHub<BareHub>("/hub");
        app.MapGet("/health/ready", () => "ready");

        // Sends are not awaited: a group send takes as long as its slowest member.
        app.MapPost("/publish/user/{id}", (string id, JsonElement message, IHubContext<BareHub> hub) =>
        {
            _ = hub.Clients.Group(BareHub.GroupOf(id)).SendAsync("event", ToSent(message));
            return TypedResults.StatusCode(StatusCodes.Status202Accepted);
        });
        app.MapPost("/publish/all", (JsonElement message, IHubContext<BareHub> hub) =>
        {
            _ = hub.Clients.Group(BareHub.Everyone).SendAsync("event", ToSent(message));
            return TypedResults.StatusCode(StatusCodes.Status202Accepted);
        });
        app.MapPost("/publish/batch", (JsonElement[] messages, IHubContext<BareHub> hub) =>
        {
            foreach (var message in messages)
                _ = hub.Clients.Group(BareHub.GroupOf(message.GetProperty("userId").GetString()!)).SendAsync("event", ToSent(message));
            return TypedResults.StatusCode(StatusCodes.Status202Accepted);
        });
        await app.RunAsync();

        // JSON passes on what was posted, as it is; MessagePack needs a type.
        object ToSent(JsonElement message) => isMessagePack ? message.Deserialize<BareMessage>(s_web)! : message;
    }
}

[MessagePackObject]
public sealed record BareMessage(
    [property: Key("source")] string Source, [property: Key("type")] string Type, [property: Key("userId")] string? UserId, [property: Key("data")] BareData Data);

[MessagePackObject]
public sealed record BareData([property: Key("mark")] string Mark, [property: Key("text")] string Text);

internal sealed class BareHub : Hub
{
    public const string Everyone = "all";

    public static string GroupOf(string user) => "user:" + user;

    /// <summary>As the posts are: not awaited.</summary>
    public void Publish(string user, JsonElement message) => _ = Clients.Group(GroupOf(user)).SendAsync("event", message);

    /// <summary>Called by the client, because the handshake is answered before <see cref="Hub.OnConnectedAsync"/> has run: the answer to this says that sends arrive.</summary>
    public async Task Join(string user)
    {
        await Groups.AddToGroupAsync(Context.ConnectionId, GroupOf(user));
        await Groups.AddToGroupAsync(Context.ConnectionId, Everyone);
    }
}
