using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Observability;

/// <summary>Prometheus metrics at <c>/metrics</c>: on <c>Management:Port</c> when that is set, otherwise for admins outside Development.</summary>
internal static class Metrics
{
    public const string PortKey = "Management:Port";
    private const string Path = "/metrics";

    public static void AddRealtimeMetrics(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("oriva-realtime")).WithMetrics(metrics => metrics
            .AddMeter(RealtimeMetrics.MeterName)
            .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Http.Connections", "Npgsql")
            .AddRuntimeInstrumentation()
            .AddPrometheusExporter());
        // The port comes in addition to the addresses that are configured, in whichever way they are.
        if (PortOf(builder.Configuration) is { } port)
            builder.WebHost.UseUrls([.. ConfiguredUrls(builder.Configuration), $"http://*:{port}"]);
    }

    public static void MapRealtimeMetrics(this WebApplication app)
    {
        if (PortOf(app.Configuration) is { } port)
        {
            // By the port that the connection came in by, and not by the Host header, which the client writes.
            app.UseOpenTelemetryPrometheusScrapingEndpoint(http => http.Request.Path == Path && http.Connection.LocalPort == port);
            return;
        }

        var metrics = app.MapPrometheusScrapingEndpoint(Path);
        if (app.Environment.IsDevelopment())
            metrics.AllowAnonymous();
        else
            metrics.RequireAuthorization(Policies.Admin);
    }

    private static int? PortOf(IConfiguration configuration) => configuration.GetValue<int?>(PortKey);

    private static IEnumerable<string> ConfiguredUrls(IConfiguration configuration)
    {
        if (configuration["urls"] is { Length: > 0 } urls)
            return urls.Split(';', StringSplitOptions.RemoveEmptyEntries);
        var ports = Ports(configuration["http_ports"], "http").Concat(Ports(configuration["https_ports"], "https")).ToList();
        return ports.Count > 0 ? ports : ["http://localhost:5000"];
    }

    private static IEnumerable<string> Ports(string? list, string scheme) =>
        (list ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(port => $"{scheme}://*:{port}");
}
