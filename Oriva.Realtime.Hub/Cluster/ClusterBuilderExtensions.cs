using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Hub.Connections;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>What makes several nodes one service to those outside.</summary>
internal static class ClusterBuilderExtensions
{
    public static void AddRealtimeCluster(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddHttpForwarder();
        services.AddSingleton<PeerForwarder>();
        services.AddSingleton<Admission>();
        services.AddSingleton<Drain>();
        services.AddSingleton<IHostLifetime, DrainingLifetime>();
        services.AddSharedKeys();

        // It writes whole addresses, and with them tokens; what fails is logged by PeerForwarder.
        builder.Logging.AddFilter("Yarp.ReverseProxy", LogLevel.None);
    }

    /// <summary>Before the hub's endpoint, and behind authorization: only who may use the hub is counted, or passed on.</summary>
    public static void UseNodeRouting(this WebApplication app) => app.UseMiddleware<NodeRouting>();

    /// <summary>Operators drain a node, and have it take connections again, from any node.</summary>
    public static void DrainOnCommand(this WebApplication app)
    {
        var (drain, connections) = (app.Services.GetRequiredService<Drain>(), app.Services.GetRequiredService<ConnectionLifetimeManager>());
        var commands = app.Services.GetRequiredService<NodeCommands>();
        commands.Handle(NodeCommandKinds.Drain, command =>
        {
            var leaving = connections.Connections.Count;
            _ = drain.StartAsync();
            return Task.FromResult(leaving);
        });
        commands.Handle(NodeCommandKinds.Resume, _ =>
        {
            return drain.Resume() ? Task.FromResult(connections.Connections.Count) : throw new InvalidOperationException("The node stops.");
        });
    }

    private static void AddSharedKeys(this IServiceCollection services)
    {
        services.AddDataProtection().SetApplicationName("Oriva.Realtime");
        services.AddSingleton<SharedKeyRepository>();
        services.AddOptions<KeyManagementOptions>().Configure<SharedKeyRepository>((management, repository) => management.XmlRepository = repository);
        // It would read the keys at the start, before there may be a store, and hold up the start while the store is away.
        services.Remove(services.Single(service => service.ServiceType == typeof(IHostedService) && service.ImplementationType?.Assembly == typeof(KeyManagementOptions).Assembly));
    }
}
