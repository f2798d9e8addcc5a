using System.Globalization;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Storage;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>Faults as problem+json (RFC 9457), with the contract's <c>code</c> and, for invalid input, <c>errors</c> by JSON pointer.</summary>
internal static class Problems
{
    public static IResult ToResult(this Fault fault)
    {
        var problem = new ProblemDetails { Status = StatusOf(fault.Code), Detail = fault.Message };
        problem.Extensions["code"] = fault.Code;
        if (fault.Errors is not null)
            problem.Extensions["errors"] = fault.Errors;
        if (fault.EventIds is { Count: > 0 } ids)
            problem.Extensions["ids"] = ids;
        return new ProblemResult(problem, fault.RetryAfter);
    }

    /// <summary>A value's result, or the fault's.</summary>
    public static IResult ToResult<T>(this Outcome<T> outcome, Func<T, IResult> result) =>
        outcome.Fault is { } fault ? fault.ToResult() : result(outcome.Value!);

    public static int StatusOf(string code) => code switch
    {
        FaultCodes.Malformed => StatusCodes.Status400BadRequest,
        FaultCodes.AppForbidden or FaultCodes.TypeForbidden or FaultCodes.TopicForbidden or FaultCodes.UserForbidden or FaultCodes.UserBlocked => StatusCodes.Status403Forbidden,
        FaultCodes.NotFound => StatusCodes.Status404NotFound,
        FaultCodes.IdReused or FaultCodes.Conflict => StatusCodes.Status409Conflict,
        FaultCodes.PreconditionFailed => StatusCodes.Status412PreconditionFailed,
        FaultCodes.TooLarge => StatusCodes.Status413PayloadTooLarge,
        FaultCodes.UnsupportedMediaType => StatusCodes.Status415UnsupportedMediaType,
        FaultCodes.RateLimited => StatusCodes.Status429TooManyRequests,
        FaultCodes.Unavailable => StatusCodes.Status503ServiceUnavailable,
        FaultCodes.Internal => StatusCodes.Status500InternalServerError,
        _ => StatusCodes.Status422UnprocessableEntity,
    };

    /// <summary>For refusals that have no fault behind them.</summary>
    public static string CodeOf(int? status) => status switch
    {
        StatusCodes.Status404NotFound => FaultCodes.NotFound,
        StatusCodes.Status405MethodNotAllowed => "method_not_allowed",
        StatusCodes.Status413PayloadTooLarge => FaultCodes.TooLarge,
        StatusCodes.Status415UnsupportedMediaType => FaultCodes.UnsupportedMediaType,
        >= StatusCodes.Status500InternalServerError => FaultCodes.Internal,
        _ => FaultCodes.Malformed,
    };

    private sealed class ProblemResult(ProblemDetails problem, TimeSpan? retryAfter) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (retryAfter is { } wait)
                httpContext.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            return TypedResults.Problem(problem).ExecuteAsync(httpContext);
        }
    }
}

/// <summary>What an endpoint lets through: an outage of the store is a refusal that can be repeated, everything else a bug.</summary>
internal sealed partial class ExceptionFaults(ILogger<ExceptionFaults> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var fault = exception switch
        {
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => new Fault(FaultCodes.TooLarge, "The request is too large."),
            BadHttpRequestException bad => new Fault(FaultCodes.Malformed, bad.Message),
            _ when StoreOutage.Is(exception) => Fault.Unavailable("The store cannot be reached at the moment."),
            _ => new Fault(FaultCodes.Internal, "The service failed. Its log has the details."),
        };
        if (fault.Code == FaultCodes.Internal)
            LogFailed(exception, httpContext.Request.Method, httpContext.Request.Path);
        else if (fault.Code == FaultCodes.Unavailable)
            LogUnavailable(httpContext.Request.Path, exception.Message);
        await fault.ToResult().ExecuteAsync(httpContext);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogFailed(Exception exception, string method, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} was answered 503: {Reason}")]
    private partial void LogUnavailable(string path, string reason);
}
