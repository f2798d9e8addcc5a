using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Core.Apps;

/// <summary>Section <c>Apps</c>.</summary>
public sealed class AppsOptions
{
    /// <summary>A folder of manifests, <c>{app}.json</c>, each loaded when its app has none yet.</summary>
    public string? ManifestFolder { get; set; }
}

/// <summary>Loads the manifests that a deployment brings along. What was put by the API stands; a file never overwrites it.</summary>
internal sealed partial class ManifestFiles(
    IOptions<AppsOptions> options, ManifestStore store, AppRegistry registry, ILogger<ManifestFiles> logger)
{
    /// <exception cref="StartupException">A file is wrong: all its faults are named.</exception>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (options.Value.ManifestFolder is not { } folder || !Directory.Exists(folder))
            return;
        await registry.RefreshAsync(cancellationToken);
        foreach (var file in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            var app = Path.GetFileNameWithoutExtension(file);
            if (registry.Find(app) is not null)
                continue;
            using var json = await ReadAsync(file, cancellationToken);
            var outcome = await store.PutAsync(app, json.RootElement, new ManifestPut(IfVersion: 0), cancellationToken);
            if (outcome.Fault is { Code: not FaultCodes.PreconditionFailed } fault)
            {
                var errors = fault.Errors?.SelectMany(at => at.Value.Select(message => $"{at.Key}: {message}")) ?? [fault.Message];
                throw new StartupException($"The manifest {file} is wrong:{Environment.NewLine}  " + string.Join(Environment.NewLine + "  ", errors));
            }

            LogLoaded(app, file);
        }
    }

    private static async Task<JsonDocument> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return JsonDocument.Parse(await File.ReadAllBytesAsync(file, cancellationToken), new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new StartupException($"The manifest {file} is not JSON: {e.Message}", e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded the manifest of {App} from {File}")]
    private partial void LogLoaded(string app, string file);
}
