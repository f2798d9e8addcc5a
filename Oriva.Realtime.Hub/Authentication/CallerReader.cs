using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Reads who is asking from a token whose signature and lifetime have been checked. What an identity provider also says and this service does not know
/// (other roles, ids that can be no app) is left out, so that every value of a <see cref="Caller"/> has the contract's form.
/// </summary>
internal sealed class CallerReader(IOptions<AuthOptions> options)
{
    private const int LongestEmail = 320;
    private const int LongestLocale = 35;

    private readonly ClaimNames _claims = options.Value.Claims;

    /// <param name="scheme">Which of the <see cref="BearerSchemes"/> has checked the token.</param>
    /// <returns>The caller, or a fault whose message may be shown to the token's holder.</returns>
    public Outcome<Caller> Read(JsonWebToken token, string scheme)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return AuthenticationFaults.Unauthenticated("The token's payload cannot be read.");
        }

        using (document)
        {
            return Read(document.RootElement, token.ValidTo, scheme);
        }
    }

    private Outcome<Caller> Read(JsonElement payload, DateTime validTo, string scheme)
    {
        var sub = ReadText(payload, _claims.Sub, Names.MaxIdLength);
        if (!Names.IsId(sub))
            return AuthenticationFaults.Unauthenticated($"The token's '{_claims.Sub}' must be a user id: 1 to 128 printable characters without space or '/'.");

        string[] apps = [.. ReadNames(payload, _claims.Apps).Where(Names.IsApp)];
        var roles = ReadNames(payload, _claims.Roles).Concat(scheme == BearerSchemes.Development ? ReadNames(payload, UserJwts.RoleClaim) : [])
            .Where(role => role is Caller.PublisherRole or Caller.AdminRole).Distinct(StringComparer.Ordinal);
        string[] topics = [.. ReadNames(payload, _claims.Topics).Where(IsTopicClaim)];
        return new Caller(sub!, apps, [.. roles], topics)
        {
            ExpiresAt = new DateTimeOffset(validTo, TimeSpan.Zero),
            Email = ReadText(payload, _claims.Email, LongestEmail),
            Locale = ReadText(payload, _claims.Locale, LongestLocale),
        };
    }

    /// <summary><c>app/topic</c>, where the topic may be a pattern.</summary>
    public static bool IsTopicClaim(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && Names.IsApp(text[..slash]) && Pattern.TryParseTopic(text[(slash + 1)..], out _);
    }

    /// <summary>An array of strings, or one string with names separated by spaces or commas, as <c>scope</c> has them: none of our names contains either.</summary>
    private static IEnumerable<string> ReadNames(JsonElement payload, string path)
    {
        IEnumerable<string> names = ClaimPath.Find(payload, path) switch
        {
            { ValueKind: JsonValueKind.String } text => text.GetString()!.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries),
            { ValueKind: JsonValueKind.Array } array =>
                array.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!),
            _ => [],
        };
        return names.Distinct(StringComparer.Ordinal);
    }

    /// <summary>A string or a number (some providers number their users); null when it is missing, too long or not printable.</summary>
    private static string? ReadText(JsonElement payload, string path, int longest)
    {
        var text = ClaimPath.Find(payload, path) switch
        {
            { ValueKind: JsonValueKind.String } found => found.GetString()!,
            { ValueKind: JsonValueKind.Number } found => found.GetRawText(),
            _ => "",
        };
        return text.Length > 0 && text.Length <= longest && !text.Any(char.IsControl) ? text : null;
    }
}
