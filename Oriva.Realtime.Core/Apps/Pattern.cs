namespace Oriva.Realtime.Core.Apps;

/// <summary>A name, or a prefix followed by <c>*</c>. Used for event types (<c>session.*</c>) and for topics (<c>room-*</c>).</summary>
public readonly record struct Pattern
{
    private readonly string _prefix;

    private Pattern(string text)
    {
        Text = text;
        IsPrefix = text.EndsWith('*');
        _prefix = IsPrefix ? text[..^1] : text;
    }

    public string Text { get; }

    public bool IsPrefix { get; }

    public bool Matches(string name) =>
        IsPrefix ? name.StartsWith(_prefix, StringComparison.Ordinal) : string.Equals(name, _prefix, StringComparison.Ordinal);

    /// <summary>What both patterns match: the narrower of the two, or nothing.</summary>
    public Pattern? Intersect(Pattern other)
    {
        if (IsPrefix && other._prefix.StartsWith(_prefix, StringComparison.Ordinal))
            return other;
        if (other.IsPrefix && _prefix.StartsWith(other._prefix, StringComparison.Ordinal))
            return this;
        return this == other ? this : null;
    }

    /// <summary>A type, a prefix that ends in <c>.*</c>, or <c>*</c>.</summary>
    public static bool TryParseType(string? text, out Pattern pattern)
    {
        pattern = default;
        var valid = text is not null && (text == "*" || Names.IsEventType(text) || (text.EndsWith(".*", StringComparison.Ordinal) && Names.IsEventType(text[..^2])));
        if (valid)
            pattern = new Pattern(text!);
        return valid;
    }

    /// <summary>A topic, a topic prefix and <c>*</c>, or <c>*</c>.</summary>
    public static bool TryParseTopic(string? text, out Pattern pattern)
    {
        pattern = default;
        var valid = text is not null && (text == "*" || Names.IsTopic(text) || (text.EndsWith('*') && Names.IsTopic(text[..^1])));
        if (valid)
            pattern = new Pattern(text!);
        return valid;
    }

    public override string ToString() => Text;
}
