using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Tokens of <c>dotnet user-jwts create</c>, in Development only. The tool keeps its key in the user secrets and the audiences in
/// <c>appsettings.Development.json</c>; both are read anew for each token, so that a running node follows the tool.
/// </summary>
internal sealed class UserJwts(IConfiguration configuration)
{
    /// <summary>What its option <c>--role</c> writes.</summary>
    public const string RoleClaim = "role";

    private static readonly JsonWebTokenHandler s_handler = new();

    private readonly IConfigurationSection _scheme = configuration.GetSection("Authentication:Schemes:Bearer");

    /// <summary>Whether the token says that it is one of them. Whether that is true, the signature tells.</summary>
    public bool Issued(string token)
    {
        try
        {
            return s_handler.CanReadToken(token) && FindKeys(s_handler.ReadJsonWebToken(token).Issuer).Any();
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException)
        {
            return false;
        }
    }

    public void Configure(TokenValidationParameters parameters)
    {
        parameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
        parameters.IssuerSigningKeyResolver = (_, token, _, _) => FindKeys(token.Issuer);
        parameters.ValidateAudience = true;
        parameters.AudienceValidator = (audiences, _, _) => AreValid(audiences);
    }

    private IEnumerable<SecurityKey> FindKeys(string issuer)
    {
        foreach (var key in _scheme.GetSection("SigningKeys").GetChildren())
        {
            if (key["Issuer"] is { Length: > 0 } keyIssuer && keyIssuer == issuer && TryDecode(key["Value"], out var bytes))
                yield return new SymmetricSecurityKey(bytes);
        }
    }

    private bool AreValid(IEnumerable<string> audiences)
    {
        var valid = _scheme.GetSection("ValidAudiences").GetChildren().Append(_scheme.GetSection("ValidAudience")).Select(child => child.Value)
            .OfType<string>().ToHashSet(StringComparer.Ordinal);
        return valid.Count == 0 || audiences.Any(valid.Contains);
    }

    private static bool TryDecode(string? base64, out byte[] bytes)
    {
        bytes = new byte[base64?.Length ?? 0];
        var decoded = Convert.TryFromBase64String(base64 ?? "", bytes, out var length) && length >= AuthOptions.LeastKeyBytes;
        bytes = bytes[..length];
        return decoded;
    }
}
