using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Oriva.Realtime.Bench.Databases;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>Oriva.Realtime.Hub as it is built beside the bench, in Production, on a fresh store.</summary>
internal sealed class OursTarget : Target
{
    public const string App = "bench";

    /// <summary>With what its durability depends on; the hub sets it so.</summary>
    public const string SqliteDescription = "SQLite, WAL, synchronous FULL";

    /// <summary>With a rule that notifies the event's user.</summary>
    public const string Notified = "bench.notified";

    /// <summary>With a rule that notifies its followers, of whom there are none.</summary>
    public const string Followed = "bench.followed";

    /// <summary>With a rule that notifies all members of the app.</summary>
    public const string Announced = "bench.announced";

    private const int PutsAtOnce = 32;

    private const string HubPath = "/hubs/realtime";

    private const string Title = "{{ data.text | size }}";

    private const string Manifest = $$"""
        {
          "app": "{{App}}",
          "name": "Bench",
          "events": {
            "{{Message}}": { "title": "A message of the bench", "publishableBy": ["publishers"] },
            "{{Notified}}": { "title": "A message to notify of", "publishableBy": ["publishers"] },
            "{{Followed}}": { "title": "A message that nobody follows", "publishableBy": ["publishers"] },
            "{{Announced}}": { "title": "A message for all", "publishableBy": ["publishers"] }
          },
          "notifications": [
            { "name": "user", "on": "{{Notified}}", "to": "user", "title": "{{Title}}", "channels": ["in_app", "websocket"] },
            { "name": "followers", "on": "{{Followed}}", "to": "followers", "title": "{{Title}}", "channels": ["in_app", "websocket"] },
            { "name": "members", "on": "{{Announced}}", "to": "members", "title": "{{Title}}", "channels": ["in_app", "websocket"] }
          ]
        }
        """;

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    private readonly HttpClient _http;
    private readonly Tokens _tokens;
    private readonly string[] _userTokens;

    private OursTarget(Nodes nodes, Store store, Tokens tokens, Dialect dialect, int users)
        : base(nodes, dialect, users)
    {
        Store = store;
        _tokens = tokens;
        _userTokens = [.. Enumerable.Range(0, users + 1).Select(user => tokens.Sign(PublishRequest.UserId(user)))];
        _http = new HttpClient { BaseAddress = new Uri($"http://{nodes.First}") };
    }

    public override string Name => $"Oriva on {Store.Name}" + (Nodes.Count > 1 ? $", {Nodes.Count} nodes, Redis" : "");

    public override bool KeepsEvents => true;

    public override Store Store { get; }

    public override bool HasHubPublish => true;

    /// <param name="postgres">Null: SQLite in <paramref name="folder"/>.</param>
    /// <param name="count">Of nodes.</param>
    /// <param name="redis">HOST:PORT; null: without.</param>
    public static async Task<OursTarget> StartAsync(string folder, PostgresDatabase? postgres, int count, string? redis, Dialect dialect, int users, CancellationToken cancellationToken)
    {
        var tokens = new Tokens();
        var store = postgres is null ? Store.Sqlite : Store.Postgres;
        string[] arguments = [FindHub(), "--urls", "{urls}", "--Cluster:AdvertisedUrl={urls}"];
        var environment = Environment(folder, postgres, redis, tokens);
        var nodes = await Nodes.StartAsync(count, name => ServerProcess.StartAsync(name, "dotnet", arguments, environment, folder, cancellationToken), "oriva-" + store.Key);
        var target = new OursTarget(nodes, store, tokens, dialect, users);
        try
        {
            await target.PrepareAsync(cancellationToken);
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    public override PublishRequest BuildPublish(Audience audience, int events, Route route, string type) => route == Route.Hub
        ? PublishRequest.Invoke("Publish", Draft(audience, type))
        : PublishRequest.Post(Nodes.First.ToString(), "/api/v1/events", SignPublisher(), events == 1 ? Draft(audience, type) : Drafts(audience, events, type));

    public override void ReadReceipts(ReadOnlySpan<byte> body, Span<long> positions)
    {
        foreach (ref var position in positions)
        {
            var found = body.IndexOf("\"seq\":"u8);
            if (found < 0 || !Utf8Parser.TryParse(body[(found + 6)..], out position, out _))
                throw new BenchException("A receipt is missing in an answer to a publish.");
            body = body[(found + 6)..];
        }
    }

    /// <summary>Makes the users from the first on members of the app, connected or not.</summary>
    public Task PutMembersAsync(int count, CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = PutsAtOnce, CancellationToken = cancellationToken };
        return Parallel.ForAsync(0, count, options, async (user, stop) => await SendAsync(HttpMethod.Put, $"/api/v1/apps/{App}/users/{PublishRequest.UserId(user)}", "{}", "publisher", stop));
    }

    /// <summary>By the server's metrics, which it makes anew when they are older than 300 ms.</summary>
    public async Task<Routed> ReadRoutedAsync(CancellationToken cancellationToken)
    {
        var metrics = await SendAsync(HttpMethod.Get, "/metrics", body: null, "admin", cancellationToken);
        return new Routed(Read("oriva_routing_latency_seconds_count{"), Read("oriva_notifications_total{"), Read("oriva_append_rows_sum{"));

        // name{tag="value"} number time; not there as long as it is 0.
        long Read(string name) => metrics.Split('\n').Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Sum(line => long.Parse(line[(line.LastIndexOf('}') + 2)..].Split(' ')[0], CultureInfo.InvariantCulture));
    }

    public override async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await base.DisposeAsync();
    }

    protected override Task<HubPublisher> ConnectHubPublisherAsync(CancellationToken cancellationToken) =>
        HubPublisher.ConnectAsync(Nodes.Next(), HubPath, SignPublisher(), cancellationToken);

    protected override Inbox CreateInbox(int user) => new OursInbox(Arrivals, Dialect, user);

    protected override async Task<HubSocket> JoinAsync(Inbox inbox, Dial dial, CancellationToken cancellationToken)
    {
        var ours = (OursInbox)inbox;
        var socket = await HubSocket.ConnectAsync(Nodes.Of(inbox.User), dial, HubPath, _userTokens[inbox.User], Dialect, inbox, cancellationToken);
        if (ours.Cursor is { } cursor)
        {
            var resumed = await socket.InvokeAsync("Subscribe", $$"""{"app":"{{App}}","cursor":{{cursor}}}""", cancellationToken);
            return resumed.GetProperty("reset").GetBoolean() ? throw new BenchException("A cursor was not honoured.") : socket;
        }

        // Nothing is published meanwhile, so without a replay nothing comes before the answer; with one, every stream starts at 0 anyway.
        if (dial.FromStart)
            ours.StartAt(JsonElement.Parse($$"""{ "epoch": "", "streams": { "{{App}}": 0, "{{App}}/users/{{PublishRequest.UserId(inbox.User)}}": 0 } }"""));
        var answer = await socket.InvokeAsync("Subscribe", $$"""{"app":"{{App}}","from":"{{(dial.FromStart ? "start" : "now")}}"}""", cancellationToken);
        if (!dial.FromStart)
            ours.StartAt(answer);
        return socket;
    }

    private string SignPublisher() => _tokens.Sign("publisher", "publisher");

    /// <summary>Puts the manifest, and waits until every node knows it.</summary>
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await SendAsync(HttpMethod.Put, $"/api/v1/apps/{App}/manifest", Manifest, "admin", cancellationToken);
        foreach (var address in Nodes.Addresses)
        {
            while (!await KnowsAsync(address, cancellationToken))
                await Clock.DelayAsync(s_interval, cancellationToken);
        }
    }

    private async Task<bool> KnowsAsync(IPEndPoint node, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{node}/api/v1/apps/{App}/manifest");
        request.Headers.Authorization = new("Bearer", _tokens.Sign("admin", "admin"));
        using var answer = await _http.SendAsync(request, cancellationToken);
        return answer.IsSuccessStatusCode;
    }

    /// <param name="role">Of the caller, who is named after it.</param>
    private async Task<string> SendAsync(HttpMethod method, string path, string? body, string role, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body, mediaType: new("application/json")) };
        request.Headers.Authorization = new("Bearer", _tokens.Sign(role, role));
        using var answer = await _http.SendAsync(request, cancellationToken);
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        return answer.IsSuccessStatusCode ? text : throw new BenchException($"{method} {path} was refused: {text}");
    }

    private static Dictionary<string, string> Environment(string folder, PostgresDatabase? database, string? redis, Tokens tokens)
    {
        var environment = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["Storage__MigrateAtStart"] = "true",
            ["Auth__SymmetricKey"] = tokens.Key,
            // One publisher does here what many would.
            ["Limits__PublishesPerSecond"] = "0",
            ["Limits__HubCallsPerSecond"] = "1000000",
            ["Limits__ConnectionsPerUser"] = "10000",
        };
        if (redis is not null)
        {
            environment["ConnectionStrings__Redis"] = redis;
            environment["Cluster__Secret"] = tokens.Key;
        }

        if (database is null)
        {
            environment["Storage__Provider"] = "Sqlite";
            environment["Storage__SqlitePath"] = Path.Combine(folder, "bench.db");
        }
        else
        {
            environment["Storage__Provider"] = "Postgres";
            environment["ConnectionStrings__Postgres"] = database.ConnectionString;
        }

        return environment;
    }

    /// <summary>The build of the hub that goes with this build of the bench.</summary>
    private static string FindHub()
    {
        // …/bench/Oriva.Realtime.Bench/bin/Release/net10.0/
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        for (var folder = output; folder is not null; folder = folder.Parent)
        {
            var hub = Path.Combine(folder.FullName, "Oriva.Realtime.Hub", "bin", output.Parent!.Name, output.Name, "Oriva.Realtime.Hub.dll");
            if (File.Exists(hub))
                return hub;
        }

        throw new BenchException("Oriva.Realtime.Hub is not built. Start the bench with: dotnet run -c Release --project bench/Oriva.Realtime.Bench -- first");
    }
}
