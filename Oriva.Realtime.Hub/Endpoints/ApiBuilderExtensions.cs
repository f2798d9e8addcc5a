using Oriva.Realtime.Core;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Configuration;
using Scalar.AspNetCore;

namespace Oriva.Realtime.Hub.Endpoints;

/// <summary>The HTTP API under <c>/api/v1</c> and its document.</summary>
internal static class ApiBuilderExtensions
{
    public static void AddRealtimeApi(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        // Every refusal has a code, also those that routing and middleware answer.
        services.AddProblemDetails(problems => problems.CustomizeProblemDetails = context =>
            context.ProblemDetails.Extensions.TryAdd("code", Problems.CodeOf(context.ProblemDetails.Status)));
        services.AddExceptionHandler<ExceptionFaults>();
        services.ConfigureHttpJsonOptions(json => WireJson.Configure(json.SerializerOptions));
        services.AddHealthChecks()
            .AddCheck<Observability.StoreHealthCheck>("store", tags: ["ready"])
            .AddCheck<Observability.RedisHealthCheck>("redis", tags: ["ready"])
            .AddCheck<Observability.DrainHealthCheck>("drain", tags: ["ready"]);
        services.AddOpenApi("v1", OpenApiExamples.Configure);
        services.AddCors(cors => cors.AddDefaultPolicy(policy =>
        {
            policy.AllowAnyHeader().AllowAnyMethod().AllowCredentials().WithExposedHeaders("ETag", "Retry-After");
            var origins = CorsOrigins.Read(builder.Configuration);
            if (builder.Environment.IsDevelopment())
                policy.SetIsOriginAllowed(origin => origins.Contains(origin) || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.IsLoopback));
            else
                policy.WithOrigins(origins);
        }));
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(15));
    }

    public static void UseRealtimePipeline(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseCors();
        app.UseAuthentication();
        app.UseAuthorization();
    }

    public static void MapRealtimeApi(this WebApplication app)
    {
        var api = app.MapGroup("/api/v1").RequireAuthorization();
        api.MapGroup("").WithTags("Events").MapEventGroup();
        api.MapGroup("").WithTags("Apps").MapApps();
        api.MapGroup("").WithTags("Users").MapUsers();
        api.MapGroup("").WithTags("Notifications").MapNotificationGroup();
        api.MapGroup("").WithTags("Admin").RequireAuthorization(Policies.Admin).MapAdmin();
        app.MapUnsubscribing();
        if (app.Environment.IsDevelopment())
            app.MapDevelopmentTokens();
        app.MapOpenApi().AllowAnonymous();
        app.MapScalarApiReference("/scalar", scalar => scalar
            // Nothing on the page leaves the machine.
            .WithTitle("Oriva.Realtime").HideDeveloperTools().DisableAgent().DisableMcp().DisableTelemetry().DisableDefaultFonts()).AllowAnonymous();
        app.MapGet("/", () => TypedResults.Redirect("/scalar")).ExcludeFromDescription().AllowAnonymous();
    }

    private static void MapAdmin(this RouteGroupBuilder admin)
    {
        admin.MapApiKeys();
        admin.MapDeliveries();
        admin.MapTraces();
        admin.MapCluster();
    }

    private static void MapNotificationGroup(this RouteGroupBuilder notifications)
    {
        notifications.MapNotifications();
        notifications.MapPush();
    }

    private static void MapEventGroup(this RouteGroupBuilder events)
    {
        events.MapEvents();
        events.MapFollowing();
    }
}
