namespace Oriva.Realtime.Hub.Endpoints;

internal static class EndpointMetadata
{
    /// <summary>Problems that an operation answers, beside 401, which every one of the API does.</summary>
    public static RouteHandlerBuilder ProducesProblems(this RouteHandlerBuilder route, params int[] statuses)
    {
        foreach (var status in statuses)
            route.ProducesProblem(status);
        return route.ProducesProblem(StatusCodes.Status401Unauthorized);
    }
}
