using System.Globalization;
using System.Security.Claims;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>The apps and their manifests.</summary>
internal static class AppEndpoints
{
    private const int MaxManifestBytes = 1024 * 1024;

    public static void MapApps(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/apps", List)
            .WithName("ListApps").WithSummary("The apps that the token may use").Produces<AppList>().ProducesProblems();
        routes.MapGet("/apps/{app}/manifest", GetManifest)
            .WithName("GetManifest").WithSummary("An app's manifest, with its version as ETag")
            .Produces<object>().Produces(StatusCodes.Status304NotModified).ProducesProblems(403, 404);
        routes.MapPut("/apps/{app}/manifest", PutManifestAsync)
            .WithName("PutManifest").WithSummary("Make an app, or change its manifest")
            .WithDescription("A wrong manifest is refused whole, every fault with its JSON pointer. dryRun=true only judges. force=true accepts a change that breaks types in use. If-Match takes the ETag; If-None-Match: * makes new apps only.")
            .Accepts<object>("application/json").Produces<ManifestReceipt>(StatusCodes.Status201Created).Produces<ManifestReceipt>()
            .ProducesProblems(400, 403, 412, 413, 422, 503);
    }

    private static IResult List(ClaimsPrincipal user, AppRegistry registry)
    {
        var caller = user.GetCaller();
        var items = registry.All.Where(app => caller.Holds(app.Id))
            .Select(app => new AppSummary(app.Id, app.Name, app.Version,
                [.. app.Manifest.Events.Keys.Order(StringComparer.Ordinal)], [.. app.Manifest.Topics.Select(topic => topic.Pattern.Text)]));
        return TypedResults.Json(new AppList([.. items], null), WireJson.Options);
    }

    private static IResult GetManifest(string app, HttpContext http, ClaimsPrincipal user, AppRegistry registry)
    {
        if (!user.GetCaller().Holds(app))
            return Fault.AppForbidden(app).ToResult();
        if (registry.Find(app) is not { } found)
            return Fault.NotFound.ToResult();
        var tag = TagOf(found);
        http.Response.Headers.ETag = tag;
        return http.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Tag == tag || known.Tag == "*") // also weak: a proxy that compresses makes it so
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Text(found.ManifestText, "application/json");
    }

    private static async Task<IResult> PutManifestAsync(
        string app, HttpContext http, ClaimsPrincipal user, ManifestStore manifests, CancellationToken cancellationToken, string? dryRun = null, string? force = null)
    {
        if (!user.GetCaller().IsAdmin)
            return new Fault(FaultCodes.AppForbidden, "Manifests are for admins.").ToResult();
        if (!TryReadFlag(dryRun, out var onlyJudge))
            return Fault.Invalid("/dryRun", "Must be 'true' or 'false'.").ToResult();
        if (!TryReadFlag(force, out var forced))
            return Fault.Invalid("/force", "Must be 'true' or 'false'.").ToResult();
        if (!TryReadCondition(http.Request, out var version))
            return Fault.Invalid("/If-Match", "Must be an ETag of this manifest; If-None-Match knows only '*'.").ToResult();

        var body = await JsonBody.ReadAsync(http.Request, MaxManifestBytes, cancellationToken);
        if (body.Value is not { } json)
            return body.Fault!.ToResult();
        using (json)
        {
            var outcome = await manifests.PutAsync(app, json.RootElement, new ManifestPut(onlyJudge, forced, version), cancellationToken);
            if (outcome.Value is { } put && !onlyJudge)
                http.Response.Headers.ETag = TagOf(put);
            return outcome.ToResult(stored => TypedResults.Json(
                new ManifestReceipt(stored.Id, stored.Name, stored.Version, onlyJudge), WireJson.Options,
                statusCode: stored.Version == 1 && !onlyJudge ? StatusCodes.Status201Created : StatusCodes.Status200OK));
        }
    }

    private static string TagOf(App app) => string.Create(CultureInfo.InvariantCulture, $"\"{app.Version}\"");

    private static bool TryReadFlag(string? text, out bool flag)
    {
        flag = text is "" or "true";
        return text is null or "" or "true" or "false";
    }

    private static bool TryReadCondition(HttpRequest request, out long? version)
    {
        version = null;
        if (request.Headers.IfNoneMatch.Count > 0)
        {
            version = 0;
            return request.Headers.IfNoneMatch == "*";
        }

        if (request.Headers.IfMatch.ToString() is not { Length: > 0 } match)
            return true;
        var valid = long.TryParse(match.Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;
        version = number;
        return valid;
    }
}

internal sealed record AppList(IReadOnlyList<AppSummary> Items, string? Next);

internal sealed record AppSummary(string App, string Name, long Version, IReadOnlyList<string> Types, IReadOnlyList<string> Topics);

internal sealed record ManifestReceipt(string App, string Name, long Version, bool DryRun);
