using Serilog;
using Serilog.Events;
using Serilog.Extensions.Logging;
using Serilog.Formatting.Compact;

namespace Oriva.Realtime.Hub.Observability;

/// <summary>Structured logs without payloads and tokens: lines for people in Development, compact JSON otherwise.</summary>
internal static class Logging
{
    private const string Line = "{Timestamp:HH:mm:ss.fff} {Level:u3} {SourceContext:l} {Message:lj}{NewLine}{Exception}";

    public static void AddRealtimeLogging(this WebApplicationBuilder builder)
    {
        // As a provider and not as the factory: ASP.NET Core asks for loggers with each request, and only the stock factory keeps them.
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace);
        builder.Services.AddSingleton<ILoggerProvider>(_ => new SerilogLoggerProvider(Build(builder), dispose: true));
    }

    private static Serilog.Core.Logger Build(WebApplicationBuilder builder)
    {
        var logger = new LoggerConfiguration().MinimumLevel.Information()
            // ASP.NET Core's own request lines carry the query, and with it access_token.
            .MinimumLevel.Override("Microsoft.AspNetCore", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.EntityFrameworkCore", LogEventLevel.Warning)
            .MinimumLevel.Override("System.Net.Http.HttpClient", LogEventLevel.Warning)
            .ReadFrom.Configuration(builder.Configuration)
            // Whatever was configured: these lines have whole addresses in them, and with them tokens.
            .MinimumLevel.Override("Microsoft.AspNetCore.Hosting.Diagnostics", LogEventLevel.Warning)
            .MinimumLevel.Override("Yarp.ReverseProxy", LogEventLevel.Fatal)
            // SignalR logs what the hub refuses as errors with a stack. A refusal is an answer.
            .Filter.ByExcluding(entry => entry.Exception is Microsoft.AspNetCore.SignalR.HubException)
            .Enrich.FromLogContext();
        if (builder.Environment.IsDevelopment())
            logger.WriteTo.Console(outputTemplate: Line, formatProvider: System.Globalization.CultureInfo.InvariantCulture);
        else
            logger.WriteTo.Console(new CompactJsonFormatter());
        return logger.CreateLogger();
    }
}
