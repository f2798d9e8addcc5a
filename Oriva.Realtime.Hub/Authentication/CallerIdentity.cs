using System.Security.Claims;
using Microsoft.AspNetCore.SignalR;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>Carries the <see cref="Caller"/> with the principal to wherever that goes: a request's user, a connection's, a circuit's.</summary>
internal sealed class CallerIdentity : ClaimsIdentity
{
    private const string SubClaim = "sub";
    private const string RoleClaim = "role";

    public CallerIdentity(Caller caller)
        : base(ToClaims(caller), "Bearer", SubClaim, RoleClaim)
    {
        Caller = caller;
    }

    public Caller Caller { get; }

    public override ClaimsIdentity Clone() => new CallerIdentity(Caller);

    private static IEnumerable<Claim> ToClaims(Caller caller) =>
        caller.Roles.Select(role => new Claim(RoleClaim, role)).Prepend(new Claim(SubClaim, caller.Sub));
}

internal static class CallerExtensions
{
    /// <exception cref="InvalidOperationException">Nobody has been authenticated: the endpoint lacks its authorization.</exception>
    public static Caller GetCaller(this ClaimsPrincipal principal) =>
        principal.FindCaller() ?? throw new InvalidOperationException("The request has no caller; its endpoint must require authorization.");

    public static Caller? FindCaller(this ClaimsPrincipal principal) => principal.Identities.OfType<CallerIdentity>().FirstOrDefault()?.Caller;
}

/// <summary>SignalR's user is the token's, so that <c>Clients.User(sub)</c> reaches all of a user's connections.</summary>
internal sealed class CallerUserIdProvider : IUserIdProvider
{
    public string? GetUserId(HubConnectionContext connection) => connection.User?.FindCaller()?.Sub;
}
