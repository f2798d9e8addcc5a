using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fluid;
using Fluid.Values;

namespace Oriva.Realtime.Core.Apps;

/// <summary>
/// A Liquid template of a manifest. It sees <c>data</c> (the event's data), <c>event</c> (<c>id source type actor userId topic time</c>), <c>app</c>
/// (<c>id name</c>), <c>events</c> (the data of each event of a digest) and <c>count</c> (of them), and nothing else of the service.
/// </summary>
/// <remarks>
/// Its author is an app, and its data a user's: steps, nesting, what a filter makes, output and time are bounded, and what exceeds them fails this one
/// rendering. Ranges, as in <c>(1..n)</c>, are refused: they are made whole before their first step.
/// </remarks>
public sealed partial record LiquidTemplate
{
    private const int MaxSteps = 1_000;
    private const int MaxRecursion = 20;
    private const int MaxOutput = 4_000;
    private const int MaxLongOutput = 64 * 1024;
    private const int MaxValue = 64 * 1024;
    private static readonly TimeSpan s_maxTime = TimeSpan.FromSeconds(1);

    private static readonly string[] s_growing = ["append", "prepend", "replace", "replace_first", "join", "newline_to_br", "escape", "url_encode"];
    private static readonly FluidParser s_parser = new();
    private static readonly TemplateOptions s_options = BuildOptions();
    private static readonly TemplateOptions s_htmlOptions = BuildHtmlOptions();

    private readonly IFluidTemplate _template;

    private LiquidTemplate(string text, IFluidTemplate template) => (Text, _template) = (text, template);

    public string Text { get; }

    public bool Equals(LiquidTemplate? other) => Text == other?.Text;

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Text;

    /// <returns>Null: it is no template, and <paramref name="fault"/> says where.</returns>
    public static LiquidTemplate? Parse(string text, out string? fault)
    {
        if (Range().IsMatch(text))
        {
            fault = "Ranges such as (1..10) are not supported.";
            return null;
        }

        return s_parser.TryParse(text, out var template, out fault) ? new LiquidTemplate(text, template) : null;
    }

    /// <summary>What templates about an event see.</summary>
    /// <param name="digested">Of a digest, of which <paramref name="e"/> is the newest event; null: it is the only one.</param>
    public static TemplateModel ModelOf(EventLog.StoredEvent e, App app, DigestedEvents? digested = null)
    {
        var data = ToModel(e.DataElement);
        return new TemplateModel(
            data,
            new Dictionary<string, object?>(StringComparer.Ordinal)
            {
                ["id"] = e.Id, ["source"] = e.Source, ["type"] = e.Type, ["actor"] = e.Actor, ["userId"] = e.UserId, ["topic"] = e.Topic, ["time"] = e.Time.UtcDateTime,
            },
            new Dictionary<string, object?>(StringComparer.Ordinal) { ["id"] = app.Id, ["name"] = app.Name })
        {
            Events = digested is null ? [data] : [.. digested.Data.Select(item => ToModel(JsonElement.Parse(item)))],
            Count = digested?.Count ?? 1,
        };
    }

    /// <returns>One line where <paramref name="oneLine"/>; or the fault that explains why there is none.</returns>
    public async ValueTask<(string? Text, string? Fault)> RenderAsync(TemplateModel model, TimeProvider time, bool oneLine)
    {
        var (text, fault) = await RenderAsync(model, time, s_options, MaxOutput);
        return (oneLine ? text?.ReplaceLineEndings(" ") : text, fault);
    }

    /// <summary>For the text of an e-mail, which may be longer.</summary>
    public ValueTask<(string? Text, string? Fault)> RenderLongAsync(TemplateModel model, TimeProvider time) => RenderAsync(model, time, s_options, MaxLongOutput);

    /// <summary>For HTML: data cannot bring markup in, whatever tags and filters it goes through, if the template quotes its attributes.</summary>
    public async ValueTask<(string? Text, string? Fault)> RenderHtmlAsync(TemplateModel model, TimeProvider time)
    {
        var (html, fault) = await RenderAsync(HtmlText.Mark(model), time, s_htmlOptions, MaxLongOutput);
        html = html is null ? null : HtmlText.Encode(html);
        return html?.Length > MaxLongOutput ? (null, $"The template makes more than {MaxLongOutput} characters.") : (html, fault);
    }

    private async ValueTask<(string? Text, string? Fault)> RenderAsync(TemplateModel model, TimeProvider time, TemplateOptions options, int maxOutput)
    {
        var context = new TemplateContext(options);
        context.SetValue("data", model.Data);
        context.SetValue("event", model.Event);
        context.SetValue("app", model.App);
        context.SetValue("events", model.Events);
        context.SetValue("count", model.Count);
        await using var output = new BoundedWriter(time, maxOutput);
        try
        {
            await _template.RenderAsync(output, NullEncoder.Default, context);
        }
        catch (Exception e)
        {
            // Whatever a template makes of the data it was given.
            return (null, e.Message);
        }

        return (ToStorable(output.ToString().Trim()), null);
    }

    /// <summary>Filters can make what no store keeps: half of a surrogate pair, or U+0000.</summary>
    private static string ToStorable(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Replace("\0", "", StringComparison.Ordinal);

    /// <summary>Filters see texts as they are, and what they make is data again.</summary>
    private static TemplateOptions BuildHtmlOptions()
    {
        var options = BuildOptions();
        foreach (var (name, filter) in options.Filters.ToList())
        {
            options.Filters.AddFilter(name, async (input, arguments, context) =>
            {
                var plain = new FilterArguments();
                var names = arguments.Names.ToList();
                foreach (var i in Enumerable.Range(0, arguments.Count))
                    plain.Add(names.FirstOrDefault(argument => ReferenceEquals(arguments[argument], arguments.At(i))), HtmlText.Unmark(arguments.At(i)));
                return HtmlText.Mark(await filter(HtmlText.Unmark(input), plain, context));
            });
        }

        // Data is encoded anyway.
        options.Filters.AddFilter("escape", (input, _, _) => input);
        options.Filters.AddFilter("escape_once", (input, _, _) => input);
        options.Filters.AddFilter("newline_to_br", (input, _, _) => new StringValue(HtmlText.Mark(input).ToStringValue().ReplaceLineEndings("<br>")));
        return options;
    }

    /// <summary>Filters that can make more of a text than they were given, each held to a size.</summary>
    private static TemplateOptions BuildOptions()
    {
        var options = new TemplateOptions { MaxSteps = MaxSteps, MaxRecursion = MaxRecursion, CultureInfo = CultureInfo.InvariantCulture };
        foreach (var name in s_growing)
        {
            if (!options.Filters.TryGetValue(name, out var filter))
                throw new InvalidOperationException($"Liquid has no filter '{name}'.");
            options.Filters.AddFilter(name, async (input, arguments, context) =>
            {
                var result = await filter(input, arguments, context);
                return result.ToStringValue().Length <= MaxValue ? result : throw new InvalidOperationException($"The filter '{name}' makes more than {MaxValue} characters.");
            });
        }

        return options;
    }

    /// <summary>Two values in brackets with two dots between them, within a tag.</summary>
    [GeneratedRegex(@"\{[{%][^}]*\([^()\n]*\.\.[^()\n]*\)", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Range();

    private static object? ToModel(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().ToDictionary(property => property.Name, property => ToModel(property.Value), StringComparer.Ordinal),
        JsonValueKind.Array => json.EnumerateArray().Select(ToModel).ToList(),
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => json.TryGetDecimal(out var number) ? number : json.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    private sealed class BoundedWriter(TimeProvider time, int maxOutput) : StringWriter(CultureInfo.InvariantCulture)
    {
        private readonly long _started = time.GetTimestamp();

        public override void Write(char value)
        {
            Check(1);
            base.Write(value);
        }

        public override void Write(string? value)
        {
            Check(value?.Length ?? 0);
            base.Write(value);
        }

        public override void Write(ReadOnlySpan<char> buffer)
        {
            Check(buffer.Length);
            base.Write(buffer);
        }

        public override void Write(char[] buffer, int index, int count)
        {
            Check(count);
            base.Write(buffer, index, count);
        }

        public override Task WriteAsync(char value)
        {
            Write(value);
            return Task.CompletedTask;
        }

        public override Task WriteAsync(string? value)
        {
            Write(value);
            return Task.CompletedTask;
        }

        private void Check(int more)
        {
            if (GetStringBuilder().Length + more > maxOutput)
                throw new InvalidOperationException($"The template makes more than {maxOutput} characters.");
            if (time.GetElapsedTime(_started) > s_maxTime)
                throw new InvalidOperationException($"The template takes longer than {s_maxTime.TotalMilliseconds} ms.");
        }
    }
}

/// <summary>What a template sees.</summary>
public sealed record TemplateModel(object? Data, IReadOnlyDictionary<string, object?> Event, IReadOnlyDictionary<string, object?> App)
{
    /// <summary>The data of each event of a digest, oldest first; otherwise of the one event.</summary>
    public IReadOnlyList<object?> Events { get; init; } = [];

    /// <summary>How many events a digest has, also those that are too many to be kept in it.</summary>
    public int Count { get; init; } = 1;
}

/// <summary>What a digest has collected.</summary>
/// <param name="Data">JSON, of each of the newest events, oldest first.</param>
public sealed record DigestedEvents(IReadOnlyList<string> Data, int Count);
