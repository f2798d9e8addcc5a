using System.Reflection;
using System.Xml.Linq;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Tests.Architecture;

/// <summary>Hub → Core, never back; Core knows no ASP.NET.</summary>
public sealed class ProjectDependencyTests
{
    private static readonly Assembly s_core = typeof(Fault).Assembly;

    [Fact]
    public void Core_ReferencesNoAspNetAssembly() =>
        s_core.GetReferencedAssemblies().Select(reference => reference.Name!)
            .Where(name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal))
            .ShouldBeEmpty("Core runs without a web server. What needs ASP.NET belongs in the Hub, behind a seam of Core such as ISessionOutput.");

    [Fact]
    public void Core_ReferencesNoOtherProjectOfOurs() =>
        s_core.GetReferencedAssemblies().Select(reference => reference.Name!)
            .Where(name => name.StartsWith("Oriva.", StringComparison.Ordinal))
            .ShouldBeEmpty("The Hub uses Core. Give Core a seam that the Hub fills, or move the code into Core.");

    [Fact]
    public void CoresProjectFile_BringsInNeitherTheWebNorAnotherProject()
    {
        // An assembly that is referenced but not used yet does not show in the built one.
        var project = XDocument.Load(SourceTree.PathOf("Oriva.Realtime.Core", "Oriva.Realtime.Core.csproj"));

        project.Root!.Attribute("Sdk")!.Value.ShouldBe("Microsoft.NET.Sdk", "Microsoft.NET.Sdk.Web would bring ASP.NET in.");
        project.Descendants("ProjectReference").ShouldBeEmpty("Core stands at the bottom.");
        project.Descendants("FrameworkReference").ShouldBeEmpty("Microsoft.AspNetCore.App belongs to the Hub.");
        project.Descendants("PackageReference").Select(package => package.Attribute("Include")!.Value)
            .Where(name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal))
            .ShouldBeEmpty("ASP.NET packages belong to the Hub.");
    }

    [Fact]
    public void Hub_ReferencesCore() =>
        XDocument.Load(SourceTree.PathOf("Oriva.Realtime.Hub", "Oriva.Realtime.Hub.csproj")).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
            .ShouldContain("Oriva.Realtime.Core");
}
