using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Hub.Connections;

namespace Oriva.Realtime.Hub;

/// <summary>SignalR, as the contract has it.</summary>
internal static class HubBuilderExtensions
{
    /// <summary>A hub message carries a draft: its data, its metadata, which JSON may escape, and names.</summary>
    private const int MessageOverhead = 32 * 1024;

    public static void AddRealtimeHub(this WebApplicationBuilder builder)
    {
        builder.Services.AddSignalR(ConfigureFilters)
            .AddJsonProtocol(json => WireJson.Configure(json.PayloadSerializerOptions).AllowDuplicateProperties = false)
            .AddMessagePackProtocol(messagePack => messagePack.SerializerOptions = JsonShapeResolver.Options);
        RealtimeProtocol.Decorate(builder.Services);
        builder.Services.AddSingleton<AbandonedCalls>();
        builder.Services.AddSingleton<CallLimiter>();
        builder.Services.AddSingleton<CallWatch>();
        builder.Services.AddSingleton<SignalOrigin>();
        builder.Services.AddSingleton<Backplane>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Backplane>());
        builder.Services.AddSingleton<ConnectionLifetimeManager>();
        builder.Services.AddSingleton<HubLifetimeManager<RealtimeHub>>(provider => provider.GetRequiredService<ConnectionLifetimeManager>());
        // Above SignalR's limit a connection is closed without a code; below it, ours answers too_large.
        builder.Services.AddOptions<HubOptions>().Configure<Microsoft.Extensions.Options.IOptions<PublishingOptions>>(
            (hub, limits) => hub.MaximumReceiveMessageSize = (2 * limits.Value.PayloadBytes) + (2 * limits.Value.MetadataBytes) + MessageOverhead);
    }

    public static void MapRealtimeHub(this WebApplication app) =>
        app.MapHub<RealtimeHub>("/hubs/realtime", options =>
        {
            // Sessions see to it, because they know of renewed tokens.
            options.CloseOnAuthenticationExpiration = false;
            options.Transports = HttpTransports.All;
        });

    private static void ConfigureFilters(HubOptions hub)
    {
        hub.AddFilter<AbandonedCalls>();
        hub.AddFilter<CallLimiter>();
        hub.AddFilter<CallWatch>();
    }
}
