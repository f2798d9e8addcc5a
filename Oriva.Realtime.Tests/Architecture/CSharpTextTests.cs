namespace Oriva.Realtime.Tests.Architecture;

public sealed class CSharpTextTests
{
    private const string Q3 = "\"\"\"";

    public static TheoryData<string, string> Sources => new()
    {
        { "var a = \"x\";", "x" },
        { "F(\"a\", \"b\");", "a|b" },
        { "var a = \"\"; var b = \"y\";", "|y" },
        { "var a = \"q\\\"q\"; var b = \"\\\\\";", "q\\\"q|\\\\" },
        { "var a = @\"c:\\\"; var b = @\"q\"\"q\"; var c = @\"\"\"q\";", "c:\\|q\"\"q|\"\"q" },
        { "var c = '\"'; var a = \"x\"; var d = '\\''; var e = '\\\\';", "x" },
        { "// \"no\"\nvar a = \"x\"; /* \"no\n\" */ /// \"no\"", "x" },
        { "var a = \"// not a comment\";", "// not a comment" },
        { "var a = $\"x{y}z\";", "x?z" },
        { "var a = $\"{(n ? \"-\" : \"\")}{t}e{x:x4}\";", "-||??e?" },
        { "var a = $\"{{x}}{y}\";", "{{x}}?" },
        { "var a = $\"{new { B = \"}\" }}z\"; var c = \"d\";", "}|?z|d" },
        { "var a = $@\"x\\{y}\"\"z\";", "x\\?\"\"z" },
        { "var a = " + Q3 + "say \"hi\" \\ {x}" + Q3 + ";", "say \"hi\" \\ {x}" },
        { "var a = $" + Q3 + "x{y}z" + Q3 + ";", "x?z" },
        { "var a = $$" + Q3 + "{x}{{y}}" + Q3 + "; var b = \"c\";", "{x}?|c" },
        { "var a = $$" + Q3 + "{\"v\":{{y}}}" + Q3 + ";", "{\"v\":?}" },
        { "var a = \"\"\"\"x" + Q3 + "y\"\"\"\";", "x" + Q3 + "y" },
        { "@event.Do(\"x\"); var @class = 1;", "x" },
    };

    [Theory]
    [MemberData(nameof(Sources))]
    public void Literals_AreFound_InEveryKindOfString(string source, string literals) =>
        string.Join('|', new CSharpText(source).Literals.Select(literal => literal.Text)).ShouldBe(literals);

    [Fact]
    public void Code_HasNoLiteralsAndComments_ButTheSameLines()
    {
        const string Source = "a(\"SQL\n\");\n/* b\nc */ d(); // e\nf($" + Q3 + "\n g\n" + Q3 + ", h);";

        var text = new CSharpText(Source);

        text.Code.ShouldNotContain("SQL");
        text.Code.ShouldNotContain("c */");
        text.Code.Split('\n').Length.ShouldBe(Source.Split('\n').Length);
        text.Code.Split('\n')[3].ShouldBe(" d(); ");
        text.Literals[1].Line.ShouldBe(5);
    }

    [Fact]
    public void EveryFileOfTheProjects_IsReadToItsEnd()
    {
        // A literal whose end was missed would swallow the rest of its file, and the scan would be blind there.
        string[] projects = ["Oriva.Realtime.Core", "Oriva.Realtime.Hub"];

        foreach (var file in projects.SelectMany(SourceTree.CSharpFilesOf))
        {
            var code = new CSharpText(File.ReadAllText(SourceTree.PathOf(file))).Code;
            code.Count(c => c == '{').ShouldBe(code.Count(c => c == '}'), file);
            code.Count(c => c == '(').ShouldBe(code.Count(c => c == ')'), file);
        }
    }
}
