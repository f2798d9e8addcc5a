using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Oriva.Realtime.Hub.Authentication;

internal static class AuthenticationSetup
{
    /// <summary>Adds the bearer schemes, the <see cref="Policies"/>, the answers to who is refused, and what reads and issues tokens.</summary>
    public static WebApplicationBuilder AddRealtimeAuthentication(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<CallerReader>();
        services.AddSingleton<GoodTokens>();
        services.AddSingleton<TokenValidator>();
        services.AddSingleton<TokenCheck>(provider => provider.GetRequiredService<TokenValidator>().ValidateAsync);
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton<IUserIdProvider, CallerUserIdProvider>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, RefusalWriter>();
        services.AddAuthorization(Policies.Add);

        // Not by AddJwtBearer, which would also believe the keys of the section Authentication:Schemes, in every environment.
        services.AddSingleton<BearerSchemes>();
        services.AddSingleton<IConfigureOptions<JwtBearerOptions>>(provider => provider.GetRequiredService<BearerSchemes>());
        var authentication = services.AddAuthentication(BearerSchemes.Default)
            .AddScheme<JwtBearerOptions, JwtBearerHandler>(BearerSchemes.Default, configureOptions: null)
            .AddScheme<AuthenticationSchemeOptions, ApiKeyScheme>(ApiKeyScheme.Name, configureOptions: null);
        if (builder.Environment.IsDevelopment())
        {
            services.AddSingleton<UserJwts>();
            authentication.AddScheme<JwtBearerOptions, JwtBearerHandler>(BearerSchemes.Development, configureOptions: null);
        }

        // It writes whole addresses, and with them the tokens of those who cannot set a header.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning);
        return builder;
    }
}
