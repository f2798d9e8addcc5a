using OpenTelemetry.Metrics;
using Oriva.Realtime.Core.Diagnostics;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Observability;

/// <summary>Prometheus metrics at <c>/metrics</c>: on <c>Management:Port</c> when that is set, otherwise for admins outside Development.</summary>
internal static class Metrics
{
    private const string PortKey = "Management:Port";

    public static void AddRealtimeMetrics(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics
            .AddMeter(RealtimeMetrics.MeterName)
            .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Http.Connections", "Npgsql")
            .AddRuntimeInstrumentation()
            .AddPrometheusExporter());
        if (builder.Configuration.GetValue<int?>(PortKey) is { } port)
        {
            var urls = builder.Configuration["urls"] ?? "http://localhost:5000";
            builder.WebHost.UseUrls([.. urls.Split(';', StringSplitOptions.RemoveEmptyEntries), $"http://*:{port}"]);
        }
    }

    public static void MapRealtimeMetrics(this WebApplication app)
    {
        var metrics = app.MapPrometheusScrapingEndpoint("/metrics");
        if (app.Configuration.GetValue<int?>(PortKey) is { } port)
            metrics.RequireHost($"*:{port}").AllowAnonymous();
        else if (app.Environment.IsDevelopment())
            metrics.AllowAnonymous();
        else
            metrics.RequireAuthorization(Policies.Admin);
    }
}
