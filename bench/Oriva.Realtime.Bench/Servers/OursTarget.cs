using System.Buffers.Text;
using System.Text.Json;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>Oriva.Realtime.Hub as it is built beside the bench, in Development, on a fresh store.</summary>
internal sealed class OursTarget : Target
{
    public const string Key = "ours";

    public const string App = "bench";

    private const string Manifest = $$"""
        { "app": "{{App}}", "name": "Bench", "events": { "bench.message": { "title": "A message of the bench", "publishableBy": ["publishers"] } } }
        """;

    private readonly HttpClient _http;
    private readonly PostgresDatabase? _postgres;
    private readonly Tokens _tokens;
    private readonly string[] _userTokens;

    private OursTarget(ServerProcess server, PostgresDatabase? postgres, Tokens tokens, int users)
        : base(server, users)
    {
        _postgres = postgres;
        _tokens = tokens;
        _userTokens = [.. Enumerable.Range(0, users + 1).Select(user => tokens.Sign(PublishRequest.UserId(user)))];
        _http = new HttpClient { BaseAddress = new Uri($"http://{server.Address}") };
    }

    public override string Name => _postgres is null ? "Oriva on SQLite" : "Oriva on PostgreSQL";

    public override bool KeepsEvents => true;

    public string Store => _postgres?.Description ?? "SQLite, WAL, synchronous FULL";

    /// <param name="postgres">A server on which to make a database; null: SQLite in <paramref name="folder"/>.</param>
    public static async Task<OursTarget> StartAsync(string folder, string? postgres, int users, CancellationToken cancellationToken)
    {
        var database = postgres is null ? null : await PostgresDatabase.CreateAsync(postgres);
        ServerProcess? server = null;
        var tokens = new Tokens();
        try
        {
            server = await ServerProcess.StartAsync("oriva", [FindHub(), "--urls", "{urls}"], Environment(folder, database, tokens), folder, cancellationToken);
            var target = new OursTarget(server, database, tokens, users);
            await target.PrepareAsync(cancellationToken);
            return target;
        }
        catch
        {
            if (server is not null)
                await server.DisposeAsync();
            if (database is not null)
                await database.DisposeAsync();
            throw;
        }
    }

    public override PublishRequest BuildPublish(Audience audience, int events) => PublishRequest.Post(
        Address.ToString(), "/api/v1/events", _tokens.Sign("publisher", "publisher"), events == 1 ? Draft(audience) : Drafts(audience, events));

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

    public override async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await base.DisposeAsync();
        if (_postgres is not null)
            await _postgres.DisposeAsync();
    }

    protected override Inbox CreateInbox(int user) => new OursInbox(Arrivals, user);

    protected override async Task<HubSocket> JoinAsync(Inbox inbox, Dial dial, CancellationToken cancellationToken)
    {
        var ours = (OursInbox)inbox;
        var socket = await HubSocket.ConnectAsync(Address, dial, "/hubs/realtime", _userTokens[inbox.User], inbox, cancellationToken);
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

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/api/v1/apps/{App}/manifest") { Content = new StringContent(Manifest, mediaType: new("application/json")) };
        request.Headers.Authorization = new("Bearer", _tokens.Sign("admin", "admin"));
        using var answer = await _http.SendAsync(request, cancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new BenchException("The manifest was refused: " + await answer.Content.ReadAsStringAsync(cancellationToken));
    }

    private static Dictionary<string, string> Environment(string folder, PostgresDatabase? database, Tokens tokens)
    {
        var environment = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["Auth__SymmetricKey"] = tokens.Key,
            ["Limits__PublishesPerSecond"] = "0",
        };
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
