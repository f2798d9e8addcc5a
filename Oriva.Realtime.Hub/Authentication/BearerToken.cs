using Microsoft.Net.Http.Headers;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// Where a request has its token: in the header, or where a browser cannot set one (WebSocket, EventSource) in the query. Nowhere else, because an address
/// ends up in histories and in other servers' logs.
/// </summary>
internal static class BearerToken
{
    private const string Prefix = "Bearer ";
    private const string QueryName = "access_token";

    public static string? Find(HttpRequest request)
    {
        var header = request.Headers[HeaderNames.Authorization].ToString();
        if (header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return OrNull(header[Prefix.Length..].Trim());
        return MayBeInQuery(request.Path) ? OrNull(request.Query[QueryName].ToString()) : null;
    }

    private static bool MayBeInQuery(PathString path) =>
        path.StartsWithSegments("/hubs") || (path.StartsWithSegments("/api/v1/events/stream", out var rest) && !rest.HasValue);

    private static string? OrNull(string text) => text.Length > 0 ? text : null;
}
