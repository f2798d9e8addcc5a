using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Oriva.Realtime.Bench.Load;

/// <summary>Signs claims as a token (RFC 7519, HS256).</summary>
internal static class Jwt
{
    private static readonly string s_head = Base64Url.EncodeToString("""{"alg":"HS256","typ":"JWT"}"""u8);

    /// <param name="key">A text whose UTF-8 bytes are the key, as the hub's <c>Auth:SymmetricKey</c>.</param>
    public static string Sign<T>(string key, T claims)
    {
        var content = s_head + "." + Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims));
        return content + "." + Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.ASCII.GetBytes(content)));
    }
}
