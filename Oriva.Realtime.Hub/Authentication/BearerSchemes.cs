using System.Text;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Tokens;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Says what a good token is. There is the service's own scheme, and in Development a second one for <c>dotnet user-jwts</c>, so that each believes only its
/// own keys; the issuer that a token names decides which of them checks it.
/// </summary>
internal sealed class BearerSchemes(
    IOptions<AuthOptions> auth, CallerReader callers, GoodTokens good, IHostEnvironment environment, TimeProvider time, ILogger<SigningKeys> logger, UserJwts? userJwts = null)
    : IConfigureNamedOptions<JwtBearerOptions>
{
    public const string Default = JwtBearerDefaults.AuthenticationScheme;
    public const string Development = "UserJwts";

    private static readonly TimeSpan s_clockSkew = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_fetchTimeout = TimeSpan.FromSeconds(10);
    private const int LongestKeyDocument = 1024 * 1024;

    // Not one for secrets: with it, whoever knows a provider's public key could sign.
    private static readonly string[] s_publicKeyAlgorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    public string Select(string token) => userJwts?.Issued(token) == true ? Development : Default;

    /// <summary>Why a token was not accepted. That its key is unknown proves nothing while the provider does not say which keys it has now.</summary>
    public static Exception Explain(Exception failure, JwtBearerOptions scheme) =>
        failure is SecurityTokenSignatureKeyNotFoundException && scheme.ConfigurationManager is SigningKeys { Failure: { } outage } ? outage : failure;

    public void Configure(JwtBearerOptions options) => Configure(Default, options);

    public void Configure(string? name, JwtBearerOptions options)
    {
        options.MapInboundClaims = false;
        options.SaveToken = false;
        options.RefreshOnIssuerKeyNotFound = false; // the token handler has seen to it, see SigningKeys
        options.TokenValidationParameters = new TokenValidationParameters
        {
            ValidateIssuer = false,
            ValidateAudience = false,
            LifetimeValidator = ValidateLifetime,
            RequireSignedTokens = true,
            ValidateWithLKG = false,
        };
        options.Events = new JwtBearerEvents { OnMessageReceived = ReceiveAsync, OnAuthenticationFailed = FailAsync, OnTokenValidated = IdentifyAsync };
        if (name == Development)
            userJwts!.Configure(options.TokenValidationParameters);
        else
            ConfigureDefault(options, auth.Value);
    }

    private void ConfigureDefault(JwtBearerOptions options, AuthOptions auth)
    {
        options.ForwardDefaultSelector = context => BearerToken.Find(context.Request) switch
        {
            { } token when ApiKeys.IsKey(token) => ApiKeyScheme.Name,
            { } token when good.Find(token) is not null => null,
            { } token when Select(token) == Development => Development,
            _ => null,
        };

        var parameters = options.TokenValidationParameters;
        if (auth.Audience is not null)
            (parameters.ValidateAudience, parameters.ValidAudience) = (true, auth.Audience);
        if (auth.Issuer is not null || auth.Authority is not null)
            (parameters.ValidateIssuer, parameters.ValidIssuer) = (true, auth.Issuer);
        if (auth.SymmetricKey is not null)
        {
            parameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
            parameters.IssuerSigningKey = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(auth.SymmetricKey));
        }
        else
        {
            parameters.ValidAlgorithms = s_publicKeyAlgorithms;
            options.ConfigurationManager = BuildSigningKeys(auth);
        }
    }

    private SigningKeys BuildSigningKeys(AuthOptions auth)
    {
        var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = s_fetchTimeout,
            MaxResponseContentBufferSize = LongestKeyDocument,
        };
        var documents = new HttpDocumentRetriever(client) { RequireHttps = !environment.IsDevelopment() };
        return auth.Authority is not null
            ? new SigningKeys(auth.Authority.TrimEnd('/') + "/.well-known/openid-configuration", new DiscoveryRetriever(auth.Issuer), documents, time, logger)
            : new SigningKeys(auth.JwksUri!, new JwksRetriever(auth.Issuer), documents, time, logger);
    }

    /// <summary>The library's own check has no clock to set.</summary>
    private bool ValidateLifetime(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = time.GetUtcNow().UtcDateTime;
        if (expires is null)
            throw new SecurityTokenNoExpirationException("The token has no expiry.");
        if (expires < now - s_clockSkew)
            throw new SecurityTokenExpiredException("The token has expired.") { Expires = expires.Value };
        if (notBefore > now + s_clockSkew)
            throw new SecurityTokenNotYetValidException("The token is not valid yet.") { NotBefore = notBefore.Value };
        return true;
    }

    private async Task ReceiveAsync(MessageReceivedContext context)
    {
        context.Token = BearerToken.Find(context.Request);
        if (context.Token is not null && good.Find(context.Token) is { } known)
        {
            context.Principal = known;
            context.Success();
            return;
        }

        if (context.Token is null || context.Options.ConfigurationManager is not SigningKeys keys)
            return;

        // The token handler would take missing keys for a bad signature.
        try
        {
            await keys.GetConfigurationAsync(context.HttpContext.RequestAborted);
        }
        catch (SigningKeysUnavailableException e)
        {
            context.Fail(e);
        }
    }

    private static Task FailAsync(AuthenticationFailedContext context)
    {
        if (Explain(context.Exception, context.Options) is SigningKeysUnavailableException outage)
            context.Fail(outage);
        return Task.CompletedTask;
    }

    private Task IdentifyAsync(TokenValidatedContext context)
    {
        var token = (JsonWebToken)context.SecurityToken;
        var outcome = callers.Read(token, context.Scheme.Name);
        if (outcome.Value is not { } caller)
        {
            context.Fail(new TokenRefusedException(outcome.Fault!.Message));
            return Task.CompletedTask;
        }

        context.Principal = new(new CallerIdentity(caller));
        // The keys of the development tool are read anew for each token.
        if (context.Scheme.Name == Default)
            good.Add(token.EncodedToken, context.Principal, caller.ExpiresAt!.Value + s_clockSkew);
        return Task.CompletedTask;
    }
}

/// <summary>A well signed token that says nothing we can use.</summary>
internal sealed class TokenRefusedException(string message) : Exception(message);
