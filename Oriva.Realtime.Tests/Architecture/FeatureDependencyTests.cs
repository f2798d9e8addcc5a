using ArchUnitNET.Domain;
using ArchUnitNET.Domain.Dependencies;
using ArchUnitNET.Loader;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Tests.Architecture;

/// <summary>A feature folder of Core uses only what it is drawn to use in docs/architecture.md.</summary>
public sealed class FeatureDependencyTests
{
    private const string Core = "Oriva.Realtime.Core";

    /// <summary>The one class that may use everything, because it puts everything together.</summary>
    private const string TableOfContents = Core + "." + nameof(RealtimeServiceCollectionExtensions);

    /// <summary>What each folder may use, besides itself and Core's root (faults, which are everybody's).</summary>
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["Apps"] = ["EventLog", "Storage", "Diagnostics"],
        ["Cluster"] = ["Storage", "Diagnostics"],
        ["Connections"] = ["Apps", "Cluster", "Sessions", "Storage"],
        ["Publishing"] = ["Apps", "EventLog", "Storage", "Diagnostics"],
        ["EventLog"] = ["Apps", "Storage", "Diagnostics", "Feed", "Publishing"],
        ["Feed"] = ["Cluster", "EventLog", "Storage", "Diagnostics"],
        ["Sessions"] = ["Apps", "EventLog", "Storage", "Diagnostics", "Feed", "Publishing"],
        ["Notifications"] = ["Apps", "EventLog", "Storage", "Diagnostics", "Publishing", "Sessions"],
        ["Tracing"] = ["Apps", "EventLog", "Storage", "Publishing", "Sessions", "Notifications"],
        ["Storage"] = ["Apps", "Cluster", "EventLog", "Diagnostics"],
        ["Diagnostics"] = ["Apps", "EventLog", "Storage"],
    };

    private static readonly Lazy<List<Use>> s_uses = new(FindUses);

    [Fact]
    public void FeatureFolder_UsesOnlyWhatItMay()
    {
        var faults = s_uses.Value
            .Where(use => use.FromFolder != "" && use.ToFolder != "" && use.FromFolder != use.ToFolder && !s_allowed.GetValueOrDefault(use.FromFolder, []).Contains(use.ToFolder))
            .Select(use => $"{use.From} uses {use.To}, but {use.FromFolder}/ may use only {string.Join(", ", s_allowed.GetValueOrDefault(use.FromFolder, []))}.");

        Distinct(faults).ShouldBeEmpty(
            "Move the code to the folder whose business it is, hand the other a value or a callback, or, where the drawing is what is wrong, change docs/architecture.md and this table together.");
    }

    [Fact]
    public void Root_UsesNoFeature_ExceptItsTableOfContents()
    {
        var faults = s_uses.Value.Where(use => use.FromFolder == "" && use.ToFolder != "" && use.From != TableOfContents).Select(use => $"{use.From} uses {use.To}.");

        Distinct(faults).ShouldBeEmpty($"What lies in Core's root is used by every folder, so it may use none. Only {TableOfContents} puts them together.");
    }

    [Fact]
    public void NoFeature_UsesTheTableOfContents()
    {
        var faults = s_uses.Value.Where(use => use.To == TableOfContents).Select(use => $"{use.From} uses {use.To}.");

        Distinct(faults).ShouldBeEmpty("A feature that calls the wiring uses every other feature. Take what is needed in the constructor.");
    }

    [Fact]
    public void EveryFolder_IsInTheTable()
    {
        var folders = s_uses.Value.Select(use => use.FromFolder).Where(folder => folder != "").Distinct().Order();

        folders.Except(s_allowed.Keys).ShouldBeEmpty("Draw the new folder in docs/architecture.md and say here what it may use.");
    }

    [Fact]
    public void EveryType_LiesInTheFolderOfItsNamespace()
    {
        var faults = SourceTree.CSharpFilesOf(Core).Select(file =>
        {
            var expected = string.Join('.', file.Split('/')[..^1]);
            var declared = File.ReadLines(SourceTree.PathOf(file)).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal))?["namespace ".Length..].TrimEnd(';', ' ');
            return declared is null || declared == expected ? null : $"{file} declares {declared}.";
        });

        Distinct(faults.OfType<string>()).ShouldBeEmpty("These rules go by namespace, so that a namespace must be its folder.");
    }

    [Theory]
    [InlineData("Oriva.Realtime.Core.Sessions.SubscriptionStarter", "Oriva.Realtime.Core.Publishing.DraftReader", "a call in a static method's body")]
    [InlineData("Oriva.Realtime.Core.Publishing.EventPublisher", "Oriva.Realtime.Core.Storage.StoreOutage", "a call in an async method's exception filter")]
    [InlineData("Oriva.Realtime.Core.EventLog.EventLogWriter", "Oriva.Realtime.Core.Feed.StreamAdvance", "a constructor call in a lambda of an async method")]
    [InlineData("Oriva.Realtime.Core.Apps.AppRegistry", "Oriva.Realtime.Core.Storage.Rows.AppRow", "a parameter")]
    [InlineData("Oriva.Realtime.Core.Sessions.Subscription", "Oriva.Realtime.Core.Storage.ReadScope", "a primary constructor's parameter")]
    [InlineData("Oriva.Realtime.Core.RealtimeServiceCollectionExtensions", "Oriva.Realtime.Core.Sessions.SubscriptionStarter", "a generic argument")]
    public void Scan_SeesUses_WhereverTheyHide(string from, string to, string kind) =>
        s_uses.Value.ShouldContain(use => use.From == from && use.To == to, $"The scan misses {kind}, so that the rules above prove less than they say.");

    private static List<Use> FindUses()
    {
        var architecture = new ArchLoader().LoadAssemblies(typeof(Fault).Assembly).Build();
        return
        [
            .. architecture.Types
                .Where(type => type.FullName.StartsWith(Core + ".", StringComparison.Ordinal))
                .SelectMany(type => type.Dependencies.SelectMany(Targets)
                    .Where(target => target.FullName.StartsWith(Core + ".", StringComparison.Ordinal))
                    .Select(target => new Use(Outermost(type), Outermost(target))))
                .Where(use => use.From != use.To)
                .Distinct(),
        ];
    }

    private static IEnumerable<IType> Targets(ITypeDependency dependency) =>
        dependency.TargetGenericArguments.SelectMany(Flatten).Prepend(dependency.Target);

    private static IEnumerable<IType> Flatten(GenericArgument argument) => argument.GenericArguments.SelectMany(Flatten).Prepend(argument.Type);

    /// <summary>What the compiler nests in a type, for lambdas and async methods, is the type's own code.</summary>
    private static string Outermost(IType type) => type.FullName.Split('+', '/', '`')[0];

    private static List<string> Distinct(IEnumerable<string> faults) => [.. faults.Distinct().Order(StringComparer.Ordinal)];

    private sealed record Use(string From, string To)
    {
        public string FromFolder { get; } = Folder(From);

        public string ToFolder { get; } = Folder(To);

        /// <summary>The folder right below Core; empty for Core's root.</summary>
        private static string Folder(string type) => type[(Core.Length + 1)..].Split('.') is [var folder, _, ..] ? folder : "";
    }
}
