using Microsoft.AspNetCore.Authorization;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Names of authorization policies. Without one, an endpoint that requires authorization takes any authenticated caller.</summary>
internal static class Policies
{
    /// <summary>Callers with the role <c>admin</c>.</summary>
    public const string Admin = "admin";

    /// <summary>Callers with the role <c>publisher</c> or <c>admin</c>.</summary>
    public const string Publisher = "publisher";

    public static void Add(AuthorizationOptions options)
    {
        options.DefaultPolicy = new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build();
        options.AddPolicy(Admin, policy => policy.RequireAuthenticatedUser().RequireAssertion(context => context.User.FindCaller() is { IsAdmin: true }));
        options.AddPolicy(Publisher, policy => policy.RequireAuthenticatedUser().RequireAssertion(context => context.User.FindCaller() is { IsPublisher: true }));
    }
}
