using System.Security.Claims;
using System.Text.RegularExpressions;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>The directory of an app's users, which its back end fills.</summary>
internal static partial class UserEndpoints
{
    private const int MaxEmailLength = 320;

    public static void MapUsers(this IEndpointRouteBuilder routes)
    {
        routes.MapPut("/apps/{app}/users/{userId}", PutAsync)
            .WithName("PutUser").WithSummary("Add a user to an app's directory, or update what is known").Accepts<AppUserDetails>("application/json")
            .Produces<AppUser>().ProducesProblems(400, 403, 404, 422, 503);
        routes.MapGet("/apps/{app}/users/{userId}", GetAsync)
            .WithName("GetUser").WithSummary("A user of an app").Produces<AppUser>().ProducesProblems(403, 404, 422, 503);
        routes.MapDelete("/apps/{app}/users/{userId}", DeleteAsync)
            .WithName("RemoveUser").WithSummary("A user leaves an app")
            .WithDescription("The user loses access even while a token still names the app, until it is put again.")
            .Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 422, 503);
    }

    private static async Task<IResult> PutAsync(
        string app, string userId, HttpRequest request, ClaimsPrincipal user, AccessPolicy access, UserDirectory directory, CancellationToken cancellationToken)
    {
        if (await CheckAsync(user.GetCaller(), app, userId, access, cancellationToken) is { } refused)
            return refused.ToResult();
        var body = await JsonBody.ReadAsync<AppUserDetails>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } details)
            return body.Fault!.ToResult();
        if (FindFault(details) is { } invalid)
            return invalid.ToResult();
        return TypedResults.Json(await directory.PutAsync(app, userId, details, cancellationToken), WireJson.Options);
    }

    private static async Task<IResult> GetAsync(
        string app, string userId, ClaimsPrincipal user, AccessPolicy access, UserDirectory directory, CancellationToken cancellationToken)
    {
        var caller = user.GetCaller();
        if (await CheckAsync(caller, app, userId, access, cancellationToken) is { } refused)
            return refused.ToResult();
        var found = await directory.FindAsync(access.ScopeOfHistory(caller, app), app, userId, cancellationToken);
        return found is null ? Fault.NotFound.ToResult() : TypedResults.Json(found, WireJson.Options);
    }

    private static async Task<IResult> DeleteAsync(
        string app, string userId, ClaimsPrincipal user, AccessPolicy access, UserDirectory directory, CancellationToken cancellationToken)
    {
        if (await CheckAsync(user.GetCaller(), app, userId, access, cancellationToken) is { } refused)
            return refused.ToResult();
        return await directory.RemoveAsync(app, userId, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();
    }

    private static async Task<Fault?> CheckAsync(Caller caller, string app, string userId, AccessPolicy access, CancellationToken cancellationToken)
    {
        if (!caller.IsPublisher)
            return new Fault(FaultCodes.UserForbidden, "The directory is for publishers.");
        if (await access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        // Routing leaves %2F as it is, so that a '/' in an id arrives as these three characters.
        return Names.IsId(userId) && !userId.Contains("%2F", StringComparison.OrdinalIgnoreCase) ? null : Fault.Invalid("/userId", "A user id is 1 to 128 printable characters without space or '/'.");
    }

    private static Fault? FindFault(AppUserDetails details)
    {
        if (details.Email is { } email && !(email.Length <= MaxEmailLength && Email().IsMatch(email)))
            return Fault.Invalid("/email", "Is not an e-mail address.");
        if (details.Locale is { } locale && !Locale().IsMatch(locale))
            return Fault.Invalid("/locale", "Must be a language tag (BCP 47) such as 'de' or 'pt-BR'.");
        return details.TimeZone is { } zone && !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _)
            ? Fault.Invalid("/timeZone", "Must be an IANA time zone such as 'Europe/Vienna'.")
            : null;
    }

    [GeneratedRegex(@"\A[^\s@\u0000-\u001f]+@[^\s@\u0000-\u001f]+\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Email();

    [GeneratedRegex(@"\A[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Locale();
}
