using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Hub.Configuration;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// <c>--create-token --sub ada --apps work-buddy,live-mixers --roles publisher --topics work-buddy/team-* --expires 3600</c>: prints a token and nothing else,
/// signed with the configured symmetric key, or in Development with the one that was made.
/// </summary>
internal static class TokenCommand
{
    private const string Name = "--create-token";

    private static readonly Dictionary<string, (string Property, bool IsList)> s_arguments = new(StringComparer.Ordinal)
    {
        ["--sub"] = ("sub", false),
        ["--apps"] = ("apps", true),
        ["--roles"] = ("roles", true),
        ["--topics"] = ("topics", true),
        ["--email"] = ("email", false),
        ["--locale"] = ("locale", false),
        ["--expires"] = ("expiresInSeconds", false),
    };

    /// <returns>False: the command line asks for something else.</returns>
    public static bool TryRun(
        string[] args, IConfiguration configuration, IHostEnvironment environment, TimeProvider time, TextWriter output, TextWriter error, out int exitCode)
    {
        exitCode = 0;
        if (!args.Contains(Name))
            return false;

        var faults = ConfigurationCheck.FindAuthFaults(configuration, environment);
        if (faults.Count == 0 && Parse(args, faults) is { } request)
            Issue(request, configuration, environment, time, output, faults);
        foreach (var fault in faults)
            error.WriteLine(fault);
        exitCode = faults.Count == 0 ? 0 : 1;
        return true;
    }

    private static void Issue(
        TokenRequest request, IConfiguration configuration, IHostEnvironment environment, TimeProvider time, TextWriter output, List<string> faults)
    {
        var issuer = new TokenIssuer(Options.Create(RealtimeOptionsSetup.ReadAuth(configuration, environment)), time);
        if (issuer.CanIssue)
            output.WriteLine(issuer.Issue(request).Token);
        else
            faults.Add("Tokens can be made only with Auth:SymmetricKey. Here they are checked with an identity provider's keys, so they come from there.");
    }

    private static TokenRequest? Parse(string[] args, List<string> faults)
    {
        var json = new JsonObject();
        for (var i = 0; i < args.Length; i++)
        {
            var (name, value) = Split(args[i]);
            if (name == Name)
                continue;
            var isKnown = s_arguments.TryGetValue(name, out var argument);
            if (!isKnown && !IsSetting(name))
            {
                faults.Add($"{name} is unknown.");
                continue;
            }

            if (value is null && i + 1 < args.Length)
                value = args[++i];
            if (value is null)
                faults.Add($"{name} needs a value.");
            else if (isKnown)
                json[argument.Property] = argument.IsList ? ToArray(value) : ToValue(argument.Property, value);
        }

        using var document = JsonDocument.Parse(json.ToJsonString());
        var outcome = TokenRequest.Read(document.RootElement);
        foreach (var (pointer, messages) in outcome.Fault?.Errors ?? new Dictionary<string, string[]>(StringComparer.Ordinal))
            faults.AddRange(messages.Select(message => $"{FindArgument(pointer)}: {message}"));
        if (faults.Count == 0)
            return outcome.Value;
        faults.Add($"Usage: {Name} --sub USER [--apps A,B] [--roles publisher,admin] [--topics APP/TOPIC,…] [--email E] [--locale L] [--expires SECONDS]");
        return null;
    }

    private static (string Name, string? Value) Split(string argument) =>
        argument.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (argument[..at], argument[(at + 1)..]) : (argument, null);

    /// <summary>What the configuration has taken from the command line already: <c>--Auth:SymmetricKey …</c>, <c>--environment Production</c>.</summary>
    private static bool IsSetting(string name) =>
        name.StartsWith("--", StringComparison.Ordinal) && (name.Contains(':', StringComparison.Ordinal) || name is "--environment" or "--contentRoot");

    private static JsonArray ToArray(string text) =>
        new([.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(name => JsonValue.Create(name))]);

    private static JsonValue ToValue(string property, string text) =>
        property == "expiresInSeconds" && int.TryParse(text, CultureInfo.InvariantCulture, out var seconds) ? JsonValue.Create(seconds) : JsonValue.Create(text);

    private static string FindArgument(string pointer) =>
        s_arguments.First(argument => argument.Value.Property == pointer.Split('/')[1]).Key;
}
