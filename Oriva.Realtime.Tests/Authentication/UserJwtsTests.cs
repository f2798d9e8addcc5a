using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class UserJwtsTests
{
    private static readonly byte[] s_key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    // As `dotnet user-jwts create` of SDK 10.0.401 leaves them in the user secrets and in appsettings.Development.json.
    private static readonly (string Key, string? Value)[] s_settings =
    [
        ("Authentication:Schemes:Bearer:ValidIssuer", "dotnet-user-jwts"),
        ("Authentication:Schemes:Bearer:ValidAudiences:0", "http://localhost:5080"),
        ("Authentication:Schemes:Bearer:SigningKeys:0:Id", "d2100628"),
        ("Authentication:Schemes:Bearer:SigningKeys:0:Issuer", "dotnet-user-jwts"),
        ("Authentication:Schemes:Bearer:SigningKeys:0:Value", Convert.ToBase64String(s_key)),
        ("Authentication:Schemes:Bearer:SigningKeys:0:Length", "32"),
    ];

    [Theory]
    [InlineData(""" "apps":"work-buddy","roles":"publisher" """)]
    [InlineData(""" "apps":["work-buddy"],"roles":["publisher"] """)]
    [InlineData(""" "apps":"work-buddy","role":"publisher" """)]
    [InlineData(""" "apps":"work-buddy","role":["publisher"] """)]
    public async Task Token_IsAccepted_InDevelopment(string claims)
    {
        await using var host = await AuthenticationHost.StartAsync("Development", s_settings);

        var caller = await host.CallAsync(Sign(host, claims));

        caller.Sub.ShouldBe("ada");
        caller.Apps.ShouldBe(["work-buddy"]);
        caller.Roles.ShouldBe(["publisher"]);
        var renewed = await host.Services.GetRequiredService<TokenValidator>().ValidateAsync(Sign(host, claims), TestContext.Current.CancellationToken);
        renewed.Value!.Roles.ShouldBe(["publisher"]);
    }

    [Fact]
    public async Task Token_IsAccepted_BesideOtherKeys()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", [("Auth:Authority", server.Address), ("Auth:Audience", "realtime"), .. s_settings]);

        (await host.CallAsync(Sign(host, "\"apps\":[]"))).Sub.ShouldBe("ada");
        server.Fetches.ShouldBe(0);
    }

    [Fact]
    public async Task Token_IsRefused_OutsideDevelopment()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync(s_settings);

        await host.RefuseAsync(Sign(host, "\"apps\":\"work-buddy\""));
    }

    [Fact]
    public async Task TokenOfAnotherAudienceOrKey_IsRefused()
    {
        await using var host = await AuthenticationHost.StartAsync("Development", s_settings);

        (await host.RefuseAsync(Sign(host, "\"apps\":[]", audience: "http://localhost:9999"))).ShouldBe("The token is meant for another audience.");
        await host.RefuseAsync(Tokens.Sign(Payload(host, "\"apps\":[]"), new byte[32]));
        await host.RefuseAsync(Tokens.Unsigned(Payload(host, "\"apps\":[]")));
    }

    [Fact]
    public async Task EachKey_SpeaksForItsOwnIssuerOnly()
    {
        await using var host = await AuthenticationHost.StartAsync("Development", [("Auth:SymmetricKey", AuthenticationHost.Secret), .. s_settings]);

        await host.RefuseAsync(Tokens.Sign(Payload(host, "\"apps\":[]"), AuthenticationHost.Secret));
        await host.RefuseAsync(Tokens.Sign(Tokens.WithExpiry("""{"sub":"ada","aud":"http://localhost:5080"}""", host.Time.GetUtcNow(), 60), s_key));
    }

    private static string Sign(AuthenticationHost host, string claims, string audience = "http://localhost:5080") =>
        Tokens.Sign(Payload(host, claims, audience), s_key);

    private static string Payload(AuthenticationHost host, string claims, string audience = "http://localhost:5080") => Tokens.WithExpiry(
        $$"""{"unique_name":"ada","sub":"ada","jti":"f36af20e",{{claims}},"aud":{{JsonSerializer.Serialize(audience)}},"iss":"dotnet-user-jwts"}""", host.Time.GetUtcNow(), 60);
}
