using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Hub.Observability;

/// <summary>Ready: the store answers, has all migrations, and the node has learnt what it needs from it.</summary>
internal sealed class StoreHealthCheck(NodeStartup startup, StoreMigrator migrator) : IHealthCheck
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (startup.WaitingFor is { } waiting)
            return HealthCheckResult.Unhealthy("Waiting for " + waiting);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_patience);
        try
        {
            var pending = await migrator.FindPendingAsync(patience.Token);
            return pending.Count == 0
                ? HealthCheckResult.Healthy("The store answers and is migrated.")
                : HealthCheckResult.Unhealthy("Migrations are pending: " + string.Join(", ", pending));
        }
        catch (Exception e) when (StoreOutage.Is(e) || e is OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy("The store does not answer: " + e.GetBaseException().Message);
        }
    }
}

/// <summary>Degraded without Redis: events still come, within about a second; signals stay on their node.</summary>
internal sealed class RedisHealthCheck(RedisConnection redis) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        !redis.IsConfigured ? HealthCheckResult.Healthy("Not used: nodes ask the store.")
        : redis.Trouble is { } trouble ? HealthCheckResult.Degraded("Redis does not answer: " + trouble)
        : HealthCheckResult.Healthy("Redis answers."));
}

/// <summary>Not ready while the node sends its clients elsewhere: balancers that ask send new ones to the others.</summary>
internal sealed class DrainHealthCheck(NodeIdentity self) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(self.IsDraining
        ? HealthCheckResult.Unhealthy("The node takes no new connections.")
        : HealthCheckResult.Healthy("The node takes new connections."));
}

/// <summary><c>/health/live</c>: the process serves. <c>/health/ready</c>: it can do its work, if need be <c>degraded</c>, which is a 200 too.</summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false, ResponseWriter = WriteAsync }).AllowAnonymous();
        routes.MapHealthChecks("/health/ready", new HealthCheckOptions { ResponseWriter = WriteAsync }).AllowAnonymous();
    }

    private static Task WriteAsync(HttpContext http, HealthReport report)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(JsonSerializer.Serialize(new
        {
            status = report.Entries.TryGetValue("drain", out var drain) && drain.Status == HealthStatus.Unhealthy ? "draining" : report.Status.ToString().ToLowerInvariant(),
            checks = report.Entries.ToDictionary(entry => entry.Key, entry => new { status = entry.Value.Status.ToString().ToLowerInvariant(), entry.Value.Description }),
        }, JsonSerializerOptions.Web));
    }
}
