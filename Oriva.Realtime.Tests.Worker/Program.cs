using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Notifications;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Tests.Worker;

// A node that delivers, for tests to kill: worker CONNECTION-STRING FILE MILLISECONDS-A-SEND LEASE-SECONDS
var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
builder.Services.AddLogging();
builder.Services.Configure<StorageOptions>(storage => (storage.Provider, storage.PostgresConnectionString) = (StorageProvider.Postgres, args[0]));
builder.Services.Configure<DeliveryOptions>(delivery => delivery.Lease = TimeSpan.FromSeconds(int.Parse(args[3], CultureInfo.InvariantCulture)));
builder.Services.AddSingleton<INotificationChannel>(provider => new FileChannel(args[1], TimeSpan.FromMilliseconds(int.Parse(args[2], CultureInfo.InvariantCulture)), provider.GetRequiredService<TimeProvider>()));
builder.Services.AddRealtimeCore();
await builder.Build().RunAsync();
