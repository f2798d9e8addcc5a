using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Bearer tokens that are API keys. The bearer scheme hands them over by their prefix.</summary>
internal sealed class ApiKeyScheme(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, ApiKeys keys)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string Name = "ApiKey";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (BearerToken.Find(Request) is not { } token || !ApiKeys.IsKey(token))
            return AuthenticateResult.NoResult();
        try
        {
            return await keys.FindAsync(token, Context.RequestAborted) is { } caller
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new CallerIdentity(caller)), Name))
                : AuthenticateResult.Fail(new TokenRefusedException("The API key is unknown or revoked."));
        }
        catch (Exception e) when (StoreOutage.Is(e))
        {
            return AuthenticateResult.Fail(new SigningKeysUnavailableException("the store of API keys", e));
        }
    }
}
