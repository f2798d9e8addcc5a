using System.Globalization;
using Spectre.Console;

namespace Oriva.Realtime.Bench.Report;

/// <summary>A scenario's figures for the console and, with the same cells, as Markdown. A figure has a column, and one for its ratio where there is any.</summary>
internal static class FiguresTable
{
    private const int TextColumns = 2;

    public static void Show(IAnsiConsole console, Results results)
    {
        foreach (var scenario in results.Scenarios)
        {
            var lines = Lay(results.Summarise(scenario));
            var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle(Markup.Escape(scenario)) };
            for (var i = 0; i < lines[0].Count; i++)
                table.AddColumn(new TableColumn(Markup.Escape(lines[0][i])) { Alignment = i < TextColumns ? Justify.Left : Justify.Right, NoWrap = i >= TextColumns });
            foreach (var line in lines.Skip(1))
                table.AddRow([.. line.Select(Markup.Escape)]);
            console.Write(table);
        }
    }

    public static string ToMarkdown(Results results, string scenario)
    {
        var lines = Lay(results.Summarise(scenario));
        lines.Insert(1, [.. lines[0].Select((_, i) => i < TextColumns ? "---" : "--:")]);
        return string.Join('\n', lines.Select(cells => "| " + string.Join(" | ", cells) + " |"));
    }

    public static string Number(double value) => Math.Abs(value) switch
    {
        >= 999.5 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        0 => "0",
        _ => value.ToString("F2", CultureInfo.InvariantCulture),
    };

    /// <returns>The heads of the columns, and then a row for each line.</returns>
    private static List<IReadOnlyList<string>> Lay(IReadOnlyList<Results.Line> lines)
    {
        var columns = lines.SelectMany(line => line.Cells).GroupBy(cell => cell.Median.Name)
            .Select(cells => (cells.Key, cells.First().Median.Unit, IsCompared: cells.Any(cell => cell.Ratio is not null))).ToList();
        var rows = new List<IReadOnlyList<string>> { (string[])["case", "server", .. columns.SelectMany(Head)] };
        rows.AddRange(lines.Select(line => (string[])[line.Case, line.Server, .. columns.SelectMany(column => Fill(line.Find(column.Key), column.IsCompared))]));
        return rows;

        static string[] Head((string Name, string Unit, bool IsCompared) column)
        {
            var name = $"{column.Name} {column.Unit}".TrimEnd();
            return column.IsCompared ? [name, "÷ baseline"] : [name];
        }

        static string[] Fill(Results.Cell? cell, bool isCompared)
        {
            var value = cell is null ? "" : Number(cell.Median.Value);
            return isCompared ? [value, Format(cell?.Ratio)] : [value];
        }
    }

    private static string Format(Results.Ratio? ratio) =>
        ratio is null ? "" : ratio.Lowest == ratio.Highest ? Number(ratio.Median) : $"{Number(ratio.Median)} ({Number(ratio.Lowest)}–{Number(ratio.Highest)})";
}
