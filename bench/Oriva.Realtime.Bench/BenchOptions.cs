using System.Globalization;
using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Load;
using Oriva.Realtime.Bench.Scenarios;
using Oriva.Realtime.Bench.Servers;

namespace Oriva.Realtime.Bench;

/// <summary>What the command line asks for.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        Measures Oriva.Realtime beside a bare SignalR hub on this machine.

          first              all figures that the options leave
          smoke              the same, tiny: says that everything works, nothing about speed
          bare --urls URLS   only the bare hub; --redis HOST:PORT, --messagepack
          verify …           checks a deployment's promise under load and faults; verify alone says how

          --scenario NAMES   of publish, append, unicast, fanout, idle, storm, stalled, routing, cluster, cluster-storm;
                             all, the last two only with --postgres
          --case TEXT        only cases with this in their title, such as "256 in flight"
          --rounds N         measured rounds of each case; 5
          --seconds N        length of a round; 5
          --warm-up N        seconds of load on each case before the first round, repeated while the server still gets faster; 3
          --users N          connections, in every scenario; 1,000 and 10,000, idle 10,000, storm 5,000
          --postgres "…"     a server for fresh databases, which are dropped afterwards
          --stores NAMES     what ours keeps its events in, of sqlite, postgres; postgres where --postgres is given, otherwise sqlite
          --servers NAMES    of ours, bare, bare-redis, socketio, socketio-redis; ours, bare
          --redis HOST:PORT  for those that are named after it, and for clusters; one that is started for them
          --protocol NAMES   of json, messagepack, for unicast and fan-out; json
          --write            replace the sections of these scenarios in bench/RESULTS.md, and their charts
        """;

    public Scale Scale { get; init; } = new();

    public IReadOnlyList<string> Scenarios { get; init; } = [];

    public string Case { get; init; } = "";

    public int Rounds { get; init; } = 5;

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(3);

    public int MostWarmUps { get; init; } = 6;

    public string? Postgres { get; init; }

    public IReadOnlyList<Store> Stores { get; init; } = [];

    public IReadOnlyList<string> Servers { get; init; } = [ServerKeys.Ours, ServerKeys.Bare];

    public string? Redis { get; init; }

    public IReadOnlyList<Dialect> Dialects { get; init; } = [Dialect.Json];

    public bool Write { get; init; }

    /// <exception cref="BenchException">It is not understood.</exception>
    public static BenchOptions Parse(ReadOnlySpan<string> args)
    {
        var options = args[0] switch
        {
            "first" => new BenchOptions(),
            "smoke" => new BenchOptions { Scale = Scale.Smoke, Rounds = 1, Duration = TimeSpan.FromSeconds(0.3), WarmUp = TimeSpan.FromSeconds(0.1), MostWarmUps = 1 },
            var unknown => throw new BenchException($"'{unknown}' is not known.{Environment.NewLine}{Usage}"),
        };
        for (var i = 1; i < args.Length; i++)
        {
            var value = args[i] == "--write" ? "" : i + 1 < args.Length ? args[i + 1] : throw new BenchException($"{args[i]} needs a value.");
            options = args[i] switch
            {
                "--scenario" => options with { Scenarios = Split(value, Scenario.Names) },
                "--case" => options with { Case = value },
                "--rounds" => options with { Rounds = (int)Number(value) },
                "--seconds" => options with { Duration = TimeSpan.FromSeconds(Number(value)) },
                "--warm-up" => options with { WarmUp = TimeSpan.FromSeconds(Number(value)) },
                "--users" => options with { Scale = options.Scale.WithUsers((int)Number(value)) },
                "--postgres" => options with { Postgres = value },
                "--stores" => options with { Stores = [.. Split(value, Store.Sqlite.Key, Store.Postgres.Key).Select(Store.Find)] },
                "--servers" => options with { Servers = Split(value, ServerKeys.All) },
                "--redis" => options with { Redis = value },
                "--protocol" => options with { Dialects = [.. Split(value, "json", "messagepack").Select(name => name == "json" ? Dialect.Json : Dialect.MessagePack)] },
                "--write" => options with { Write = true },
                var unknown => throw new BenchException($"'{unknown}' is not known.{Environment.NewLine}{Usage}"),
            };
            if (args[i] != "--write")
                i++;
        }

        if (options.Stores.Count == 0)
            options = options with { Stores = [options.Postgres is null ? Store.Sqlite : Store.Postgres] };
        if (options.Stores.Contains(Store.Postgres) && options.Postgres is null)
            throw new BenchException("--stores postgres needs --postgres.");
        if (options.Scenarios.Count == 0)
            options = options with { Scenarios = options.Postgres is null ? [.. Scenario.Names.Except(Scenario.OfClusters)] : Scenario.Names };
        if (options.Postgres is null && options.Scenarios.Intersect(Scenario.OfClusters).Any())
            throw new BenchException($"{string.Join(" and ", Scenario.OfClusters)} need --postgres.");
        return options;
    }

    private static string[] Split(string value, params string[] known)
    {
        var names = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var unknown = names.Except(known, StringComparer.Ordinal).FirstOrDefault();
        return unknown is null ? names : throw new BenchException($"'{unknown}' is none of {string.Join(", ", known)}.");
    }

    private static double Number(string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : throw new BenchException($"'{value}' is not a number above 0.");
}
