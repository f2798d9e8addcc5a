using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Cluster;
using Oriva.Realtime.Hub.Configuration;
using Oriva.Realtime.Hub.Endpoints;
using Oriva.Realtime.Hub.Observability;

// Settings are read once: watching their files means watching the content root, and with it every write of the SQLite store in .data/.
var builder = WebApplication.CreateBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);
if (CommandLine.TryCreateToken(builder, args, out var exitCode))
    return exitCode;

try
{
    builder.AddRealtimeOptions();
}
catch (ConfigurationException wrong)
{
    await Console.Error.WriteLineAsync(wrong.Message);
    return 1;
}

builder.AddRealtimeLogging();
builder.AddRealtimeMetrics();
builder.Services.AddRealtimeCore();
builder.AddRealtimeAuthentication();
builder.AddRealtimeHub();
builder.AddRealtimeApi();
builder.AddRealtimeCluster();

var app = builder.Build();
if (await CommandLine.TryMaintainAsync(app, args) is { } maintained)
    return maintained;

app.UseRealtimePipeline();
app.UseNodeRouting();
app.MapRealtimeHub();
app.MapRealtimeApi();
app.MapHealth();
app.MapRealtimeMetrics();
app.AdvertiseAddress();
app.DrainOnCommand();
app.UseBanner();
try
{
    await app.RunAsync();
    return 0;
}
catch (StartupException wrong)
{
    await Console.Error.WriteLineAsync(wrong.Message);
    return 1;
}
