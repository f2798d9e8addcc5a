using System.Globalization;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Oriva.Realtime.Core;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Adds the problem+json body to 401 (whose <c>WWW-Authenticate</c> stays as the scheme wrote it) and 403, and answers 503 where 401 would be a guess.
/// </summary>
internal sealed class RefusalWriter : IAuthorizationMiddlewareResultHandler
{
    private readonly AuthorizationMiddlewareResultHandler _default = new();

    public async Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
    {
        if (authorizeResult.Succeeded)
        {
            await next(context);
            return;
        }

        var fault = authorizeResult.Forbidden
            ? new Fault(AuthenticationFaults.ForbiddenCode, "The token's holder may not do this.")
            : AuthenticationFaults.From((await context.AuthenticateAsync()).Failure);
        if (fault.RetryAfter is { } pause)
            context.Response.Headers.RetryAfter = Math.Ceiling(pause.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        else
            await _default.HandleAsync(next, context, policy, authorizeResult);
        await AuthenticationFaults.ToProblem(fault).ExecuteAsync(context);
    }
}
