using System.Globalization;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Report;

/// <summary>The figures for the console and, with the same cells, as Markdown.</summary>
internal static class FiguresTable
{
    private static readonly string[] s_columns = ["scenario", "server", "per second", "÷ bare", "p50 ms", "÷ bare", "p99 ms", "÷ bare", "server CPU µs", "client CPU µs"];

    public static void Show(IAnsiConsole console, Figures figures)
    {
        var table = new Table { Border = TableBorder.Rounded };
        for (var i = 0; i < s_columns.Length; i++)
            table.AddColumn(new TableColumn(s_columns[i]) { Alignment = i < 2 ? Justify.Left : Justify.Right, NoWrap = i >= 2 });
        foreach (var row in Rows(figures))
            table.AddRow([.. row.Select(Markup.Escape)]);
        console.Write(table);
    }

    public static string ToMarkdown(Figures figures)
    {
        var lines = new List<string>
        {
            Line(s_columns),
            Line(s_columns.Select((_, i) => i < 2 ? "---" : "--:")),
        };
        lines.AddRange(Rows(figures).Select(Line));
        return string.Join('\n', lines);
    }

    public static string Number(double value) => value switch
    {
        >= 1_000 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        _ => value.ToString("F2", CultureInfo.InvariantCulture),
    };

    private static IEnumerable<string[]> Rows(Figures figures) => figures.Summarise().Select(line => (string[])
    [
        $"{line.Scenario}: {line.Case}", line.Server,
        Number(line.PerSecond), Format(line.Rate), Number(line.P50), Format(line.P50Ratio), Number(line.P99), Format(line.P99Ratio),
        Number(line.ServerCpu), Number(line.ClientCpu),
    ]);

    private static string Format(Figures.Ratio? ratio) =>
        ratio is null ? "" : ratio.Lowest == ratio.Highest ? Number(ratio.Median) : $"{Number(ratio.Median)} ({Number(ratio.Lowest)}–{Number(ratio.Highest)})";

    private static string Line(IEnumerable<string> cells) => "| " + string.Join(" | ", cells) + " |";
}
