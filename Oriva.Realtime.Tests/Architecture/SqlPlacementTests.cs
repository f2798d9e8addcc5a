using System.Text.RegularExpressions;

namespace Oriva.Realtime.Tests.Architecture;

/// <summary>Raw SQL stands under Oriva.Realtime.Core/Storage/ alone.</summary>
public sealed partial class SqlPlacementTests
{
    private const string HowToMend =
        "Ask the question in EF Core, or put the statement into PostgresSql and SqliteSql and call it through EventStore, so that both stores keep it and one suite tests it.";

    private const string Storage = "Oriva.Realtime.Core/Storage/";

    private static readonly string[] s_projects = ["Oriva.Realtime.Core", "Oriva.Realtime.Hub"];

    [Fact]
    public void StringLiterals_OutsideStorage_HoldNoSql()
    {
        var faults =
            from file in FilesOutsideStorage()
            from literal in new CSharpText(File.ReadAllText(SourceTree.PathOf(file))).Literals
            where Sql().IsMatch(literal.Text)
            select $"{file}({literal.Line}): {Shorten(literal.Text)}";

        faults.ShouldBeEmpty(HowToMend);
    }

    [Fact]
    public void Code_OutsideStorage_CallsNothingThatTakesSql()
    {
        var faults =
            from file in FilesOutsideStorage()
            let code = new CSharpText(File.ReadAllText(SourceTree.PathOf(file))).Code
            from Match call in SqlCall().Matches(code)
            select $"{file}({1 + code.AsSpan(0, call.Index).Count('\n')}): {call.Value}";

        faults.ShouldBeEmpty(HowToMend);
    }

    [Fact]
    public void Scan_FindsTheSqlThatThereIs()
    {
        // The scan proves nothing if it reads no files, or cannot tell SQL when it sees it.
        var statements = SourceTree.CSharpFilesOf("Oriva.Realtime.Core").Where(file => file.StartsWith(Storage, StringComparison.Ordinal))
            .SelectMany(file => new CSharpText(File.ReadAllText(SourceTree.PathOf(file))).Literals)
            .Count(literal => Sql().IsMatch(literal.Text));

        statements.ShouldBeGreaterThan(10);
        FilesOutsideStorage().Count().ShouldBeGreaterThan(30);
    }

    [Theory]
    [InlineData("SELECT 1 FROM t", true)]
    [InlineData("select id from events where id = $1", true)]
    [InlineData("  INSERT INTO events VALUES (1)", true)]
    [InlineData("insert or ignore into events values (1)", true)]
    [InlineData("UPDATE streams SET head = 1", true)]
    [InlineData("delete from outbox", true)]
    [InlineData("WITH x AS (SELECT 1) SELECT * FROM x", true)]
    [InlineData("SELECT set_config('role', 'x', true)", true)]
    [InlineData("SET LOCAL ROLE oriva_user", true)]
    [InlineData("PRAGMA journal_mode = WAL", true)]
    [InlineData("CREATE TABLE t (id int)", true)]
    [InlineData("ALTER TABLE t ADD c int", true)]
    [InlineData("DROP TABLE t", true)]
    [InlineData("LISTEN channel", true)]
    [InlineData("NOTIFY channel, 'x'", true)]
    [InlineData("TRUNCATE events", true)]
    [InlineData("Select a type from the list.", false)]
    [InlineData("update the manifest and set its version", false)]
    [InlineData("The events were deleted from the log.", false)]
    [InlineData("Delete from here on.", false)]
    [InlineData("a publish with the same id", false)]
    [InlineData("session.started", false)]
    [InlineData("Listen to the stream.", false)]
    public void Sql_IsToldFromProse(string text, bool isSql) => Sql().IsMatch(text).ShouldBe(isSql);

    private static IEnumerable<string> FilesOutsideStorage() =>
        s_projects.SelectMany(SourceTree.CSharpFilesOf).Where(file => !file.StartsWith(Storage, StringComparison.Ordinal));

    private static string Shorten(string literal) => literal.ReplaceLineEndings(" ") is { Length: > 80 } text ? text[..80] + "…" : literal.ReplaceLineEndings(" ");

    /// <summary>Statements by their shape: in capitals as the house writes them, or in small letters with the clauses that prose does not have.</summary>
    [GeneratedRegex(
        """
        \bSELECT\s+\S | \bINSERT\s+(OR\s+\w+\s+)?INTO\b | \bUPDATE\s+\S+\s+(AS\s+\w+\s+)?SET\b | \bDELETE\s+FROM\b | \bTRUNCATE\s | \bPRAGMA\s |
        \b(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+)?(UNIQUE\s+)?(TABLE|INDEX|ROLE|POLICY|SCHEMA|FUNCTION|VIEW|TRIGGER|TYPE|EXTENSION)\b |
        \bSET\s+(LOCAL|SESSION|ROLE)\b | \b(LISTEN|UNLISTEN|NOTIFY)\s+\w | \bGRANT\s+\w+ |
        ^\s*(select\s.+\sfrom\s+\w+(\.\w+)?(\s+(where|join|order|group|limit|as)\b|\s*$) | insert\s+(or\s+\w+\s+)?into\s+\w | update\s+\w+(\.\w+)?\s+set\s+\w+\s*= | delete\s+from\s+\w+(\.\w+)?(\s+where\b|\s*$) | pragma\s+\w+)
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 5_000)]
    private static partial Regex Sql();

    [GeneratedRegex(
        @"\b(ExecuteSql(Raw|Interpolated)?(Async)?|FromSql(Raw|Interpolated)?|SqlQuery(Raw)?|CommandText|CreateCommand|CreateBatch|DbCommand|DbBatch|NpgsqlCommand|NpgsqlBatch\w*|SqliteCommand|ExecuteNonQuery\w*|ExecuteScalar\w*|ExecuteReader\w*)\b",
        RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 5_000)]
    private static partial Regex SqlCall();
}
