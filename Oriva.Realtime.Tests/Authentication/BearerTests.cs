using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class BearerTests
{
    private const string Ada = """{"sub":"ada","apps":["work-buddy"]}""";

    [Fact]
    public async Task GoodToken_IsLetIn()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        var caller = await host.CallAsync(host.Sign("""{"sub":"ada","apps":["work-buddy"],"roles":["admin"],"topics":["work-buddy/team-*"],"email":"a@b.c","locale":"de"}"""));

        caller.Sub.ShouldBe("ada");
        caller.Apps.ShouldBe(["work-buddy"]);
        caller.Roles.ShouldBe(["admin"]);
        caller.Topics.ShouldBe(["work-buddy/team-*"]);
        caller.Email.ShouldBe("a@b.c");
        caller.Locale.ShouldBe("de");
        caller.ExpiresAt.ShouldBe(host.Time.GetUtcNow().AddSeconds(60));
    }

    [Fact]
    public async Task NoToken_IsAnswered401WithAChallenge()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        using var response = await host.GetAsync("/me");

        (await AuthenticationHost.ReadProblemAsync(response, 401, "unauthenticated")).ShouldBe("A bearer token is required.");
        response.Headers.WwwAuthenticate.Single().ToString().ShouldBe("Bearer");
    }

    [Fact]
    public async Task BadToken_IsAnswered401WithWhatIsWrong()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        using var response = await host.GetAsync("/me", host.Sign(Ada, expiresInSeconds: -11));

        (await AuthenticationHost.ReadProblemAsync(response, 401, "unauthenticated")).ShouldBe("The token has expired.");
        response.Headers.WwwAuthenticate.Single().ToString().ShouldStartWith("Bearer error=\"invalid_token\", error_description=\"The token expired at");
    }

    [Fact]
    public async Task AGoodToken_IsRefusedFromItsExpiryOn()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var token = host.Sign(Ada, expiresInSeconds: 30);
        (await host.CallAsync(token)).Sub.ShouldBe("ada");

        // Clocks may differ by ten seconds.
        host.Time.Advance(TimeSpan.FromSeconds(39));
        (await host.CallAsync(token)).Sub.ShouldBe("ada");
        host.Time.Advance(TimeSpan.FromSeconds(2));

        using var response = await host.GetAsync("/me", token);
        (await AuthenticationHost.ReadProblemAsync(response, 401, "unauthenticated")).ShouldBe("The token has expired.");
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("a.b.c")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.e30.")]
    [InlineData("....")]
    public async Task Garbage_IsRefused(string token)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        await host.RefuseAsync(token);
    }

    [Fact]
    public async Task Clocks_MayDifferByTenSeconds()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var now = host.Time.GetUtcNow().ToUnixTimeSeconds();

        await host.CallAsync(host.Sign(Ada, expiresInSeconds: -10));
        await host.CallAsync(host.Sign($$"""{"sub":"ada","nbf":{{now + 10}}}"""));

        (await host.RefuseAsync(host.Sign($$"""{"sub":"ada","nbf":{{now + 11}}}"""))).ShouldBe("The token is not valid yet.");
    }

    [Fact]
    public async Task SignatureThatProvesNothing_IsRefused()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var payload = Tokens.WithExpiry(Ada, host.Time.GetUtcNow(), 60);

        (await host.RefuseAsync(host.Sign(Ada, secret: "another secret, also 32 bytes and more"))).ShouldBe("The token is not signed with a key that is trusted here.");
        await host.RefuseAsync(Tokens.Unsigned(payload));
        await host.RefuseAsync(Tokens.Sign(payload, AuthenticationHost.Secret + AuthenticationHost.Secret, SecurityAlgorithms.HmacSha512));
        await host.RefuseAsync(Tokens.Sign(payload, Tokens.MakeRsaKey("mine")));
        var good = host.Sign(Ada);
        await host.RefuseAsync(good[..^5] + "AAAAA");
    }

    [Fact]
    public async Task TokenWithoutExpiry_IsRefused()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        (await host.RefuseAsync(Tokens.Sign(Ada, AuthenticationHost.Secret))).ShouldBe("The token has no expiry.");
    }

    [Fact]
    public async Task IssuerAndAudience_AreChecked_WhenConfigured()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync(("Auth:Issuer", "https://id.example"), ("Auth:Audience", "realtime"));

        await host.CallAsync(host.Sign("""{"sub":"ada","iss":"https://id.example","aud":["other","realtime"]}"""));

        (await host.RefuseAsync(host.Sign("""{"sub":"ada","iss":"https://evil.example","aud":"realtime"}"""))).ShouldBe("The token comes from another issuer.");
        (await host.RefuseAsync(host.Sign("""{"sub":"ada","iss":"https://id.example","aud":"other"}"""))).ShouldBe("The token is meant for another audience.");
        await host.RefuseAsync(host.Sign("""{"sub":"ada","iss":"https://id.example"}"""));
        await host.RefuseAsync(host.Sign("""{"sub":"ada","aud":"realtime"}"""));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"sub":""}""")]
    [InlineData("""{"sub":"ada lovelace"}""")]
    [InlineData("""{"sub":"ada/x"}""")]
    [InlineData("""{"sub":null}""")]
    public async Task TokenWithoutAUserId_IsRefused(string claims)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        (await host.RefuseAsync(host.Sign(claims))).ShouldContain("must be a user id");
    }

    [Theory]
    [InlineData("/hubs/realtime/negotiate", true)]
    [InlineData("/api/v1/events/stream", true)]
    [InlineData("/me", false)]
    [InlineData("/api/v1/events/streams", false)]
    [InlineData("/api/v1/events/stream/more", false)]
    public async Task TokenInTheQuery_Counts_OnlyWhereNoHeaderCanBeSet(string path, bool allowed)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var token = host.Sign(Ada);

        using var inQuery = await host.GetAsync($"{path}?access_token={token}");
        using var inHeader = await host.GetAsync(path, token);

        inQuery.StatusCode.ShouldBe(allowed ? HttpStatusCode.OK : HttpStatusCode.Unauthorized);
        inHeader.StatusCode.ShouldBe(HttpStatusCode.OK);
        host.Log.ToString().ShouldNotContain(token.Split('.')[2]);
    }

    [Fact]
    public async Task SchemeOfTheHeader_IsBearerInAnyCase()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        using var lower = new HttpRequestMessage(HttpMethod.Get, "/me") { Headers = { Authorization = new AuthenticationHeaderValue("bearer", host.Sign(Ada)) } };
        using var basic = new HttpRequestMessage(HttpMethod.Get, "/me") { Headers = { Authorization = new AuthenticationHeaderValue("Basic", "YTpi") } };

        using var accepted = await host.Client.SendAsync(lower, TestContext.Current.CancellationToken);
        using var refused = await host.Client.SendAsync(basic, TestContext.Current.CancellationToken);

        accepted.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await AuthenticationHost.ReadProblemAsync(refused, 401, "unauthenticated")).ShouldBe("A bearer token is required.");
    }

    [Fact]
    public async Task EventSource_IsToldWhyItIsRefused()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/events/stream?access_token=") { Headers = { Accept = { new("text/event-stream") } } };

        using var response = await host.Client.SendAsync(request, TestContext.Current.CancellationToken);

        (await AuthenticationHost.ReadProblemAsync(response, 401, "unauthenticated")).ShouldBe("A bearer token is required.");
    }

    [Fact]
    public async Task BadToken_LeavesAnAnonymousEndpointOpen()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        using var response = await host.GetAsync("/anyone", "garbage");

        response.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Policies_LetRolesIn_AndAnswerOthers403()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var (user, publisher, admin) = (host.Sign(Ada), host.Sign("""{"sub":"hr","roles":"publisher"}"""), host.Sign("""{"sub":"ops","roles":["admin"]}"""));

        await host.RefuseAsync(user, 403, "forbidden", "/admin");
        await host.RefuseAsync(publisher, 403, "forbidden", "/admin");
        await host.RefuseAsync(user, 403, "forbidden", "/publisher");
        await host.RefuseAsync(null, 401, "unauthenticated", "/admin");
        foreach (var (path, token) in new[] { ("/admin", admin), ("/publisher", admin), ("/publisher", publisher) })
        {
            using var response = await host.GetAsync(path, token);
            response.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    [Theory]
    [InlineData(HttpTransportType.LongPolling)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    public async Task HubConnection_HasTheCallerAndItsUserId(HttpTransportType transport)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        await using var connection = new HubConnectionBuilder().WithUrl("http://localhost/hubs/probe", options =>
        {
            options.Transports = transport;
            options.HttpMessageHandlerFactory = _ => host.CreateHandler();
            options.AccessTokenProvider = () => Task.FromResult<string?>(host.Sign(Ada));
        }).Build();

        await connection.StartAsync(TestContext.Current.CancellationToken);

        (await connection.InvokeAsync<string[]>("WhoAmI", TestContext.Current.CancellationToken)).ShouldBe(["ada", "ada", "work-buddy"]);
    }

    [Fact]
    public async Task RenewedToken_IsCheckedByTheSameRules()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();
        var validator = host.Services.GetRequiredService<TokenValidator>();

        var good = await validator.ValidateAsync(host.Sign(Ada), TestContext.Current.CancellationToken);
        var late = await validator.ValidateAsync(host.Sign(Ada, expiresInSeconds: -11), TestContext.Current.CancellationToken);
        var garbage = await validator.ValidateAsync("garbage", TestContext.Current.CancellationToken);
        var nobody = await validator.ValidateAsync(host.Sign("{}"), TestContext.Current.CancellationToken);

        good.Value!.Sub.ShouldBe("ada");
        good.Value.ExpiresAt.ShouldBe(host.Time.GetUtcNow().AddSeconds(60));
        late.Fault.ShouldBe(AuthenticationFaults.Unauthenticated("The token has expired."));
        garbage.Fault!.Code.ShouldBe("unauthenticated");
        nobody.Fault!.Message.ShouldContain("must be a user id");
    }
}
