using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>The rest of what is asked from the deployment over HTTP: manifests before the load, history after it.</summary>
internal sealed class Deployment(VerifyOptions options, HttpClient http)
{
    private const int PageSize = 500;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    /// <summary>Makes the apps, and waits until every address knows them.</summary>
    public async Task PutAppsAsync(Cast cast, string adminToken, CancellationToken cancellationToken)
    {
        foreach (var app in cast.Apps)
        {
            using var put = new HttpRequestMessage(HttpMethod.Put, ManifestOf(options.Urls[0], app)) { Content = new StringContent(Cast.ManifestOf(app), Encoding.UTF8, "application/json") };
            using var answer = await SendAsync(put, adminToken, cancellationToken);
            if (!answer.IsSuccessStatusCode)
                throw new BenchException($"The manifest of {app} was answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
        }

        foreach (var (url, app) in options.Urls.SelectMany(url => cast.Apps.Select(app => (url, app))))
            await UntilAsync($"{url} does not know {app}", () => GetAsync(ManifestOf(url, app), adminToken, cancellationToken), cancellationToken);
    }

    /// <summary>All that the token's holder may see of an app's history, oldest first.</summary>
    public async Task<IReadOnlyList<JsonElement>> ReadHistoryAsync(Uri url, string app, string token, CancellationToken cancellationToken)
    {
        var items = new List<JsonElement>();
        for (string? next = ""; next is not null;)
        {
            var address = new Uri(url, $"api/v1/events?app={app}&order=asc&limit={PageSize}" + (next.Length > 0 ? "&after=" + Uri.EscapeDataString(next) : ""));
            var page = await UntilAsync($"The history of {app} cannot be read at {url}", () => GetAsync(address, token, cancellationToken), cancellationToken);
            items.AddRange(page.GetProperty("items").EnumerateArray());
            next = page.GetProperty("next").GetString();
        }

        return items;
    }

    private static Uri ManifestOf(Uri url, string app) => new(url, $"api/v1/apps/{app}/manifest");

    /// <returns>Null: it was not answered, or not with success.</returns>
    private async Task<JsonElement?> GetAsync(Uri address, string token, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            using var answer = await SendAsync(request, token, cancellationToken);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken) : null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string token, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await http.SendAsync(request, cancellationToken);
    }

    private async Task<JsonElement> UntilAsync(string otherwise, Func<Task<JsonElement?>> ask, CancellationToken cancellationToken)
    {
        for (var deadline = Clock.Now + Clock.ToTicks(options.Patience); Clock.Now < deadline; await Clock.DelayAsync(s_interval, cancellationToken))
        {
            if (await ask() is { } answer)
                return answer;
        }

        throw new BenchException(otherwise);
    }
}
