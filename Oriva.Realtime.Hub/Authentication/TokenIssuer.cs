using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Hub.Authentication;

internal sealed record IssuedToken(string Token, DateTimeOffset ExpiresAt);

/// <summary>
/// Signs tokens with the symmetric key, for development and for back ends without an identity provider. The claims stand where this service reads them.
/// </summary>
internal sealed class TokenIssuer(IOptions<AuthOptions> options, TimeProvider time)
{
    private readonly AuthOptions _auth = options.Value;

    /// <summary>False: the keys are an identity provider's, and so are the tokens.</summary>
    public bool CanIssue => _auth.SymmetricKey is not null;

    /// <exception cref="InvalidOperationException">There is no symmetric key.</exception>
    public IssuedToken Issue(TokenRequest request)
    {
        if (_auth.SymmetricKey is null)
            throw new InvalidOperationException("Tokens can be issued only with Auth:SymmetricKey.");

        // A token counts in whole seconds; it must not end before the answer says.
        var issuedAt = DateTimeOffset.FromUnixTimeSeconds(time.GetUtcNow().ToUnixTimeSeconds());
        var expiresAt = issuedAt + request.Lifetime;
        var payload = new JsonObject { ["iat"] = issuedAt.ToUnixTimeSeconds(), ["exp"] = expiresAt.ToUnixTimeSeconds() };
        if (_auth.Issuer is not null)
            payload["iss"] = _auth.Issuer;
        if (_auth.Audience is not null)
            payload["aud"] = _auth.Audience;

        if (request.Email is not null)
            ClaimPath.Set(payload, _auth.Claims.Email, request.Email);
        if (request.Locale is not null)
            ClaimPath.Set(payload, _auth.Claims.Locale, request.Locale);
        SetNames(payload, _auth.Claims.Apps, request.Apps);
        SetNames(payload, _auth.Claims.Roles, request.Roles);
        SetNames(payload, _auth.Claims.Topics, request.Topics);
        // Last, because a user's id may well be configured to be the e-mail address.
        ClaimPath.Set(payload, _auth.Claims.Sub, request.Sub);

        var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(_auth.SymmetricKey));
        var token = new JsonWebTokenHandler().CreateToken(payload.ToJsonString(), new SigningCredentials(key, SecurityAlgorithms.HmacSha256));
        return new IssuedToken(token, expiresAt);
    }

    private static void SetNames(JsonObject payload, string path, IReadOnlyList<string> names)
    {
        if (names.Count > 0)
            ClaimPath.Set(payload, path, new JsonArray([.. names.Select(name => JsonValue.Create(name))]));
    }
}
