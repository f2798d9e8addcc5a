using System.Text;

namespace Oriva.Realtime.Tests.Architecture;

/// <summary>
/// Tells a C# file's string literals from its code, comments dropped: enough of the lexical grammar for a scan (regular, verbatim, raw and interpolated
/// strings with strings inside their holes), and no more.
/// </summary>
internal sealed class CSharpText
{
    private readonly string _source;
    private readonly List<(int Line, string Text)> _literals = [];
    private readonly StringBuilder _code = new();
    private int _at;

    public CSharpText(string source)
    {
        _source = source.ReplaceLineEndings("\n");
        ReadCode(inHole: 0);
    }

    /// <summary>Each literal's text as it is written, and the line that it begins in. What stands in holes is not part of it.</summary>
    public IReadOnlyList<(int Line, string Text)> Literals => _literals;

    /// <summary>The file without comments and literals; it has the same lines.</summary>
    public string Code => _code.ToString();

    /// <param name="inHole">How many braces close the hole that this code stands in; 0: none, the whole file is read.</param>
    private void ReadCode(int inHole)
    {
        var depth = 0;
        while (_at < _source.Length)
        {
            var c = _source[_at];
            if (Next("//"))
            {
                Skip(End("\n"));
            }
            else if (Next("/*"))
            {
                Skip(End("*/") + 2);
            }
            else if (c == '\'')
            {
                ReadCharacter();
            }
            else if (c is '"' or '$' or '@' && TryReadString())
            {
                continue;
            }
            else if (inHole > 0 && depth == 0 && c == '}' && Next(new string('}', inHole)))
            {
                _at += inHole;
                return;
            }
            else
            {
                // A hole's format (":x4") and alignment pass for code, which does no harm here.
                depth += c is '{' or '(' or '[' ? 1 : c is '}' or ')' or ']' ? -1 : 0;
                _code.Append(c);
                _at++;
            }
        }
    }

    private void ReadCharacter()
    {
        _at += Next("'\\") ? 3 : 2;
        Skip(End("'") + 1);
        _code.Append("' '");
    }

    private bool TryReadString()
    {
        var at = _at;
        var (holes, verbatim) = (0, false);
        for (; at < _source.Length && _source[at] is '$' or '@'; at++)
        {
            holes += _source[at] == '$' ? 1 : 0;
            verbatim |= _source[at] == '@';
        }

        var quotes = 0;
        while (at + quotes < _source.Length && _source[at + quotes] == '"')
            quotes++;
        if (quotes == 0)
            return false;

        _code.Append("\"\"");
        var isRaw = !verbatim && quotes >= 3;
        _at = at + (isRaw ? quotes : 1);
        ReadLiteral(isRaw ? new string('"', quotes) : "\"", verbatim, isRaw, holes);
        return true;
    }

    private void ReadLiteral(string end, bool verbatim, bool isRaw, int holes)
    {
        var line = 1 + _source.AsSpan(0, _at).Count('\n');
        var text = new StringBuilder();
        var braces = isRaw ? holes : 1;
        while (_at < _source.Length)
        {
            var isPair = (verbatim && Next("\"\"")) || (!verbatim && !isRaw && _source[_at] == '\\') || (holes > 0 && !isRaw && Next("{{"));
            if (isPair)
            {
                Take(text);
                Take(text);
            }
            else if (Next(end))
            {
                break;
            }
            else if (holes > 0 && OpensHole(braces))
            {
                _at += braces;
                ReadCode(braces);
                text.Append('?');
            }
            else
            {
                Take(text);
            }
        }

        _at += end.Length;
        _literals.Add((line, text.ToString()));
    }

    /// <summary>In a raw string with n '$', a run of n braces or more opens a hole with its last n.</summary>
    private bool OpensHole(int braces) => Next(new string('{', braces)) && (_at + braces >= _source.Length || _source[_at + braces] != '{');

    private void Take(StringBuilder text)
    {
        if (_at >= _source.Length)
            return;
        if (_source[_at] == '\n')
            _code.Append('\n');
        text.Append(_source[_at++]);
    }

    private bool Next(string text) => string.CompareOrdinal(_source, _at, text, 0, text.Length) == 0;

    private int End(string text) => _source.IndexOf(text, _at, StringComparison.Ordinal) is >= 0 and var found ? found - _at : _source.Length - _at;

    private void Skip(int length)
    {
        var end = Math.Min(_at + length, _source.Length);
        _code.Append('\n', _source.AsSpan(_at, end - _at).Count('\n'));
        _at = end;
    }
}
