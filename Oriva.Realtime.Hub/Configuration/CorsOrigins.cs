namespace Oriva.Realtime.Hub.Configuration;

/// <summary><c>Cors:Origins</c>: the origins of pages that may call this service, as an array or separated by commas.</summary>
internal static class CorsOrigins
{
    public const string Key = "Cors:Origins";

    public static string[] Read(IConfiguration configuration)
    {
        var section = configuration.GetSection(Key);
        return
        [
            .. section.GetChildren().Select(child => child.Value ?? "")
                .Concat((section.Value ?? "").Split(','))
                .Select(origin => origin.Trim())
                .Where(origin => origin.Length > 0),
        ];
    }

    /// <summary>As browsers send it: scheme, host and perhaps a port, without a slash at the end.</summary>
    public static bool IsValid(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        && string.Equals(origin, uri.GetLeftPart(UriPartial.Authority), StringComparison.OrdinalIgnoreCase) && uri.UserInfo.Length == 0;
}
