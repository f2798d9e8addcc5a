using System.Globalization;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>The verdict for the console.</summary>
internal static class VerdictTable
{
    private const int LongestExample = 300;

    public static void Show(IAnsiConsole console, VerifyReport report)
    {
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumn("check").AddColumn("promise").AddColumn(new TableColumn("checked").RightAligned()).AddColumn(new TableColumn("wrong").RightAligned());
        foreach (var check in report.Checks)
        {
            var colour = check.Holds ? "green" : "red";
            var wrong = check.Checked == 0 ? "never checked" : check.Wrong.ToString("N0", CultureInfo.InvariantCulture);
            table.AddRow($"[{colour}]{check.Name}[/]", check.Promise.EscapeMarkup(), check.Checked.ToString("N0", CultureInfo.InvariantCulture), $"[{colour}]{wrong}[/]");
        }

        console.Write(table);
        foreach (var (check, example) in report.Checks.SelectMany(check => check.Examples.Select(example => (check, example))))
            console.MarkupLineInterpolated($"[red]{check.Name}[/] {(example.Length > LongestExample ? example[..LongestExample] + "…" : example)}");

        var worst = report.Connections.MaxBy(connection => connection.LongestSilenceMs)!;
        console.MarkupLineInterpolated($"{report.Published} published, {report.Acknowledged} acknowledged after {report.Retries} retries; {report.Faults.Count} fault and recover commands; {report.Connections.Sum(connection => connection.Subscribed)} subscriptions of {report.Connections.Count} connections");
        console.MarkupLineInterpolated($"publish  p50 {report.PublishLatency.P50Ms} ms, p99 {report.PublishLatency.P99Ms} ms, max {report.PublishLatency.MaxMs} ms");
        console.MarkupLineInterpolated($"delivery p50 {report.DeliveryLatency.P50Ms} ms, p99 {report.DeliveryLatency.P99Ms} ms, max {report.DeliveryLatency.MaxMs} ms");
        console.MarkupLineInterpolated($"arrival  p50 {report.ArrivalLatency.P50Ms} ms, p99 {report.ArrivalLatency.P99Ms} ms, max {report.ArrivalLatency.MaxMs} ms after the receipt");
        console.MarkupLineInterpolated($"longest silence while something acknowledged was missing: {worst.LongestSilenceMs} ms, {worst.User} in {worst.App}");
        console.MarkupLine(report.Holds ? "[green]The promise holds.[/]" : "[red]The promise is broken: " + string.Join(", ", report.Checks.Where(check => !check.Holds).Select(check => check.Name)) + ".[/]");
    }
}
