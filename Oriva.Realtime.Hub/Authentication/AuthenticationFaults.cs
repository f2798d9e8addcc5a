using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.IdentityModel.Tokens;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>What is said to who is not let in. The messages tell the token's holder what to mend, and nothing of how the keys are kept.</summary>
internal static class AuthenticationFaults
{
    public const string UnauthenticatedCode = "unauthenticated";
    public const string ForbiddenCode = "forbidden";

    public static Fault Unauthenticated(string message) => new(UnauthenticatedCode, message);

    /// <param name="failure">Why authentication failed; null: there was no token.</param>
    public static Fault From(Exception? failure) => failure switch
    {
        null => Unauthenticated("A bearer token is required."),
        SigningKeysUnavailableException => Fault.Unavailable("The keys to check tokens with cannot be fetched at the moment."),
        TokenRefusedException => Unauthenticated(failure.Message),
        SecurityTokenExpiredException => Unauthenticated("The token has expired."),
        SecurityTokenNotYetValidException => Unauthenticated("The token is not valid yet."),
        SecurityTokenNoExpirationException => Unauthenticated("The token has no expiry."),
        SecurityTokenInvalidIssuerException => Unauthenticated("The token comes from another issuer."),
        SecurityTokenInvalidAudienceException => Unauthenticated("The token is meant for another audience."),
        SecurityTokenInvalidSignatureException => Unauthenticated("The token is not signed with a key that is trusted here."),
        _ => Unauthenticated("The token is not valid."),
    };

    public static ProblemHttpResult ToProblem(Fault fault)
    {
        var extensions = new Dictionary<string, object?>(StringComparer.Ordinal) { ["code"] = fault.Code };
        if (fault.Errors is not null)
            extensions["errors"] = fault.Errors;
        var status = fault.Code switch
        {
            UnauthenticatedCode => StatusCodes.Status401Unauthorized,
            ForbiddenCode or FaultCodes.UserBlocked => StatusCodes.Status403Forbidden,
            FaultCodes.Malformed => StatusCodes.Status400BadRequest,
            FaultCodes.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status422UnprocessableEntity,
        };
        return TypedResults.Problem(fault.Message, statusCode: status, extensions: extensions);
    }
}
