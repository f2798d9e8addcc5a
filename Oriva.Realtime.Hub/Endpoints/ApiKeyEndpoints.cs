using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Keys for back ends, made and revoked by admins.</summary>
internal static class ApiKeyEndpoints
{
    private const int MaxNameLength = 128;

    public static void MapApiKeys(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/admin/api-keys", CreateAsync)
            .WithName("CreateApiKey").WithSummary("Make a key for a back end")
            .WithDescription("The answer shows the key, this once. Send it as a bearer token.")
            .Accepts<ApiKeyRequest>("application/json").ProducesProblems(400, 403, 422, 503);
        routes.MapGet("/admin/api-keys", ListAsync).WithName("ListApiKeys").WithSummary("The keys, without themselves").ProducesProblems(403, 503);
        routes.MapDelete("/admin/api-keys/{id}", RevokeAsync)
            .WithName("RevokeApiKey").WithSummary("Revoke a key; sessions that were opened with it end").Produces(StatusCodes.Status204NoContent).ProducesProblems(403, 404, 503);
    }

    private static async Task<IResult> CreateAsync(HttpRequest request, ApiKeys keys, CancellationToken cancellationToken)
    {
        var body = await JsonBody.ReadAsync<ApiKeyRequest>(request, WireJson.Options, cancellationToken);
        if (body.Value is not { } wanted)
            return body.Fault!.ToResult();
        if (wanted.Name is not { Length: > 0 and <= MaxNameLength })
            return Fault.Invalid("/name", $"Must be a text of 1 to {MaxNameLength} characters.").ToResult();
        if (wanted.Apps is not { Count: > 0 } || !wanted.Apps.All(Names.IsApp))
            return Fault.Invalid("/apps", "Must be a list of app ids.").ToResult();
        var roles = wanted.Roles ?? [Caller.PublisherRole];
        if (!roles.All(role => role is Caller.PublisherRole or Caller.AdminRole))
            return Fault.Invalid("/roles", "May contain 'publisher' and 'admin'.").ToResult();
        var (described, key) = await keys.CreateAsync(wanted.Name, wanted.Apps, roles, cancellationToken);
        return TypedResults.Json(new { described.Id, described.Name, described.Apps, described.Roles, described.CreatedAt, key }, WireJson.Options, statusCode: StatusCodes.Status201Created);
    }

    private static async Task<IResult> ListAsync(ApiKeys keys, CancellationToken cancellationToken)
    {
        var items = await keys.ListAsync(cancellationToken);
        return TypedResults.Json(new { items, next = (string?)null, total = items.Count }, WireJson.Options);
    }

    private static async Task<IResult> RevokeAsync(string id, ApiKeys keys, CancellationToken cancellationToken) =>
        Guid.TryParse(id, out var key) && await keys.RevokeAsync(key, cancellationToken) ? TypedResults.NoContent() : Fault.NotFound.ToResult();
}

internal sealed record ApiKeyRequest(string? Name, IReadOnlyList<string>? Apps, IReadOnlyList<string>? Roles);
