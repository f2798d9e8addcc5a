using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>Tokens that every hub of the tests believes.</summary>
internal static class Tokens
{
    public const string Key = "a-signing-key-of-tests-which-is-no-secret";

    private static readonly TokenIssuer s_issuer = new(Options.Create(new AuthOptions { SymmetricKey = Key }), TimeProvider.System);

    public static string Of(TokenRequest request) => s_issuer.Issue(request).Token;

    /// <param name="topics">Of the form <c>app/topic</c>.</param>
    public static string User(string sub, string app, params string[] topics) => Of(new TokenRequest(sub) { Apps = [app], Topics = topics });

    public static string Publisher(params string[] apps) => Of(new TokenRequest("back-end") { Apps = apps, Roles = [Caller.PublisherRole] });

    public static string Admin() => Of(new TokenRequest("root") { Roles = [Caller.AdminRole] });
}
