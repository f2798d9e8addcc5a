using System.Text;
using Fluid.Values;

namespace Oriva.Realtime.Core.Apps;

/// <summary>
/// Keeps apart, within one text, what data says from what a template says: in data, the characters that mean something in HTML are exchanged for others that
/// nobody writes, one for one. So they go through every tag and filter as data, and are encoded at the end.
/// </summary>
/// <remarks>An encoder at the output alone would miss lists, which Liquid writes as they are, and what filters make of parts.</remarks>
internal static class HtmlText
{
    // Private use, so no text of any language has them.
    private const char First = '\uE000';
    private const string Meaningful = "&<>\"'";

    private static readonly string[] s_encoded = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];

    public static TemplateModel Mark(TemplateModel model) => new(Mark(model.Data), Mark(model.Event), Mark(model.App)) { Events = [.. model.Events.Select(Mark)], Count = model.Count };

    public static FluidValue Mark(FluidValue value) => value switch
    {
        StringValue text => new StringValue(Mark(text.ToStringValue())),
        ArrayValue list => new ArrayValue([.. list.Values.Select(Mark)]),
        _ => value,
    };

    public static FluidValue Unmark(FluidValue value) => value is StringValue text ? new StringValue(Exchange(text.ToStringValue(), toMarks: false)) : value;

    public static string Encode(string text)
    {
        var encoded = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            if (character - First is >= 0 and < 5 and var i)
                encoded.Append(s_encoded[i]);
            else
                encoded.Append(character);
        }

        return encoded.ToString();
    }

    private static string Mark(string text) => Exchange(text, toMarks: true);

    private static object? Mark(object? value) => value switch
    {
        string text => Mark(text),
        IReadOnlyDictionary<string, object?> properties => Mark(properties),
        IEnumerable<object?> list => list.Select(Mark).ToList(),
        _ => value,
    };

    private static Dictionary<string, object?> Mark(IReadOnlyDictionary<string, object?> properties)
    {
        var marked = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var (name, value) in properties)
            marked[Mark(name)] = Mark(value);
        return marked;
    }

    private static string Exchange(string text, bool toMarks) => string.Create(text.Length, (text, toMarks), static (span, state) =>
    {
        for (var i = 0; i < span.Length; i++)
        {
            var at = state.toMarks ? Meaningful.IndexOf(state.text[i], StringComparison.Ordinal) : state.text[i] - First;
            span[i] = at is < 0 or >= 5 ? state.text[i] : state.toMarks ? (char)(First + at) : Meaningful[at];
        }
    });
}
