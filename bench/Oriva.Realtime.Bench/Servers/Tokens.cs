using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>Signs tokens with the key that the hub is started with (RFC 7519, HS256), because asking the hub for thousands of them would take longer than a round.</summary>
internal sealed class Tokens
{
    private static readonly string s_head = Base64Url.EncodeToString("""{"alg":"HS256","typ":"JWT"}"""u8);
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(1);

    private readonly DateTimeOffset _expiresAt = TimeProvider.System.GetUtcNow() + s_lifetime;

    /// <summary>A text whose UTF-8 bytes are the key.</summary>
    public string Key { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));

    public string Sign(string user, params string[] roles)
    {
        var claims = new { sub = user, apps = new[] { OursTarget.App }, roles, exp = _expiresAt.ToUnixTimeSeconds() };
        var content = s_head + "." + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims));
        return content + "." + Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Key), Encoding.ASCII.GetBytes(content)));
    }
}
