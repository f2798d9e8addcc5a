using Microsoft.Extensions.DependencyInjection;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class KeyServerTests
{
    private const string Ada = """{"sub":"ada","apps":["work-buddy"]}""";

    [Fact]
    public async Task KeysOfAJwksDocument_AreBelieved()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:JwksUri", server.JwksUri));

        (await host.CallAsync(Sign(host, server.Keys[0]))).Sub.ShouldBe("ada");
        await host.CallAsync(Sign(host, server.Keys[0], """{"sub":"ada","iss":"anybody"}"""));

        await host.RefuseAsync(Sign(host, Tokens.MakeRsaKey("first")));
        server.Fetches.ShouldBe(1);
    }

    [Fact]
    public async Task PublicKey_IsNoSecretToSignWith()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:JwksUri", server.JwksUri));
        var payload = Tokens.WithExpiry(Ada, host.Time.GetUtcNow(), 60);
        var rsa = server.Keys[0].Rsa;

        await host.CallAsync(Sign(host, server.Keys[0]));
        await host.RefuseAsync(Tokens.Sign(payload, rsa.ExportSubjectPublicKeyInfoPem()));
        await host.RefuseAsync(Tokens.Sign(payload, rsa.ExportSubjectPublicKeyInfo()));
        await host.RefuseAsync(Tokens.Sign(payload, rsa.ExportParameters(false).Modulus!));
        await host.RefuseAsync(Tokens.Unsigned(payload));
    }

    [Fact]
    public async Task Authority_NamesItsKeysAndItsIssuer()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:Authority", server.Issuer), ("Auth:Audience", "realtime"));

        await host.CallAsync(Sign(host, server.Keys[0], $$"""{"sub":"ada","iss":"{{server.Issuer}}","aud":"realtime"}"""));

        (await host.RefuseAsync(Sign(host, server.Keys[0], """{"sub":"ada","iss":"https://evil.example","aud":"realtime"}"""))).ShouldBe("The token comes from another issuer.");
        (await host.RefuseAsync(Sign(host, server.Keys[0], $$"""{"sub":"ada","iss":"{{server.Issuer}}","aud":"other"}"""))).ShouldBe("The token is meant for another audience.");
    }

    [Fact]
    public async Task ConfiguredIssuer_TakesThePlaceOfTheAuthoritys()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:Authority", server.Address), ("Auth:Issuer", "https://tenant.example"));

        await host.CallAsync(Sign(host, server.Keys[0], """{"sub":"ada","iss":"https://tenant.example"}"""));

        await host.RefuseAsync(Sign(host, server.Keys[0], $$"""{"sub":"ada","iss":"{{server.Issuer}}"}"""));
    }

    [Fact]
    public async Task FirstTokenOfANewKey_IsLetIn()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:JwksUri", server.JwksUri));
        var validator = host.Services.GetRequiredService<TokenValidator>();
        await host.CallAsync(Sign(host, server.Keys[0]));

        server.Keys.Add(Tokens.MakeRsaKey("second"));
        host.Time.Advance(TimeSpan.FromSeconds(30));
        await host.CallAsync(Sign(host, server.Keys[1]));

        server.Keys.Add(Tokens.MakeRsaKey("third"));
        host.Time.Advance(TimeSpan.FromSeconds(30));
        (await validator.ValidateAsync(Sign(host, server.Keys[2]), TestContext.Current.CancellationToken)).Value!.Sub.ShouldBe("ada");
        server.Fetches.ShouldBe(3);
    }

    [Fact]
    public async Task OutageBeforeTheFirstKeys_IsAnswered503_AndPasses()
    {
        await using var server = await KeyServer.StartAsync();
        server.IsDown = true;
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:JwksUri", server.JwksUri));
        var token = Sign(host, server.Keys[0]);

        using var response = await host.GetAsync("/me", token);
        await AuthenticationHost.ReadProblemAsync(response, 503, "unavailable");
        response.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
        response.Headers.WwwAuthenticate.ShouldBeEmpty();
        var renewed = await host.Services.GetRequiredService<TokenValidator>().ValidateAsync(token, TestContext.Current.CancellationToken);
        renewed.Fault!.Code.ShouldBe("unavailable");
        host.Log.ToString().ShouldContain("Warning: The signing keys cannot be fetched from " + server.JwksUri);
        await host.RefuseAsync(null);

        server.IsDown = false;
        host.Time.Advance(TimeSpan.FromSeconds(1));
        await host.CallAsync(token);
    }

    [Fact]
    public async Task OutageLater_LeavesTheKnownKeys_AndMakesUnknownOnes503()
    {
        await using var server = await KeyServer.StartAsync();
        await using var host = await AuthenticationHost.StartAsync("Development", ("Auth:Authority", server.Address));
        var claims = $$"""{"sub":"ada","iss":"{{server.Issuer}}"}""";
        await host.CallAsync(Sign(host, server.Keys[0], claims));

        server.IsDown = true;
        host.Time.Advance(TimeSpan.FromSeconds(30));
        await host.RefuseAsync(Sign(host, Tokens.MakeRsaKey("rotated"), claims), 503, "unavailable");
        await host.CallAsync(Sign(host, server.Keys[0], claims));
        (await host.RefuseAsync(Sign(host, server.Keys[0], """{"sub":"ada","iss":"https://evil.example"}"""))).ShouldBe("The token comes from another issuer.");

        server.IsDown = false;
        host.Time.Advance(TimeSpan.FromSeconds(30));
        await host.RefuseAsync(Sign(host, Tokens.MakeRsaKey("invented"), claims));
    }

    [Fact]
    public async Task HttpForKeys_IsRefused_OutsideDevelopment()
    {
        await using var server = await KeyServer.StartAsync();

        var wrong = await Should.ThrowAsync<Hub.Configuration.ConfigurationException>(() => AuthenticationHost.StartAsync("Production", ("Auth:JwksUri", server.JwksUri)));

        wrong.Message.ShouldContain("Auth:JwksUri must be an absolute https address");
    }

    private static string Sign(AuthenticationHost host, Microsoft.IdentityModel.Tokens.RsaSecurityKey key, string claims = Ada) =>
        Tokens.Sign(Tokens.WithExpiry(claims, host.Time.GetUtcNow(), 60), key);
}
