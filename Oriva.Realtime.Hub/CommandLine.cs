using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Hub.Authentication;

namespace Oriva.Realtime.Hub;

/// <summary>What the program does instead of serving: <c>--migrate</c>, <c>--new-epoch</c>, <c>--explain</c>, <c>--create-token</c>.</summary>
internal static class CommandLine
{
    /// <summary>Needs the signing key only, so that it works before there is a database.</summary>
    public static bool TryCreateToken(WebApplicationBuilder builder, string[] args, out int exitCode) =>
        TokenCommand.TryRun(args, builder.Configuration, builder.Environment, TimeProvider.System, Console.Out, Console.Error, out exitCode);

    /// <returns>The exit code, or null when the program is to serve.</returns>
    public static async Task<int?> TryMaintainAsync(WebApplication app, string[] args)
    {
        if (ExplainCommand.IsWanted(args))
            return await ExplainCommand.RunAsync(app.Services, args, Console.Out, Console.Error);
        var migrate = args.Contains("--migrate");
        var newEpoch = args.Contains("--new-epoch");
        if (!migrate && !newEpoch)
            return null;
        var migrator = app.Services.GetRequiredService<StoreMigrator>();
        try
        {
            if (migrate)
                await migrator.MigrateAsync(CancellationToken.None);
            if (newEpoch)
                await migrator.RenewEpochAsync(CancellationToken.None);
            await Console.Out.WriteLineAsync(migrate ? "The store is migrated." : "The store has a new epoch.");
            return 0;
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync($"The store was not maintained: {e.GetBaseException().Message}");
            return 1;
        }
    }
}
