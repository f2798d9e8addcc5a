using System.Globalization;
using System.Text;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Tracing;

namespace Oriva.Realtime.Hub;

/// <summary>
/// <c>--explain SOURCE/ID [--user USER]</c>: prints a trace as text, the explanation first. It only reads, and takes no lock, so that it works beside running
/// nodes, on SQLite too.
/// </summary>
internal static class ExplainCommand
{
    private const string Name = "--explain";

    public static bool IsWanted(string[] args) => args.Contains(Name);

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, string[] args, TextWriter output, TextWriter error)
    {
        if (ValueOf(args, Name)?.Split('/') is not [{ Length: > 0 } source, { Length: > 0 } id] || (args.Contains("--user") && ValueOf(args, "--user") is null))
        {
            await error.WriteLineAsync($"{Name} SOURCE/ID [--user USER]: SOURCE is the app that published the event, ID the event's id.");
            return 1;
        }

        try
        {
            // Opening a file that is not there would make one.
            var storage = services.GetRequiredService<IOptions<StorageOptions>>().Value;
            if (storage.Provider != StorageProvider.Postgres && !File.Exists(storage.SqlitePath))
                throw new StartupException($"There is no SQLite store {Path.GetFullPath(storage.SqlitePath)}.");
            var trace = await services.GetRequiredService<EventTracer>().TraceAsync(source, id, ValueOf(args, "--user"), CancellationToken.None);
            if (trace.Fault is { } fault)
            {
                await error.WriteLineAsync(fault.Code == Core.FaultCodes.NotFound ? $"'{source}' has published no event '{id}', or it is no longer known." : fault.Message);
                return 1;
            }

            await output.WriteAsync(ToText(trace.Value!));
            return 0;
        }
        catch (Exception e)
        {
            await error.WriteLineAsync($"The store cannot be read: {e.GetBaseException().Message}");
            return 1;
        }
    }

    internal static string ToText(EventTrace trace)
    {
        var text = new StringBuilder();
        var e = trace.Event;
        if (trace.User is { } user)
        {
            Line(0, $"{user.Explanation}");
            Line(0, $"Verdict: {user.Verdict} ({user.Reason})");
            foreach (var missing in user.Missing)
                Line(1, $"For another outcome: {missing}.");
        }
        else
        {
            var recipients = trace.Recipients is { Count: > 0 } counts ? string.Join(", ", counts.Select(count => $"{count.Value} {count.Key}")) : "none";
            Line(0, $"The event stands in {string.Join(", ", trace.Apps.Select(app => app.App))}; notifications: {recipients}.");
        }

        Line(0, $"Event {e.Source}/{e.Id}: {e.Type ?? "dropped by retention"}, {(e.UserId is not null ? $"to '{e.UserId}'" : e.Topic is not null ? $"to the topic '{e.Topic}'" : "to all")}, recorded {Time(e.RecordedAt)}");
        foreach (var app in trace.Apps)
        {
            Line(1, $"{app.App}: {app.Stream} {app.Seq}, manifest version {app.ManifestVersion?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}, routing {app.Routing}");
            if (trace.User is null)
            {
                foreach (var rule in app.Rules)
                    Line(2, $"rule '{rule.Rule}': {rule.Reason}");
            }
            else
            {
                foreach (var step in trace.User.Steps.Where(step => step.App == app.App))
                    Line(2, Of(step));
            }
        }

        foreach (var other in trace.NotShared)
            Line(1, $"{other.App}: no copy ({other.Reason})");
        return text.ToString();

        void Line(int depth, string line) => text.Append(' ', 2 * depth).AppendLine(line);
    }

    private static string Of(TraceStep step) =>
        $"{(step.At is { } at ? Time(at) : "                    ")} {step.Step}: {step.Detail}" + (step.Title is null ? "" : $" \"{step.Title}\"") + (step.Error is null ? "" : $" ({step.Error})");

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string? ValueOf(string[] args, string name) =>
        args.SkipWhile(arg => arg != name).Skip(1).FirstOrDefault() is { } value && !value.StartsWith("--", StringComparison.Ordinal) ? value : null;
}
