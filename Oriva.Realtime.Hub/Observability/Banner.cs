namespace Oriva.Realtime.Hub.Observability;

/// <summary>Says, once the node listens, where it is and how to see an event arrive.</summary>
internal static partial class Banner
{
    public static void UseBanner(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() =>
    {
        var address = (app.Urls.FirstOrDefault() ?? "http://localhost:5080").Replace("0.0.0.0", "localhost", StringComparison.Ordinal).Replace("[::]", "localhost", StringComparison.Ordinal);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Oriva.Realtime");
        if (!app.Environment.IsDevelopment())
        {
            LogListening(logger, address);
            return;
        }

        LogBanner(logger, $$$"""


              Oriva.Realtime is up.

                API and docs   {{{address}}}/scalar
                Hub            {{{address}}}/hubs/realtime
                Health         {{{address}}}/health/ready
                Metrics        {{{address}}}/metrics

              Try it. 1. Get a token (paste this into two terminals):

                TOKEN=$(curl -s {{{address}}}/dev/token -H 'Content-Type: application/json' -d '{"sub":"ada","apps":["work-buddy"],"roles":["publisher"]}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

              2. Follow ada's events, in the first:

                curl -N "{{{address}}}/api/v1/events/stream?app=work-buddy" -H "Authorization: Bearer $TOKEN"

              3. Publish, in the second, and see it arrive in the first:

                curl {{{address}}}/api/v1/events -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"source":"work-buddy","type":"task.completed","userId":"ada","data":{"taskId":"t-1","title":"Ship it"}}'

            """);
    });

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening on {Address}")]
    private static partial void LogListening(ILogger logger, string address);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Banner:l}")]
    private static partial void LogBanner(ILogger logger, string banner);
}
