using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace Oriva.Realtime.Bench.Report;

/// <summary>A scenario's picture: a figure's medians, a line for each server over its cases, or a bar for each server where there is one case.</summary>
/// <param name="File">Without a folder and its ending.</param>
/// <param name="Figure">The name of the figure.</param>
/// <param name="Unit">What the axis of the figure says.</param>
/// <param name="Across">What the cases differ in; null: bars.</param>
internal sealed record Chart(string File, string Figure, string Unit, string? Across = null)
{
    private const double Width = 720, Height = 360;
    private const double TitleDistance = 14;

    // Without a font at hand texts are taken for narrower than they are: hence margins of our own, and room behind the names in the legend.
    private const string Room = "\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0";
    private static readonly OxyThickness s_margins = new(140, double.NaN, 20, 50);

    // By Okabe and Ito, so that nobody takes one line for another: vermilion, blue, green, purple, orange.
    private static readonly OxyColor[] s_colours = [OxyColor.FromRgb(213, 94, 0), OxyColor.FromRgb(0, 114, 178), OxyColor.FromRgb(0, 158, 115), OxyColor.FromRgb(204, 121, 167), OxyColor.FromRgb(230, 159, 0)];

    public async Task SaveAsync(string title, IReadOnlyList<Results.Line> lines, string folder, CancellationToken cancellationToken)
    {
        var model = new PlotModel { Title = title, TitleFontSize = 14, DefaultFont = "Arial", Background = OxyColors.White, PlotAreaBorderColor = OxyColors.LightGray, PlotMargins = s_margins };
        var servers = lines.Where(line => line.Find(Figure) is not null && (Across is null || line.At is not null)).GroupBy(line => line.Server).ToList();
        if (Across is null)
            AddBars(model, [.. servers.Select(server => (server.Key, server.First().Find(Figure)!.Median.Value))]);
        else
            AddLines(model, servers);
        var svg = new SvgExporter { Width = Width, Height = Height, UseVerticalTextAlignmentWorkaround = true }.ExportToString(model);
        Directory.CreateDirectory(folder);
        await System.IO.File.WriteAllTextAsync(Path.Combine(folder, File + ".svg"), svg.Replace("\r\n", "\n", StringComparison.Ordinal), cancellationToken);
    }

    private void AddLines(PlotModel model, IReadOnlyList<IGrouping<string, Results.Line>> servers)
    {
        model.Axes.Add(new LogarithmicAxis { Position = AxisPosition.Bottom, Title = Across, AxisTitleDistance = TitleDistance, Base = 2, MajorGridlineStyle = LineStyle.Dot, StringFormat = "N0" });
        model.Axes.Add(new LogarithmicAxis { Position = AxisPosition.Left, Title = $"{Figure}, {Unit}", AxisTitleDistance = 50, MajorGridlineStyle = LineStyle.Dot, StringFormat = "#,0.##" });
        model.Legends.Add(new Legend { LegendPosition = LegendPosition.LeftTop, LegendLineSpacing = 4 });
        foreach (var (index, server) in servers.Index())
        {
            var line = new LineSeries { Title = server.Key + Room, Color = s_colours[index % s_colours.Length], StrokeThickness = 2, MarkerType = MarkerType.Circle };
            line.Points.AddRange(server.Select(point => new DataPoint(point.At!.Value, point.Find(Figure)!.Median.Value)));
            model.Series.Add(line);
        }
    }

    private void AddBars(PlotModel model, IReadOnlyList<(string Server, double Value)> servers)
    {
        // From the bottom up.
        model.Axes.Add(new CategoryAxis { Position = AxisPosition.Left, ItemsSource = servers.Reverse().Select(server => server.Server).ToList() });
        model.Axes.Add(new LinearAxis { Position = AxisPosition.Bottom, Title = $"{Figure}, {Unit}", AxisTitleDistance = TitleDistance, Minimum = 0, MaximumPadding = 0.1, MajorGridlineStyle = LineStyle.Dot });
        var bars = new BarSeries { LabelFormatString = "{0:N1}", FillColor = s_colours[1] };
        bars.Items.AddRange(servers.Reverse().Select(server => new BarItem(server.Value)));
        model.Series.Add(bars);
    }
}
