using Json.Schema;

namespace Oriva.Realtime.Core.Apps;

/// <summary>What a JSON Schema evaluation found wrong: instance location (JSON pointer) and message, once each.</summary>
internal static class SchemaFaults
{
    private const int MostListed = 50;

    /// <summary>How schemas are applied, wherever they are: with every fault, and with formats.</summary>
    public static readonly EvaluationOptions Evaluation = new() { OutputFormat = OutputFormat.List, RequireFormatValidation = true };

    public static IEnumerable<(string Location, string Message)> Of(EvaluationResults results) =>
        Flatten(results)
            .Where(result => !result.IsValid && result.Errors is { Count: > 0 })
            .SelectMany(result => result.Errors!.Select(error => (result.InstanceLocation.ToString(), error.Value)))
            .Distinct()
            .Take(MostListed);

    private static IEnumerable<EvaluationResults> Flatten(EvaluationResults results) =>
        (results.Details ?? []).SelectMany(Flatten).Prepend(results);
}
