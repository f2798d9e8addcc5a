using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Checks a token that comes otherwise than with a request, by the same rules: a connection's <c>Renew</c>.</summary>
internal sealed class TokenValidator(IOptionsMonitor<JwtBearerOptions> schemes, BearerSchemes selector, CallerReader callers)
{
    /// <returns>The caller, or <c>unauthenticated</c>, or <c>unavailable</c> when the keys cannot be had.</returns>
    public async Task<Outcome<Caller>> ValidateAsync(string token, CancellationToken cancellationToken)
    {
        if (ApiKeys.IsKey(token))
            return AuthenticationFaults.Unauthenticated("API keys do not expire and are not renewed.");
        var name = selector.Select(token);
        var scheme = schemes.Get(name);
        var parameters = scheme.TokenValidationParameters.Clone();
        if (scheme.ConfigurationManager is SigningKeys keys)
        {
            try
            {
                await keys.GetConfigurationAsync(cancellationToken);
            }
            catch (SigningKeysUnavailableException e)
            {
                return AuthenticationFaults.From(e);
            }

            parameters.ConfigurationManager = keys;
        }

        var result = await scheme.TokenHandlers.Single().ValidateTokenAsync(token, parameters);
        return result.IsValid
            ? callers.Read((JsonWebToken)result.SecurityToken, name)
            : AuthenticationFaults.From(BearerSchemes.Explain(result.Exception, scheme));
    }
}
