using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lib.Net.Http.WebPush.Authentication;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>
/// Who we are, for push services (VAPID, RFC 8292): one signed token for each, used until half of its life is over. To the library this is a cache that knows
/// every token; its own would go by the machine's clock.
/// </summary>
internal sealed class VapidTokens(string privateKey, string subject, TimeProvider time) : IVapidTokenCache, IDisposable
{
    /// <summary>RFC 8292 allows a day.</summary>
    private static readonly TimeSpan s_life = TimeSpan.FromHours(12);

    /// <summary>Bounds the memory: browsers name their push services themselves.</summary>
    private const int MostAudiences = 1_000;

    private static readonly string s_header = Base64Url.EncodeToString("""{"typ":"JWT","alg":"ES256"}"""u8);

    private readonly ConcurrentDictionary<string, (string Token, DateTimeOffset RenewAt)> _tokens = new(StringComparer.Ordinal);
    private readonly ECDsa _key = P256.Import(privateKey);

    /// <param name="audience">A push service's origin.</param>
    public string Get(string audience)
    {
        var now = time.GetUtcNow();
        if (_tokens.TryGetValue(audience, out var known) && now < known.RenewAt)
            return known.Token;
        if (_tokens.Count >= MostAudiences)
            _tokens.Clear();
        var token = Sign(audience, now + s_life);
        _tokens[audience] = (token, now + (s_life / 2));
        return token;
    }

    public void Put(string audience, DateTimeOffset expiration, string token)
    {
        // The library puts what it did not get.
    }

    public void Dispose() => _key.Dispose();

    private string Sign(string audience, DateTimeOffset expiry)
    {
        var claims = JsonSerializer.SerializeToUtf8Bytes(new { aud = audience, exp = expiry.ToUnixTimeSeconds(), sub = subject });
        var signed = $"{s_header}.{Base64Url.EncodeToString(claims)}";
        // Several deliveries are under way at once, and a key is not made for that.
        lock (_key)
            return $"{signed}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    /// <summary>The library leaves the port out of the audience; an origin has it unless it is the scheme's own.</summary>
    internal sealed class WithPort(VapidAuthentication vapid, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri is { IsDefaultPort: false } uri)
                request.Headers.Authorization = new AuthenticationHeaderValue("vapid", vapid.GetVapidSchemeAuthenticationHeaderValueParameter(uri.GetLeftPart(UriPartial.Authority)));
            return base.SendAsync(request, cancellationToken);
        }
    }
}
