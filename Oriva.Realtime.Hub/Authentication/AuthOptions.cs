namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Whose tokens are believed. Section <c>Auth</c>. Exactly one of <see cref="Authority"/>, <see cref="JwksUri"/> and <see cref="SymmetricKey"/> is set; in
/// Development a key is made when none is.
/// </summary>
internal sealed class AuthOptions
{
    public const string Section = "Auth";

    /// <summary>Fewer bytes than the HMAC's output would be the weakest part of the signature (RFC 7518, 3.2).</summary>
    public const int LeastKeyBytes = 32;

    /// <summary>An OpenID provider: its discovery document names the keys, and the issuer unless <see cref="Issuer"/> does.</summary>
    public string? Authority { get; set; }

    /// <summary>A JWKS document, where there is no discovery.</summary>
    public string? JwksUri { get; set; }

    /// <summary>A secret shared with whoever signs the tokens (HS256): its UTF-8 bytes are the key, at least <see cref="LeastKeyBytes"/> of them.</summary>
    public string? SymmetricKey { get; set; }

    /// <summary>What <c>iss</c> must be; unset: what the authority says, or anything.</summary>
    public string? Issuer { get; set; }

    /// <summary>What <c>aud</c> must contain; unset: anything.</summary>
    public string? Audience { get; set; }

    /// <summary>Where the token has what this service needs.</summary>
    public ClaimNames Claims { get; set; } = new();
}

/// <summary>Claim names, or dotted paths into the token's payload: <c>app_metadata.apps</c>. See <see cref="ClaimPath"/>.</summary>
internal sealed class ClaimNames
{
    public string Sub { get; set; } = "sub";

    public string Apps { get; set; } = "apps";

    public string Roles { get; set; } = "roles";

    public string Topics { get; set; } = "topics";

    public string Email { get; set; } = "email";

    public string Locale { get; set; } = "locale";
}
