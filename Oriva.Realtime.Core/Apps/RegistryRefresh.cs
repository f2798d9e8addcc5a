using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>Sees every two seconds whether another node changed a manifest, removed a user or revoked a key.</summary>
internal sealed partial class RegistryRefresh(AppRegistry registry, NotificationInterest interest, UserDirectory directory, ApiKeys keys, TimeProvider time, ILogger<RegistryRefresh> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await Task.Delay(s_interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await registry.RefreshAsync(stoppingToken);
                await interest.RefreshAsync(stoppingToken);
                await directory.RefreshAsync(stoppingToken);
                await keys.RefreshAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (StoreOutage.Is(e))
            {
                LogStale(e.Message);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Manifests, memberships and keys could not be refreshed")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Manifests, memberships and keys are not refreshed: {Reason}")]
    private partial void LogStale(string reason);
}
