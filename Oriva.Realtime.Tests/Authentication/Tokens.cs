using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Tests.Authentication;

/// <summary>Tokens as others would make them.</summary>
internal static class Tokens
{
    private static readonly JsonWebTokenHandler s_handler = new() { SetDefaultTimesOnTokenCreation = false };

    public static string WithExpiry(string claims, DateTimeOffset now, int expiresInSeconds)
    {
        var payload = JsonNode.Parse(claims)!.AsObject();
        payload["exp"] = now.ToUnixTimeSeconds() + expiresInSeconds;
        return payload.ToJsonString();
    }

    public static string Sign(string payload, string secret, string algorithm = SecurityAlgorithms.HmacSha256) =>
        Sign(payload, Encoding.UTF8.GetBytes(secret), algorithm);

    public static string Sign(string payload, byte[] secret, string algorithm = SecurityAlgorithms.HmacSha256) =>
        s_handler.CreateToken(payload, new SigningCredentials(new SymmetricSecurityKey(secret), algorithm));

    public static string Sign(string payload, RsaSecurityKey key) =>
        s_handler.CreateToken(payload, new SigningCredentials(key, SecurityAlgorithms.RsaSha256));

    public static string Unsigned(string payload) => s_handler.CreateToken(payload);

    public static RsaSecurityKey MakeRsaKey(string id) => new(RSA.Create(2048)) { KeyId = id };
}
