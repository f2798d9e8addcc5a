using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>Tokens for the run: signed with the deployment's symmetric key, or, where it runs in Development, asked from it.</summary>
internal sealed class Tokens(VerifyOptions options, HttpClient http)
{
    /// <summary>Longer than any run's patience.</summary>
    private readonly long _seconds = (long)options.Duration.TotalSeconds + 3_600;

    public async Task<string> AdminAsync(CancellationToken cancellationToken) => options.AdminToken ?? await OfAsync("verify-admin", [], ["admin"], [], cancellationToken);

    public Task<string> PublisherAsync(string name, IReadOnlyList<string> apps, CancellationToken cancellationToken) =>
        OfAsync(name, apps, ["publisher"], [], cancellationToken);

    public Task<string> UserAsync(string user, string app, IReadOnlyList<string> topics, CancellationToken cancellationToken) =>
        OfAsync(user, [app], [], topics, cancellationToken);

    private async Task<string> OfAsync(string sub, IReadOnlyList<string> apps, string[] roles, IReadOnlyList<string> topics, CancellationToken cancellationToken)
    {
        if (options.Key is not null)
            return Sign(options.Key, sub, apps, roles, topics);
        using var answer = await http.PostAsJsonAsync(new Uri(options.Urls[0], "dev/token"), new { sub, apps, roles, topics, expiresInSeconds = _seconds }, cancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new BenchException($"/dev/token answered {(int)answer.StatusCode}. Give the deployment's key with --key.");
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("token").GetString()!;
    }

    private string Sign(string key, string sub, IReadOnlyList<string> apps, string[] roles, IReadOnlyList<string> topics)
    {
        var payload = new JsonObject
        {
            ["sub"] = sub,
            ["apps"] = JsonSerializer.SerializeToNode(apps),
            ["roles"] = JsonSerializer.SerializeToNode(roles),
            ["topics"] = JsonSerializer.SerializeToNode(topics),
            ["exp"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + _seconds,
        };
        if (options.Issuer is not null)
            payload["iss"] = options.Issuer;
        if (options.Audience is not null)
            payload["aud"] = options.Audience;
        return Jwt.Sign(key, payload);
    }
}
