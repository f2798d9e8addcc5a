using System.Globalization;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Apps;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Adds the problem+json body to 401 (whose <c>WWW-Authenticate</c> stays as the scheme wrote it) and 403, and answers 503 where 401 would be a guess.
/// Whatever requires authorization refuses blocked users here: the API, negotiation, and the hub's own requests.
/// </summary>
internal sealed class RefusalWriter(UserBlocks blocks) : IAuthorizationMiddlewareResultHandler
{
    private readonly AuthorizationMiddlewareResultHandler _default = new();

    public async Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
    {
        var blocked = context.User.FindCaller() is { } caller ? blocks.Refuse(caller) : null;
        if (authorizeResult.Succeeded && blocked is null)
        {
            await next(context);
            return;
        }

        var fault = blocked is not null ? blocked
            : authorizeResult.Forbidden ? new Fault(AuthenticationFaults.ForbiddenCode, "The token's holder may not do this.") : AuthenticationFaults.From((await context.AuthenticateAsync()).Failure);
        if (fault.RetryAfter is { } pause)
            context.Response.Headers.RetryAfter = Math.Ceiling(pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        else
            await _default.HandleAsync(next, context, policy, authorizeResult);
        await AuthenticationFaults.ToProblem(fault).ExecuteAsync(context);
    }
}
