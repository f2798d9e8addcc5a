using System.Globalization;
using Microsoft.AspNetCore.Http.Connections;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>What the command line asks <c>verify</c> for.</summary>
internal sealed record VerifyOptions
{
    public const string Usage = """
        verify: runs load against a deployment and checks what the service promises. Exit code 0: it holds, 1: it does not, 2: not understood.

          --url URL             an address of the deployment; repeat it for each node
          --key KEY             its Auth:SymmetricKey as configured, to sign all tokens with
          --admin-token TOKEN   without the key: to put manifests with; the other tokens come from /dev/token
          --issuer I            iss of signed tokens, when the deployment checks it
          --audience A          aud of signed tokens, when the deployment checks it

          --app NAME            what the names of its apps begin with; verify
          --users N             users, the same ones in each of two apps, with two connections each; 10
          --rate N              publishes a second; 50
          --seconds N           how long, unless it is interrupted before; 10
          --publishers N        publishes under way at once; 4
          --transports NAMES    of websockets, sse, longpolling, which connections use in turn; websockets
          --patience N          seconds for everything to arrive after the load and the last fault; 60

          --fault "COMMAND"     a shell command that harms the deployment
          --fault-every N       seconds between faults; 10
          --recover "COMMAND"   run half that time after each fault
          --report FILE         the verdict as JSON
        """;

    public IReadOnlyList<Uri> Urls { get; init; } = [];

    public string? Key { get; init; }

    public string? AdminToken { get; init; }

    public string? Issuer { get; init; }

    public string? Audience { get; init; }

    public string App { get; init; } = "verify";

    public int Users { get; init; } = 10;

    public int Rate { get; init; } = 50;

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    public int Publishers { get; init; } = 4;

    public IReadOnlyList<HttpTransportType> Transports { get; init; } = [HttpTransportType.WebSockets];

    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    public string? Fault { get; init; }

    public TimeSpan FaultInterval { get; init; } = TimeSpan.FromSeconds(10);

    public string? Recover { get; init; }

    public string? Report { get; init; }

    /// <exception cref="BenchException">It is not understood.</exception>
    public static VerifyOptions Parse(ReadOnlySpan<string> args)
    {
        var options = new VerifyOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new BenchException($"{args[i]} needs a value.");
            options = args[i] switch
            {
                "--url" => options with { Urls = [.. options.Urls, Address(value)] },
                "--key" => options with { Key = value },
                "--admin-token" => options with { AdminToken = value },
                "--issuer" => options with { Issuer = value },
                "--audience" => options with { Audience = value },
                "--app" => options with { App = value },
                "--users" => options with { Users = (int)Number(value) },
                "--rate" => options with { Rate = (int)Number(value) },
                "--seconds" => options with { Duration = TimeSpan.FromSeconds(Number(value)) },
                "--publishers" => options with { Publishers = (int)Number(value) },
                "--transports" => options with { Transports = [.. value.Split(',').Select(Transport)] },
                "--patience" => options with { Patience = TimeSpan.FromSeconds(Number(value)) },
                "--fault" => options with { Fault = value },
                "--fault-every" => options with { FaultInterval = TimeSpan.FromSeconds(Number(value)) },
                "--recover" => options with { Recover = value },
                "--report" => options with { Report = value },
                var unknown => throw new BenchException($"'{unknown}' is not known."),
            };
        }

        if (options.Urls.Count == 0)
            throw new BenchException("--url is required.");
        if (options.Recover is not null && options.Fault is null)
            throw new BenchException("--recover needs --fault.");
        return options;
    }

    private static Uri Address(string value) => Uri.TryCreate(value.TrimEnd('/') + "/", UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
        ? url
        : throw new BenchException($"'{value}' is not an address such as http://127.0.0.1:5080.");

    private static HttpTransportType Transport(string value) => value switch
    {
        "websockets" => HttpTransportType.WebSockets,
        "sse" => HttpTransportType.ServerSentEvents,
        "longpolling" => HttpTransportType.LongPolling,
        _ => throw new BenchException($"'{value}' is none of websockets, sse, longpolling."),
    };

    private static double Number(string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 1 ? number : throw new BenchException($"'{value}' is not a number of 1 or more.");
}
