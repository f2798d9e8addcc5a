using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Authentication;

public sealed class TokenCommandTests
{
    [Fact]
    public async Task PrintedToken_IsGood()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        var (exitCode, output, error) = Run(host,
            "--create-token", "--sub", "ada", "--apps", "work-buddy, live-mixers", "--roles", "publisher", "--topics", "work-buddy/team-*,live-mixers/*",
            "--email", "a@b.c", "--locale=de", "--expires", "120");

        exitCode.ShouldBe(0, error);
        error.ShouldBeEmpty();
        output.TrimEnd().ShouldNotContain(Environment.NewLine);
        var caller = await host.CallAsync(output.TrimEnd());
        caller.Sub.ShouldBe("ada");
        caller.Apps.ShouldBe(["work-buddy", "live-mixers"]);
        caller.Roles.ShouldBe(["publisher"]);
        caller.Topics.ShouldBe(["work-buddy/team-*", "live-mixers/*"]);
        caller.Email.ShouldBe("a@b.c");
        caller.Locale.ShouldBe("de");
        caller.ExpiresAt.ShouldBe(host.Time.GetUtcNow().AddSeconds(120));
    }

    [Fact]
    public async Task PrintedToken_IsGood_WithTheKeyThatDevelopmentMade()
    {
        await using var host = await AuthenticationHost.StartAsync("Development");

        var (exitCode, output, _) = Run(host, "--environment", "Development", "--create-token", "--sub", "ada", "--Limits:BatchEvents=5", "--Limits:PayloadBytes", "9");

        exitCode.ShouldBe(0);
        (await host.CallAsync(output.TrimEnd())).Sub.ShouldBe("ada");
    }

    [Fact]
    public async Task OtherCommandLines_AreLeftAlone()
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        TokenCommand.TryRun(["--migrate"], host.Services.GetRequiredService<IConfiguration>(), host.Services.GetRequiredService<IHostEnvironment>(),
            host.Time, TextWriter.Null, TextWriter.Null, out var exitCode).ShouldBeFalse();
        exitCode.ShouldBe(0);
    }

    [Theory]
    [InlineData("--sub: A user id is required", "--create-token")]
    [InlineData("--sub needs a value", "--create-token", "--sub")]
    [InlineData("--apps: 'No App' is no app id", "--create-token", "--sub", "ada", "--apps", "work-buddy,No App")]
    [InlineData("--roles: 'root'", "--create-token", "--sub", "ada", "--roles", "root")]
    [InlineData("--expires: Must be a whole number", "--create-token", "--sub", "ada", "--expires", "soon")]
    [InlineData("--app is unknown", "--create-token", "--sub", "ada", "--app", "work-buddy")]
    [InlineData("Usage: --create-token --sub USER", "--create-token")]
    public async Task WrongCommandLine_IsExplained(string expected, params string[] args)
    {
        await using var host = await AuthenticationHost.StartWithSecretAsync();

        var (exitCode, output, error) = Run(host, args);

        exitCode.ShouldBe(1);
        output.ShouldBeEmpty();
        error.ShouldContain(expected);
    }

    [Fact]
    public void KeysOfAnIdentityProvider_SignNothingHere()
    {
        var (exitCode, output, error) = Run(("Auth:Authority", "https://id.example"));

        exitCode.ShouldBe(1);
        output.ShouldBeEmpty();
        error.ShouldContain("only with Auth:SymmetricKey");
    }

    [Fact]
    public void WrongKeys_AreNamed()
    {
        var (exitCode, _, error) = Run(("Auth:SymmetricKey", "short"));

        exitCode.ShouldBe(1);
        error.ShouldContain("Auth:SymmetricKey must be at least 32 bytes long");
    }

    private static (int ExitCode, string Output, string Error) Run(AuthenticationHost host, params string[] args) =>
        Run(args, host.Services.GetRequiredService<IConfiguration>(), host.Services.GetRequiredService<IHostEnvironment>(), host.Time);

    private static (int ExitCode, string Output, string Error) Run((string Key, string? Value) setting)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create(setting.Key, setting.Value)]).Build();
        var environment = new HostingEnvironment { EnvironmentName = "Production", ContentRootPath = Path.GetTempPath(), ContentRootFileProvider = new NullFileProvider() };
        return Run(["--create-token", "--sub", "ada"], configuration, environment, TimeProvider.System);
    }

    private static (int ExitCode, string Output, string Error) Run(string[] args, IConfiguration configuration, IHostEnvironment environment, TimeProvider time)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        TokenCommand.TryRun(args, configuration, environment, time, output, error, out var exitCode).ShouldBeTrue();
        return (exitCode, output.ToString(), error.ToString());
    }
}
