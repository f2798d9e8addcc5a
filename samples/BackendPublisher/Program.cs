// A back end in a process of its own: publishes durably, and signals what need not be kept, to the clients of all hubs.
// Usage: dotnet run -- "Host=…;Database=oriva;Username=…;Password=…" localhost:6379 work-buddy ada
using System.Text.Json;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Sessions;
using Oriva.Realtime.Hub;

var (postgres, redis, app, user) = (args[0], args[1], args[2], args[3]);
var builder = Host.CreateApplicationBuilder();
builder.Services.AddRealtimePublisher(postgres, redis); // IEventPublisher
builder.Services.AddSignalR().AddStackExchangeRedis(redis); // IHubContext
using var host = builder.Build();
await host.StartAsync();

var published = await host.Services.GetRequiredService<IEventPublisher>().PublishAsync(
    EventDraft.Of(app, "task.completed", new { taskId = "t-1", title = "Ship it" }) with { UserId = user });
Console.WriteLine(published.Fault is { } fault ? $"refused: {fault.Code}: {fault.Message}" : $"stored at {published.Value!.Position} of {published.Value.Stream}");

await host.Services.GetRequiredService<IHubContext<RealtimeHub, IRealtimeClient>>().Clients.Group($"app:{app}:user:{user}")
    .signal(new SignalMessage(app, null, user, "a back end", "typing", JsonElement.Parse("{}"), TimeProvider.System.GetUtcNow()));
await host.StopAsync();
return published.Fault is null ? 0 : 1;

namespace Oriva.Realtime.Hub
{
    /// <summary>Stands for the hub: SignalR names its channels by the hub's full name.</summary>
    internal sealed class RealtimeHub : Hub<IRealtimeClient>;
}
