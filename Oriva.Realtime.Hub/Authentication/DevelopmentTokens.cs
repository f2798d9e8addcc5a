using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Tokens for the asking. Outside Development the endpoint does not exist, nor where the keys are an identity provider's.</summary>
internal static class DevelopmentTokens
{
    public static void MapDevelopmentTokens(this IEndpointRouteBuilder routes)
    {
        var services = routes.ServiceProvider;
        if (!services.GetRequiredService<IHostEnvironment>().IsDevelopment() || !services.GetRequiredService<TokenIssuer>().CanIssue)
            return;

        routes.MapPost("/dev/token", IssueAsync)
            .AllowAnonymous()
            .WithName("CreateDevelopmentToken")
            .WithTags("Development")
            .WithSummary("Makes a token (in Development only).")
            .WithDescription("Body: sub (required), apps, roles (publisher, admin), topics (app/topic patterns), email, locale, expiresInSeconds (3600).");
    }

    private static async Task<Results<Ok<IssuedToken>, ProblemHttpResult>> IssueAsync(HttpRequest request, TokenIssuer issuer)
    {
        JsonDocument body;
        try
        {
            body = await JsonDocument.ParseAsync(request.Body, cancellationToken: request.HttpContext.RequestAborted);
        }
        catch (JsonException)
        {
            return AuthenticationFaults.ToProblem(new Fault(FaultCodes.Malformed, "The body is not JSON."));
        }

        using (body)
        {
            var outcome = TokenRequest.Read(body.RootElement);
            return outcome.Fault is { } fault ? AuthenticationFaults.ToProblem(fault) : TypedResults.Ok(issuer.Issue(outcome.Value!));
        }
    }
}
