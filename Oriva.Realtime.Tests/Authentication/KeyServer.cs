using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Tests.Authentication;

/// <summary>An identity provider's public side, on a port of its own: a JWKS document and OpenID discovery.</summary>
internal sealed class KeyServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _fetches;

    private KeyServer(WebApplication app) => _app = app;

    public List<RsaSecurityKey> Keys { get; } = [Tokens.MakeRsaKey("first")];

    public bool IsDown { get; set; }

    public int Fetches => _fetches;

    public string Address => _app.Urls.Single();

    public string JwksUri => Address + "/keys";

    public string Issuer => Address + "/";

    public static async Task<KeyServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new KeyServer(builder.Build());
        server._app.MapGet("/keys", server.GetKeys);
        server._app.MapGet("/.well-known/openid-configuration", server.GetDiscovery);
        await server._app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private IResult GetKeys()
    {
        Interlocked.Increment(ref _fetches);
        var keys = Keys.Select(key => JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(key.Rsa.ExportParameters(false)) { KeyId = key.KeyId }));
        return IsDown
            ? Results.StatusCode(StatusCodes.Status500InternalServerError)
            : Results.Json(new { keys = keys.Select(key => new { kty = key.Kty, kid = key.Kid, n = key.N, e = key.E, use = "sig" }) });
    }

    private IResult GetDiscovery() => IsDown
        ? Results.StatusCode(StatusCodes.Status500InternalServerError)
        : Results.Json(new { issuer = Issuer, jwks_uri = JwksUri });
}
