using System.Globalization;
using System.Numerics;
using System.Text;
using CsCheck;

namespace Oriva.Realtime.Tests.Publishing;

/// <summary>A JSON value that can be worded in many ways: members in any order, white space anywhere, numbers and texts in any spelling.</summary>
internal abstract record JsonModel
{
    /// <summary>Small values, so that two of them are often equal.</summary>
    public static readonly Gen<JsonModel> Any = Gen.Recursive<JsonModel>((depth, nested) =>
    {
        var name = Gen.OneOf("a", "b", "é", "\n", "😀");
        var leaf = Gen.OneOf(
            Gen.OneOf("null", "true", "false").Select(JsonModel (word) => new Literal(word)),
            name.Select(JsonModel (text) => new Text(text)),
            Gen.Select(Gen.Int[-3, 3], Gen.Int[-2, 2]).Select(JsonModel (digits, exponent) => Number.Of(digits, exponent)),
            Gen.Int[0, 3].Select(JsonModel (last) => Number.Of(BigInteger.Pow(2, 90) + last, 0)));
        return depth > 2
            ? leaf
            : Gen.OneOf(
                leaf,
                nested.Array[0, 3].Select(JsonModel (items) => new List(items)),
                Gen.Select(name, nested).Array[0, 3].Select(JsonModel (members) => new Object([.. members.DistinctBy(member => member.Item1)])));
    });

    /// <summary>One text for what is the same value.</summary>
    public abstract string Canonical { get; }

    public string Word(Random random)
    {
        var text = new StringBuilder();
        Write(text, random);
        return text.ToString();
    }

    protected abstract void Write(StringBuilder text, Random random);

    private static void Space(StringBuilder text, Random random) => text.Append(random.Next(6) switch { 0 => " ", 1 => "\n", 2 => "\t\r", _ => "" });

    private static void Quote(StringBuilder text, string value, Random random)
    {
        text.Append('"');
        foreach (var c in value)
        {
            // A surrogate pair is escaped as a whole or not at all.
            if (c < ' ' || (!char.IsSurrogate(c) && random.Next(2) == 0))
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                text.Append(c);
        }

        text.Append('"');
    }

    private sealed record Literal(string Name) : JsonModel
    {
        public override string Canonical => Name;

        protected override void Write(StringBuilder text, Random random) => text.Append(Name);
    }

    private sealed record Text(string Value) : JsonModel
    {
        public override string Canonical => $"'{Value}'";

        protected override void Write(StringBuilder text, Random random) => Quote(text, Value, random);
    }

    private sealed record Number(BigInteger Digits, int Exponent) : JsonModel
    {
        public override string Canonical => $"{Digits}e{Exponent}";

        public static Number Of(BigInteger digits, int exponent)
        {
            while (!digits.IsZero && digits % 10 == 0)
                (digits, exponent) = (digits / 10, exponent + 1);
            return new Number(digits, digits.IsZero ? 0 : exponent);
        }

        protected override void Write(StringBuilder text, Random random)
        {
            // The same number with some zeros more, the point somewhere among its digits, and the exponent to match.
            var zeros = random.Next(4);
            var digits = BigInteger.Abs(Digits).ToString(CultureInfo.InvariantCulture) + new string('0', zeros);
            var decimals = Digits.IsZero ? digits.Length - 1 : random.Next(digits.Length);
            var exponent = Exponent - zeros + decimals;
            text.Append(Digits.Sign < 0 || (Digits.IsZero && random.Next(2) == 0) ? "-" : "").Append(digits.AsSpan(0, 1));
            var point = digits.Length - decimals;
            text.Append(digits.AsSpan(1, point - 1));
            if (decimals > 0)
                text.Append('.').Append(digits.AsSpan(point));
            if (exponent != 0 || random.Next(2) == 0)
                text.Append(random.Next(2) == 0 ? 'e' : 'E').Append(exponent >= 0 && random.Next(2) == 0 ? "+" : "").Append(exponent);
        }
    }

    private sealed record List(IReadOnlyList<JsonModel> Items) : JsonModel
    {
        public override string Canonical => $"[{string.Join(',', Items.Select(item => item.Canonical))}]";

        protected override void Write(StringBuilder text, Random random)
        {
            text.Append('[');
            Space(text, random);
            for (var i = 0; i < Items.Count; i++)
            {
                if (i > 0)
                    text.Append(',');
                Space(text, random);
                Items[i].Write(text, random);
                Space(text, random);
            }

            text.Append(']');
        }
    }

    private sealed record Object((string Name, JsonModel Value)[] Members) : JsonModel
    {
        public override string Canonical =>
            $"{{{string.Join(',', Members.OrderBy(member => member.Name, StringComparer.Ordinal).Select(member => $"{member.Name}:{member.Value.Canonical}"))}}}";

        protected override void Write(StringBuilder text, Random random)
        {
            var members = Members.ToArray();
            random.Shuffle(members);
            text.Append('{');
            Space(text, random);
            for (var i = 0; i < members.Length; i++)
            {
                if (i > 0)
                    text.Append(',');
                Space(text, random);
                Quote(text, members[i].Name, random);
                Space(text, random);
                text.Append(':');
                Space(text, random);
                members[i].Value.Write(text, random);
                Space(text, random);
            }

            text.Append('}');
        }
    }
}
